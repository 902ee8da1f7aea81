package catalog

import (
	"context"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// CreateInterface creates a version of an interface in the actor's workspace. Forbidden
// when the workspace may not publish under the name, AlreadyExists when the name has that
// version, BreakingChanges when the version is not as compatible as its number promises.
// InvalidPayload, InvalidJsonSchema and LimitExceeded say what is wrong with the draft.
func (s *Service) CreateInterface(ctx context.Context, actor access.Actor, d InterfaceDraft, allowBreaking bool) (Interface, error) {
	made := d.update()
	if err := checkName(d.Name); err != nil {
		return Interface{}, err
	}
	if err := checkVersion(d.Version); err != nil {
		return Interface{}, err
	}
	if err := made.check(); err != nil {
		return Interface{}, err
	}
	now := s.Clock.Now()
	none, err := definition.Interface{}.JSON()
	if err != nil {
		return Interface{}, err
	}
	draft := Interface{
		ID: id.NewInterface(now), Workspace: actor.Workspace, Name: d.Name, Version: d.Version,
		CreatedAt: now, CreatedBy: actor.Account, Attributes: "{}", Definition: JSON(none),
	}
	if draft, err = draft.apply(made, now); err != nil {
		return Interface{}, err
	}
	icon, readme, err := s.putAssets(ctx, d.Assets)
	if err != nil {
		return Interface{}, err
	}
	set(&draft.Readme, readme)

	var i Interface
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		i = draft
		r := i.release()
		versions, err := selectVersions(ctx, tx, r.kind, r.workspace, r.name)
		if err != nil {
			return db.Convert(err)
		}
		if err := s.admit(ctx, tx, r, i.Public, versions); err != nil {
			return err
		}
		if !allowBreaking {
			if err := checkBase(r, versions, i.breakingChangesSince(ctx, tx)); err != nil {
				return err
			}
		}
		if i.Icon, err = shareIcon(ctx, tx, r, icon); err != nil {
			return db.Convert(err)
		}
		if err := insertInterface(ctx, tx, i); err != nil {
			return alreadyPublishedOr(i.release(), err)
		}
		return s.record(ctx, tx, i.release(), "interface created")
	})
	return i, err
}

// breakingChangesSince lists what would break users of another version of the name in the
// same workspace.
func (i Interface) breakingChangesSince(ctx context.Context, tx *db.Tx) func(base string) ([]definition.Change, error) {
	return func(base string) ([]definition.Change, error) {
		before, found, err := selectInterfaceNamed(ctx, tx, i.Workspace, i.Name, base)
		if err != nil || !found {
			return nil, db.Convert(err)
		}
		return before.breakingChanges(i)
	}
}

// GetInterface reads an interface of the workspace, or else a public one; with the empty
// workspace, only a public one. Public interfaces can be read here and not only in the
// hub because the bp command line up to version 0.8 looks for them nowhere else.
// ResourceNotFound when there is none.
func (s *Service) GetInterface(ctx context.Context, w id.Workspace, i id.Interface) (Interface, error) {
	found, ok, err := visibleInterface(ctx, s.DB.Reader(ctx), w, i)
	if err == nil && !ok {
		err = errNotFound(InterfaceKind, string(i))
	}
	return found, err
}

func visibleInterface(ctx context.Context, q db.Querier, w id.Workspace, i id.Interface) (Interface, bool, error) {
	found, ok, err := selectInterface(ctx, q, w, i)
	if err == nil && !ok && w != "" {
		found, ok, err = selectInterface(ctx, q, "", i)
	}
	return found, ok, db.Convert(err)
}

// GetInterfaceByName is GetInterface by name; reference is an exact version, latest or a
// range.
func (s *Service) GetInterfaceByName(ctx context.Context, w id.Workspace, name, reference string) (Interface, error) {
	found, ok, err := visibleInterfaceNamed(ctx, s.DB.Reader(ctx), w, name, reference)
	if err == nil && !ok {
		err = errNotFound(InterfaceKind, name+"@"+reference)
	}
	return found, err
}

func visibleInterfaceNamed(ctx context.Context, q db.Querier, w id.Workspace, name, reference string) (Interface, bool, error) {
	found, ok, err := interfaceNamed(ctx, q, w, name, reference)
	if err == nil && !ok && w != "" {
		found, ok, err = interfaceNamed(ctx, q, "", name, reference)
	}
	return found, ok, db.Convert(err)
}

func interfaceNamed(ctx context.Context, q db.Querier, w id.Workspace, name, reference string) (Interface, bool, error) {
	return lookUp(reference, func() ([]string, error) {
		return selectVersions(ctx, q, InterfaceKind, w, name)
	}, func(version string) (Interface, bool, error) {
		return selectInterfaceNamed(ctx, q, w, name, version)
	})
}

