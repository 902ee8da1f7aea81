package catalog

import (
	"context"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/id"
)

// Publisher is what anybody may know about the workspace that published a package.
type Publisher struct {
	Workspace id.Workspace
	Handle    string // empty when the workspace has none
	Name      string
}

// GetIntegration reads an integration of the workspace. ResourceNotFound when the
// workspace has none with that id.
func (s *Service) GetIntegration(ctx context.Context, w id.Workspace, i id.Integration) (Integration, error) {
	found, ok, err := selectIntegration(ctx, s.DB.Reader(ctx), w, i)
	if err != nil {
		return Integration{}, db.Convert(err)
	}
	if !ok {
		return Integration{}, errNotFound(IntegrationKind, string(i))
	}
	return found, nil
}

// IntegrationNamed reads the production version of a name in the workspace that
// reference means: an exact version, latest or a range. ResourceNotFound when none
// matches.
func (s *Service) IntegrationNamed(ctx context.Context, w id.Workspace, name, reference string) (Integration, error) {
	q := s.DB.Reader(ctx)
	var siblings []sibling
	i, found, err := lookUp(reference, func() (versions []string, err error) {
		siblings, err = selectSiblings(ctx, q, w, name)
		return versionsOf(siblings), err
	}, func(version string) (Integration, bool, error) {
		return selectIntegration(ctx, q, w, siblingOf(siblings, version).id)
	})
	if err == nil && !found {
		err = errNotFound(IntegrationKind, name+"@"+reference)
	}
	return i, db.Convert(err)
}

// PublicIntegration reads a public or unlisted integration of any workspace and counts
// the view. ResourceNotFound when there is none with that id.
func (s *Service) PublicIntegration(ctx context.Context, i id.Integration) (Integration, Publisher, error) {
	found, by, ok, err := selectOpenIntegration(ctx, s.DB.Reader(ctx), i)
	if err != nil {
		return Integration{}, Publisher{}, db.Convert(err)
	}
	if !ok {
		return Integration{}, Publisher{}, errNotFound(IntegrationKind, string(i))
	}
	s.views.note(found.ID)
	return found, by, nil
}

// PublicIntegrationNamed is PublicIntegration by name; reference is an exact version,
// latest or a range.
func (s *Service) PublicIntegrationNamed(ctx context.Context, name, reference string) (Integration, Publisher, error) {
	q := s.DB.Reader(ctx)
	var siblings []sibling
	var by Publisher
	i, found, err := lookUp(reference, func() (versions []string, err error) {
		siblings, err = selectOpenSiblings(ctx, q, name)
		return versionsOf(siblings), err
	}, func(version string) (i Integration, found bool, err error) {
		i, by, found, err = selectOpenIntegration(ctx, q, siblingOf(siblings, version).id)
		return i, found, err
	})
	if err != nil {
		return Integration{}, Publisher{}, db.Convert(err)
	}
	if !found {
		return Integration{}, Publisher{}, errNotFound(IntegrationKind, name+"@"+reference)
	}
	s.views.note(i.ID)
	return i, by, nil
}

// ListIntegrations reads a page of integrations without their definitions; next is nil
// on the last page. Filtered by a bot that the account may not read, the list is empty,
// as for a bot that does not exist. InvalidQuery when the search has too many words.
func (s *Service) ListIntegrations(ctx context.Context, account id.Account, f IntegrationFilter, page db.Page) (list []Listed, next *db.Key, err error) {
	q := s.DB.Reader(ctx)
	if f.words, err = searched(f.Search); err != nil {
		return nil, nil, err
	}
	if f.Bot != "" {
		readable, err := selectReadableBot(ctx, q, account, f.Workspace, f.Bot, botReaders())
		if err != nil || !readable {
			return []Listed{}, nil, db.Convert(err)
		}
	}
	if f.Workspace == "" {
		if f.rareWord, err = selectRareWord(ctx, q, f); err != nil {
			return nil, nil, db.Convert(err)
		}
	}
	if list, err = selectIntegrations(ctx, q, f, page); err != nil {
		return nil, nil, db.Convert(err)
	}
	key := f.Sort.order().key
	list, next = db.Cut(list, page, func(l Listed) db.Key { return key(l.Integration) })
	if len(f.words) == 0 {
		return list, next, nil
	}
	for n := range list {
		m, err := list[n].matches(f.words)
		if err != nil {
			return nil, nil, err
		}
		list[n].Matches = &m
	}
	return list, next, nil
}

// botReaders are the roles that allow reading bots.
func botReaders() (roles []string) {
	for _, role := range access.Roles {
		if role.Allows(access.BotRead) {
			roles = append(roles, string(role))
		}
	}
	return roles
}

// Integration reads an integration that the workspace may install: its own, or a public
// or unlisted one. found is false when there is none, whatever form the id has.
func (s *Service) Integration(ctx context.Context, q db.Querier, w id.Workspace, i id.Integration) (v definition.InstallableIntegration, found bool, err error) {
	stored, found, err := selectUsableIntegration(ctx, q, w, i)
	if err != nil || !found {
		return v, false, db.Convert(err)
	}
	d, err := definition.ParseIntegration([]byte(stored.Definition))
	return definition.InstallableIntegration{
		ID: i, Name: stored.Name, Version: stored.Version, Dev: stored.Dev, Deprecated: stored.Lifecycle == Deprecated,
		URL: stored.URL, Integration: d,
	}, err == nil, err
}

// CountInstalls adds n, which may be negative, to the number of bots that have the
// integration, in the transaction that installs or removes it. It is not an error when
// the integration does not exist.
func (s *Service) CountInstalls(ctx context.Context, tx *db.Tx, i id.Integration, n int64) error {
	return db.Convert(addInstalls(ctx, tx, i, n))
}
