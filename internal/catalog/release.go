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

// release is one version of a package, as far as rules know it that are the same for
// integrations, interfaces and plugins.
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

// String is the release in a message, as "plugin shop/desk@1.0.0".
func (r release) String() string {
	return string(r.kind) + " " + fault.Bounded(r.name) + "@" + fault.Bounded(r.version)
}

// later is when a version was last updated, when one more update is made now: of
// updates that cross, the one that commits last may have begun first, and it does not
// move the time back.
func later(updatedAt, now time.Time) time.Time {
	if now.After(updatedAt) {
		return now
	}
	return updatedAt
}

// mayDelete says whether the actor may delete what the account made. Forbidden when
// not.
func mayDelete(actor access.Actor, r release, createdBy id.Account) error {
	if actor.Role.Allows(access.CatalogDelete) || createdBy != "" && createdBy == actor.Account {
		return nil
	}
	return fault.New(fault.Forbidden, "Your role in this workspace is %q, which allows to delete only what you created, and the %s %q is another's. Ask a manager of the workspace.", actor.Role, r.kind, fault.Bounded(r.id))
}

// record keeps in the trail what was done to a version. The public API has no
// actions of its own for packages.
func (s *Service) record(ctx context.Context, tx *db.Tx, r release, done string) error {
	return s.Trail.Record(ctx, tx, r.workspace, access.Act{Action: "UNKNOWN", Resource: r.id, Name: r.name + "@" + r.version, Value: done})
}

// mayPublish says whether the workspace may publish under the name, and open the
// version to other workspaces when asked. Forbidden when the name is not one of the
// workspace's, or no longer is. AlreadyExists when another workspace opened versions
// of the name while it had the handle: whoever uses a range of those must never be
// given another publisher's code.
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

// admit says whether a new version may stand beside the versions of its name that
// there are, and be open to other workspaces when asked. The errors are those of
// mayPublish and checkVersions.
func (s *Service) admit(ctx context.Context, tx *db.Tx, r release, open bool, versions []string) error {
	if err := s.mayPublish(ctx, tx, r, open); err != nil {
		return err
	}
	return checkVersions(r, versions)
}

// checkDeletion says whether the actor may delete a version. Forbidden when it is open
// to others, or when the actor's role allows only to delete what one made oneself and
// this is another's; ReferenceConstraint when bots have it installed or packages are
// built on it.
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

// users are the bots that have a version installed. Interfaces are not installed.
func (s *Service) users(ctx context.Context, tx *db.Tx, r release) (by users, err error) {
	switch r.kind {
	case IntegrationKind:
		by.own, by.others, err = s.Installs.IntegrationUsers(ctx, tx, r.workspace, id.Integration(r.id))
	case PluginKind:
		by.own, by.others, err = s.Installs.PluginUsers(ctx, tx, r.workspace, id.Plugin(r.id))
	}
	return by, err
}

// checkVersions says whether a name has room for a version beside those it has.
// AlreadyExists when the version is one of them, LimitExceeded when they are too many.
func checkVersions(r release, versions []string) error {
	if slices.Contains(versions, r.version) {
		return errAlreadyPublished(r)
	}
	if len(versions) >= maxVersions {
		return errTooMany("The "+string(r.kind)+" "+fault.Bounded(r.name), "versions", maxVersions, len(versions)+1)
	}
	return nil
}

// checkBase says whether a new version keeps what its number promises to users of
// the version below it. changes lists what would break them.
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

// shareIcon gives all versions of the name of an interface or a plugin the icon of
// this one; when this one says nothing of an icon, it gets theirs.
func shareIcon(ctx context.Context, tx *db.Tx, r release, icon *blob.Hash) (blob.Hash, error) {
	if icon == nil {
		return selectSharedIcon(ctx, tx, r.kind, r.workspace, r.name)
	}
	return *icon, updateSharedIcon(ctx, tx, r.kind, r.workspace, r.name, *icon)
}

// alreadyPublishedOr is the fault of writing a version that another transaction published
// meanwhile, and any other failure as it is.
func alreadyPublishedOr(r release, err error) error {
	if err = db.Convert(err); fault.Is(err, fault.AlreadyExists) {
		return errAlreadyPublished(r)
	}
	return err
}
