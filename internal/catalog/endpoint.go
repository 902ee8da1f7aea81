package catalog

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/id"
)

// Endpoint reads where an integration runs and what calls to it are signed with, by one
// query. It takes no workspace because it serves the server's own calls, on behalf of any
// bot that has the integration installed.
func (s *Service) Endpoint(ctx context.Context, q db.Querier, i id.Integration) (e definition.Endpoint, found bool, err error) {
	row, found, err := selectEndpoint(ctx, q, i)
	if err != nil || !found {
		return e, false, db.Convert(err)
	}
	e = definition.Endpoint{URL: row.url, MaxExecutionTime: row.maxExecutionTime, Scope: row.name}
	if row.dev {
		e.Scope = string(i)
	}
	e.SigningSecrets, err = s.openSigningSecrets(i, row.current, row.old, row.until)
	return e, err == nil, err
}

// openSigningSecrets are the secrets that calls are signed with, the newest first. There
// are two while the previous one is still valid.
func (s *Service) openSigningSecrets(i id.Integration, current, old string, until time.Time) ([]string, error) {
	plain, err := signingSecretColumn.Open(s.Keys, current, string(i))
	if err != nil {
		return nil, err
	}
	valid := []string{string(plain)}
	if old == "" || !s.Clock.Now().Before(until) {
		return valid, nil
	}
	if plain, err = oldSigningSecretColumn.Open(s.Keys, old, string(i)); err != nil {
		return nil, err
	}
	return append(valid, string(plain)), nil
}

// Shared finds the version of an integration whose scripts route webhooks that name no
// instance: the latest of the open versions of the name or, when none is open, the latest
// version of the only workspace that has the name.
func (s *Service) Shared(ctx context.Context, name string) (shared definition.Shared, found bool, err error) {
	q := s.DB.Reader(ctx)
	var versions map[string]id.Integration
	var i id.Integration
	var sealed map[string]string
	text, found, err := lookUp(latest, func() ([]string, error) {
		named, err := selectNamed(ctx, q, name)
		versions = candidates(named)
		return slices.Collect(maps.Keys(versions)), err
	}, func(version string) (text string, found bool, err error) {
		i = versions[version]
		text, sealed, found, err = selectScripts(ctx, q, i)
		return text, found, err
	})
	if err != nil || !found {
		return shared, false, db.Convert(err)
	}
	d, err := definition.ParseIntegration([]byte(text))
	if err != nil {
		return shared, false, err
	}
	shared = definition.Shared{
		Scope: name, ExtractScript: d.Identifier.ExtractScript, FallbackHandlerScript: d.Identifier.FallbackHandlerScript,
		Secrets: make(map[string]string, len(sealed)),
	}
	for name, value := range sealed {
		if shared.Secrets[name], err = s.openSecret(i, name, value); err != nil {
			return shared, false, err
		}
	}
	return shared, true, nil
}

// candidates are the versions of a name that may be shared; see Shared.
func candidates(named []namedVersion) map[string]id.Integration {
	open, all := map[string]id.Integration{}, map[string]id.Integration{}
	ambiguous := false
	for _, v := range named {
		if v.visibility.open() {
			open[v.version] = v.id
		}
		all[v.version] = v.id
		ambiguous = ambiguous || v.workspace != named[0].workspace
	}
	if len(open) > 0 || ambiguous {
		return open
	}
	return all
}