// ListInterfaces reads a page of interfaces without their definitions; next is nil
// on the last page.
func (s *Service) ListInterfaces(ctx context.Context, f Filter, page db.Page) (list []Interface, next *db.Key, err error) {
	list, err = selectInterfaces(ctx, s.DB.Reader(ctx), f, page)
	if err != nil {
		return nil, nil, db.Convert(err)
	}
	list, next = db.Cut(list, page, func(i Interface) db.Key { return db.Key{At: i.CreatedAt.UnixMilli(), ID: string(i.ID)} })
	return list, next, nil
}

// UpdateInterface changes an interface of the actor's workspace; what the update leaves
// out stays. ResourceNotFound when the workspace has no such interface, Forbidden when the
// update would change the content of a public one, BreakingChanges when it would break a
// package built on it, ReferenceConstraint when it would make it private while packages of
// other workspaces are built on it.
func (s *Service) UpdateInterface(ctx context.Context, actor access.Actor, i id.Interface, u InterfaceUpdate) (Interface, error) {
	if err := u.check(); err != nil {
		return Interface{}, err
	}
	icon, readme, err := s.putAssets(ctx, u.Assets)
	if err != nil {
		return Interface{}, err
	}
	now := s.Clock.Now()
	var after Interface
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		before, found, err := selectInterface(ctx, tx, actor.Workspace, i)
		if err != nil {
			return db.Convert(err)
		}
		if !found {
			return errNotFound(InterfaceKind, string(i))
		}
		if after, err = before.apply(u, now); err != nil {
			return err
		}
		set(&after.Readme, readme)
		if err := s.checkInterfaceChange(ctx, tx, before, after, u.AllowBreaking); err != nil {
			return err
		}
		if icon != nil {
			if after.Icon, err = shareIcon(ctx, tx, after.release(), icon); err != nil {
				return db.Convert(err)
			}
		}
		if err := updateInterface(ctx, tx, after); err != nil {
			return alreadyPublishedOr(after.release(), err)
		}
		return s.record(ctx, tx, after.release(), "interface updated")
	})
	return after, err
}

// checkInterfaceChange checks that an update may turn before into after; see
// UpdateInterface for the errors.
func (s *Service) checkInterfaceChange(ctx context.Context, tx *db.Tx, before, after Interface, allowBreaking bool) error {
	if before.Public {
		parts, err := before.contentChanges(after)
		if err != nil {
			return err
		}
		if len(parts) > 0 {
			return errFrozen(before.release(), Public, parts)
		}
	}
	if before.Public == after.Public && before.Definition == after.Definition {
		return nil
	}
	by, err := selectDependents(ctx, tx, before.Workspace, string(before.ID))
	if err != nil {
		return db.Convert(err)
	}
	if before.Public && !after.Public {
		if err := checkHiding(before.release(), by); err != nil {
			return err
		}
	}
	if !before.Public && after.Public {
		if err := s.mayPublish(ctx, tx, after.release(), true); err != nil {
			return err
		}
	}
	if allowBreaking || by.none() {
		return nil
	}
	changes, err := before.breakingChanges(after)
	if err != nil {
		return err
	}
	return errBreakingUpdate(before.release(), changes)
}

// DeleteInterface deletes a version of an interface. ResourceNotFound when the workspace
// has no such interface; the other errors are those of checkDeletion.
func (s *Service) DeleteInterface(ctx context.Context, actor access.Actor, i id.Interface) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		found, ok, err := selectInterface(ctx, tx, actor.Workspace, i)
		if err != nil {
			return db.Convert(err)
		}
		if !ok {
			return errNotFound(InterfaceKind, string(i))
		}
		if err := s.checkDeletion(ctx, tx, actor, found.release(), found.CreatedBy, found.visibility()); err != nil {
			return err
		}
		if err := deleteInterface(ctx, tx, actor.Workspace, i); err != nil {
			return db.Convert(err)
		}
		return s.record(ctx, tx, found.release(), "interface deleted")
	})
}

// leaveInterfaces deletes the interfaces of a workspace that is deleted, in its
// transaction. ReferenceConstraint when packages of other workspaces are built on one.
func (s *Service) leaveInterfaces(ctx context.Context, tx *db.Tx, w id.Workspace) error {
	built, err := selectBuiltOn(ctx, tx, w)
	if err != nil {
		return db.Convert(err)
	}
	if built > 0 {
		return fault.New(fault.ReferenceConstraint, "The workspace cannot be deleted: %s of other workspaces are built on its interfaces. Those packages must be changed or deleted first.", count(built, "package"))
	}
	return db.Convert(deleteInterfacesOf(ctx, tx, w))
}
