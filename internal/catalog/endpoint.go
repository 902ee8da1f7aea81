package catalog

import (
	"context"
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
	named, err := selectNamed(ctx, q, name)
	if err != nil {
		return shared, false, db.Convert(err)
	}
	candidates := open(named)
	if len(candidates) == 0 {
		candidates = named
		for _, v := range named {
			if v.workspace != named[0].workspace {
				return shared, false, nil // ambiguous
			}
		}
	}
	versions := map[string]id.Integration{}
	for _, v := range candidates {
		versions[v.version] = v.id
	}
	texts := make([]string, 0, len(versions))
	for version := range versions {
		texts = append(texts, version)
	}
	version, found := pick("latest", texts)
	if !found {
		return shared, false, nil
	}
	i := versions[version]
	text, sealed, err := selectScripts(ctx, q, i)
	if err != nil {
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

func open(named []namedVersion) (open []namedVersion) {
	for _, v := range named {
		if v.visibility != Private {
			open = append(open, v)
		}
	}
	return open
}
