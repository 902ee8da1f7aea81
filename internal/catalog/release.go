package catalog

import (
	"context"
	"slices"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// release identifies one version of a package of any kind, for the rules that all kinds
// share.
type release struct {
	kind      Kind
	workspace id.Workspace
	id        string
	name      string
	version   string
}

func (i Integration) release() release {
	return release{IntegrationKind, i.Workspace, string(i.ID), i.Name, i.Version}
}

func (i Interface) release() release {
	return release{InterfaceKind, i.Workspace, string(i.ID), i.Name, i.Version}
}

func (p Plugin) release() release {
	return release{PluginKind, p.Workspace, string(p.ID), p.Name, p.Version}
}

// String names the release in a message, such as "plugin shop/desk@1.0.0".
func (r release) String() string {
	return string(r.kind) + " " + fault.Bounded(r.name) + "@" + fault.Bounded(r.version)
}

// later is the new time of the last update of a version. Of two concurrent updates, the
// one that commits last may have read the clock first; the time never goes back.
func later(updatedAt, now time.Time) time.Time {
	if now.After(updatedAt) {
		return now
	}
	return updatedAt
}

// mayDelete checks that the actor's role allows deleting what the account created.
// Forbidden when not.
func mayDelete(actor access.Actor, r release, createdBy id.Account) error {
	if actor.Role.Allows(access.CatalogDelete) || createdBy != "" && createdBy == actor.Account {
		return nil
	}
	return fault.New(fault.Forbidden, "Your role in this workspace is %q, which allows deleting only what you created, and the %s %q was created by somebody else. Ask a manager of the workspace.", actor.Role, r.kind, fault.Bounded(r.id))
}

// record adds what was done to a version to the audit trail. The public API has no audit
// actions for packages, hence UNKNOWN.
func (s *Service) record(ctx context.Context, tx *db.Tx, r release, done string) error {
	return s.Trail.Record(ctx, tx, r.workspace, access.Act{Action: "UNKNOWN", Resource: r.id, Name: r.name + "@" + r.version, Value: done})
}

// mayPublish checks that the workspace may publish under the name and, when open, to
// other workspaces. Forbidden when the name does not begin, or no longer begins, with
// the workspace's handle. AlreadyExists when another workspace opened versions of the
// name while it had the handle: whoever asks for a range of those must never be given
// the code of another publisher.
func (s *Service) mayPublish(ctx context.Context, tx *db.Tx, r release, open bool) error {
	p, err := s.publisher(ctx, tx, r.workspace)
	if err != nil {
		return err
	}
	if err := p.mayPublish(r.name); err != nil || !open {
		return err
	}
	elsewhere, err := selectOpenElsewhere(ctx, tx, r.kind, r.workspace, r.name)
	if err != nil {
		return db.Convert(err)
	}
	if elsewhere {
		return fault.New(fault.AlreadyExists, "The name %q was published by another workspace, which had this handle before, and stays its own. Publish under another name.", fault.Bounded(r.name))
	}
	return nil
}

// admit checks that a new version may be published beside the existing versions of its
// name. The errors are those of mayPublish and checkVersions.
func (s *Service) admit(ctx context.Context, tx *db.Tx, r release, open bool, versions []string) error {
	if err := s.mayPublish(ctx, tx, r, open); err != nil {
		return err
	}
	return checkVersions(r, versions)
}

// checkDeletion checks that the actor may delete a version. Forbidden when it is open, or
// when the actor's role allows deleting only what one created and this was created by
// somebody else. ReferenceConstraint when bots have it installed or packages are built
// on it.
func (s *Service) checkDeletion(ctx context.Context, tx *db.Tx, actor access.Actor, r release, createdBy id.Account, v Visibility) error {
	if err := mayDelete(actor, r, createdBy); err != nil {
		return err
	}
	bots, err := s.users(ctx, tx, r)
	if err != nil {
		return err
	}
	if err := checkNotInstalled(r, bots); err != nil {
		return err
	}
	packages, err := selectDependents(ctx, tx, r.workspace, r.id)
	if err != nil {
		return db.Convert(err)
	}
	if err := checkNoDependents(r, packages); err != nil {
		return err
	}
	if v.open() {
		return errOpenToOthers(r, v)
	}
	return nil
}

// users reads which bots have a version installed; interfaces are never installed.
func (s *Service) users(ctx context.Context, tx *db.Tx, r release) (by users, err error) {
	switch r.kind {
	case IntegrationKind:
		by.own, by.others, err = s.Installs.IntegrationUsers(ctx, tx, r.workspace, id.Integration(r.id))
	case PluginKind:
		by.own, by.others, err = s.Installs.PluginUsers(ctx, tx, r.workspace, id.Plugin(r.id))
	}
	return by, err
}

// checkVersions checks that a name can get one more version. AlreadyExists when it has
// this one, LimitExceeded when it has too many.
func checkVersions(r release, versions []string) error {
	if slices.Contains(versions, r.version) {
		return errAlreadyPublished(r)
	}
	if len(versions) >= maxVersions {
		return errTooMany("The "+string(r.kind)+" "+fault.Bounded(r.name), "versions", maxVersions, len(versions)+1)
	}
	return nil
}

// checkBase checks that a new version is as compatible as its number promises to users of
// the version below it. changes lists what breaks users of a given version.
// BreakingChanges when there is any.
func checkBase(r release, versions []string, changes func(base string) ([]definition.Change, error)) error {
	base, bound := compatibleBase(versions, r.version)
	if !bound {
		return nil
	}
	breaking, err := changes(base)
	if err != nil {
		return err
	}
	return errBreakingVersion(r, base, breaking)
}

// shareIcon makes icon the icon of all versions of the release's name and answers it. When
// icon is nil it answers the one that they have. It is for interfaces and plugins.
func shareIcon(ctx context.Context, tx *db.Tx, r release, icon *blob.Hash) (blob.Hash, error) {
	if icon == nil {
		return selectSharedIcon(ctx, tx, r.kind, r.workspace, r.name)
	}
	return *icon, updateSharedIcon(ctx, tx, r.kind, r.workspace, r.name, *icon)
}

// alreadyPublishedOr turns the violation of a unique index, when another transaction has
// just published the version, into its fault; other errors stay what they are.
func alreadyPublishedOr(r release, err error) error {
	if err = db.Convert(err); fault.Is(err, fault.AlreadyExists) {
		return errAlreadyPublished(r)
	}
	return err
}
