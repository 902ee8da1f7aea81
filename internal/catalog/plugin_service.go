package catalog

import (
	"context"
	"maps"
	"slices"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// CreatePlugin creates a version of a plugin in the actor's workspace. Forbidden when the
// workspace may not publish under the name, AlreadyExists when the name has that version,
// ReferenceNotFound when it depends on a package that the workspace cannot see,
// BreakingChanges when the version is not as compatible as its number promises.
// InvalidPayload, InvalidJsonSchema and LimitExceeded say what is wrong with the draft.
func (s *Service) CreatePlugin(ctx context.Context, actor access.Actor, d PluginDraft, allowBreaking bool) (Plugin, error) {
	made := d.update()
	if err := checkName(d.Name); err != nil {
		return Plugin{}, err
	}
	if err := checkVersion(d.Version); err != nil {
		return Plugin{}, err
	}
	if err := made.check(); err != nil {
		return Plugin{}, err
	}
	now := s.Clock.Now()
	none, err := definition.EmptyPlugin().JSON()
	if err != nil {
		return Plugin{}, err
	}
	stored, err := s.putPlugin(ctx, made)
	if err != nil {
		return Plugin{}, err
	}
	draft := stored.in(Plugin{
		ID: id.NewPlugin(now), Workspace: actor.Workspace, Name: d.Name, Version: d.Version, Visibility: Private, Lifecycle: Published,
		CreatedAt: now, CreatedBy: actor.Account, Attributes: "{}", Definition: JSON(none),
	})

	var p Plugin
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		r := draft.release()
		if p, err = draft.apply(made, findInterface(ctx, tx, draft.Workspace), findIntegration(ctx, tx, draft.Workspace), now); err != nil {
			return err
		}
		versions, err := selectVersions(ctx, tx, r.kind, r.workspace, r.name)
		if err != nil {
			return db.Convert(err)
		}
		if err := s.admit(ctx, tx, r, p.Visibility.open(), versions); err != nil {
			return err
		}
		if !allowBreaking {
			if err := checkBase(r, versions, p.breakingChangesSince(ctx, tx)); err != nil {
				return err
			}
		}
		if p.Icon, err = shareIcon(ctx, tx, r, stored.icon); err != nil {
			return db.Convert(err)
		}
		if err := insertPlugin(ctx, tx, p); err != nil {
			return alreadyPublishedOr(p.release(), err)
		}
		if err := keepDependencies(ctx, tx, p); err != nil {
			return err
		}
		return s.record(ctx, tx, p.release(), "plugin created")
	})
	return p, err
}

// pluginBlobs are the hashes of the content in an update; nil is absent.
type pluginBlobs struct{ icon, readme, node, browser *blob.Hash }

// putPlugin stores code, icon and readme. As for putBlobs, it runs before the transaction.
func (s *Service) putPlugin(ctx context.Context, u PluginUpdate) (b pluginBlobs, err error) {
	if b.icon, b.readme, err = s.putAssets(ctx, u.Assets); err != nil {
		return b, err
	}
	if b.node, err = s.putCode(ctx, u.Node); err != nil {
		return b, err
	}
	b.browser, err = s.putCode(ctx, u.Browser)
	return b, err
}

func (s *Service) putCode(ctx context.Context, code *string) (*blob.Hash, error) {
	if code == nil {
		return nil, nil
	}
	hash, err := s.Blobs.Put(ctx, []byte(*code))
	return &hash, err
}

// in is p with the hashes, except for that of the icon, which all versions share.
func (b pluginBlobs) in(p Plugin) Plugin {
	set(&p.Readme, b.readme)
	set(&p.NodeCode, b.node)
	set(&p.BrowserCode, b.browser)
	return p
}

func keepDependencies(ctx context.Context, tx *db.Tx, p Plugin) error {
	d, err := p.dependencies()
	if err != nil {
		return err
	}
	return db.Convert(writeDependencies(ctx, tx, p.ID, d))
}

// breakingChangesSince lists what would break users of another version of the name in the
// same workspace.
func (p Plugin) breakingChangesSince(ctx context.Context, tx *db.Tx) func(base string) ([]definition.Change, error) {
	return func(base string) ([]definition.Change, error) {
		before, found, err := selectPluginNamed(ctx, tx, p.Workspace, p.Name, base)
		if err != nil || !found {
			return nil, db.Convert(err)
		}
		return before.breakingChanges(p)
	}
}

// findInterface looks up interfaces that packages of a workspace may be built on: its own
// and public ones. ReferenceNotFound when there is none.
func findInterface(ctx context.Context, q db.Querier, w id.Workspace) definition.Find {
	return func(r definition.Reference) (definition.Reference, error) {
		var i Interface
		var found bool
		var err error
		if r.ID != "" {
			i, found, err = visibleInterface(ctx, q, w, id.Interface(r.ID))
		} else {
			i, found, err = visibleInterfaceNamed(ctx, q, w, r.Name, r.Version)
		}
		if err == nil && !found {
			err = errDependencyNotFound(InterfaceKind, r)
		}
		return definition.Reference{ID: string(i.ID), Name: i.Name, Version: i.Version}, err
	}
}

// findIntegration looks up integrations that plugins of a workspace may depend on: its own
// and open ones. ReferenceNotFound when there is none.
func findIntegration(ctx context.Context, q db.Querier, w id.Workspace) definition.Find {
	return func(r definition.Reference) (definition.Reference, error) {
		integration := id.Integration(r.ID)
		if r.ID == "" {
			var err error
			if integration, err = integrationNamed(ctx, q, w, r.Name, r.Version); err != nil {
				return r, err
			}
		}
		i, found, err := selectUsableIntegration(ctx, q, w, integration)
		if err != nil {
			return r, db.Convert(err)
		}
		if !found {
			return r, errDependencyNotFound(IntegrationKind, r)
		}
		return definition.Reference{ID: string(i.ID), Name: i.Name, Version: i.Version}, nil
	}
}

// integrationNamed is the id of the version that a name and a reference mean in a
// workspace: of its own when one matches, else of the open ones. It is empty when there
// is none.
func integrationNamed(ctx context.Context, q db.Querier, w id.Workspace, name, reference string) (id.Integration, error) {
	own, err := selectSiblings(ctx, q, w, name)
	if err != nil {
		return "", db.Convert(err)
	}
	open, err := selectOpenSiblings(ctx, q, name)
	if err != nil {
		return "", db.Convert(err)
	}
	for _, siblings := range [][]sibling{own, open} {
		if version, ok := pick(reference, versionsOf(siblings)); ok {
			return siblingOf(siblings, version).id, nil
		}
	}
	return "", nil
}

// GetPlugin reads a plugin of the workspace or, with the empty workspace, an open one.
// ResourceNotFound when there is none.
func (s *Service) GetPlugin(ctx context.Context, w id.Workspace, p id.Plugin) (Plugin, error) {
	found, ok, err := selectPlugin(ctx, s.DB.Reader(ctx), w, p)
	if err != nil {
		return Plugin{}, db.Convert(err)
	}
	if !ok {
		return Plugin{}, errNotFound(PluginKind, string(p))
	}
	return found, nil
}

// GetPluginByName is GetPlugin by name; reference is an exact version, latest or a range.
func (s *Service) GetPluginByName(ctx context.Context, w id.Workspace, name, reference string) (Plugin, error) {
	q := s.DB.Reader(ctx)
	p, found, err := lookUp(reference, func() ([]string, error) {
		return selectVersions(ctx, q, PluginKind, w, name)
	}, func(version string) (Plugin, bool, error) {
		return selectPluginNamed(ctx, q, w, name, version)
	})
	if err == nil && !found {
		err = errNotFound(PluginKind, name+"@"+reference)
	}
	return p, db.Convert(err)
}

// GetDereferencedPlugin is GetPlugin with its references to entities of interfaces replaced
// by the schemas that integrations have for them. interfaces holds the ids of these
// integrations by the alias that the interface has in the plugin. InvalidQuery when an
// alias is missing or unknown, ReferenceNotFound when the workspace cannot see an
// integration or the integration does not implement the interface.
func (s *Service) GetDereferencedPlugin(ctx context.Context, w id.Workspace, p id.Plugin, interfaces map[string]string) (Plugin, error) {
	found, err := s.GetPlugin(ctx, w, p)
	if err != nil {
		return Plugin{}, err
	}
	plugin, err := definition.ParsePlugin([]byte(found.Definition))
	if err != nil {
		return Plugin{}, err
	}
	backing := map[string]backer{}
	for _, alias := range slices.Sorted(maps.Keys(interfaces)) {
		needed, known := plugin.Dependencies.Interfaces[alias]
		if !known {
			return Plugin{}, fault.New(fault.InvalidQuery, "interfaces.%s is given, but the plugin %s@%s has no interface with that alias.", fault.Bounded(alias), fault.Bounded(found.Name), fault.Bounded(found.Version))
		}
		if backing[alias], err = s.backer(ctx, w, alias, interfaces[alias], needed); err != nil {
			return Plugin{}, err
		}
	}
	var missing error
	plugin, err = plugin.Resolve(func(alias, entity string) (wire.Object, bool) {
		b, given := backing[alias]
		if needed, known := plugin.Dependencies.Interfaces[alias]; !given && known && missing == nil {
			missing = fault.New(fault.InvalidQuery, "interfaces.%s is missing; it must be the id of an integration that implements the interface %s@%s, on which the plugin depends.", fault.Bounded(alias), fault.Bounded(needed.Name), fault.Bounded(needed.Version))
		}
		return b.integration.Entity(b.alias, entity)
	})
	if missing != nil {
		return Plugin{}, missing
	}
	if err != nil {
		return Plugin{}, err
	}
	text, err := plugin.JSON()
	found.Definition = JSON(text)
	return found, err
}

// backer is the integration that backs an interface of a plugin, and the alias under which
// it implements the interface.
type backer struct {
	integration definition.Integration
	alias       string
}

func (s *Service) backer(ctx context.Context, w id.Workspace, alias, integration string, needed definition.Reference) (b backer, err error) {
	found, ok, err := s.Integration(ctx, s.DB.Reader(ctx), w, id.Integration(integration))
	if err != nil {
		return b, err
	}
	if !ok {
		return b, fault.New(fault.ReferenceNotFound, "interfaces.%s is %q, and there is no such integration that you can see. It must be the id of one that implements the interface %s@%s.",
			fault.Bounded(alias), fault.Bounded(integration), fault.Bounded(needed.Name), fault.Bounded(needed.Version))
	}
	b.integration = found.Integration
	if b.alias, ok = found.Implements(needed); !ok {
		return b, fault.New(fault.ReferenceNotFound, "interfaces.%s is the integration %s@%s, which does not implement the interface %s@%s.",
			fault.Bounded(alias), fault.Bounded(found.Name), fault.Bounded(found.Version), fault.Bounded(needed.Name), fault.Bounded(needed.Version))
	}
	return b, nil
}

// PluginCode reads the code of a plugin for a platform. The workspace and the errors are as
// for GetPlugin.
func (s *Service) PluginCode(ctx context.Context, w id.Workspace, p id.Plugin, on Platform) (string, error) {
	found, err := s.GetPlugin(ctx, w, p)
	if err != nil {
		return "", err
	}
	code, err := s.Blobs.Get(ctx, found.code(on))
	return string(code), err
}

// Plugin reads a version that a workspace may install: its own, or an open one. found is
// false for everything else.
func (s *Service) Plugin(ctx context.Context, q db.Querier, w id.Workspace, p id.Plugin) (v definition.InstallablePlugin, found bool, err error) {
	plugin, found, err := selectPlugin(ctx, q, w, p)
	if err == nil && !found && w != "" {
		plugin, found, err = selectPlugin(ctx, q, "", p)
	}
	if err != nil || !found {
		return v, false, db.Convert(err)
	}
	v = definition.InstallablePlugin{ID: p, Name: plugin.Name, Version: plugin.Version, Deprecated: plugin.Lifecycle == Deprecated}
	v.Plugin, err = definition.ParsePlugin([]byte(plugin.Definition))
	return v, err == nil, err
}

// ListPlugins reads a page of plugins without their definitions; next is nil on the
// last page.
func (s *Service) ListPlugins(ctx context.Context, f Filter, page db.Page) (list []Plugin, next *db.Key, err error) {
	list, err = selectPlugins(ctx, s.DB.Reader(ctx), f, page)
	if err != nil {
		return nil, nil, db.Convert(err)
	}
	list, next = db.Cut(list, page, func(p Plugin) db.Key { return db.Key{At: p.CreatedAt.UnixMilli(), ID: string(p.ID)} })
	return list, next, nil
}

// UpdatePlugin changes a plugin of the actor's workspace; what the update leaves out
// stays. ResourceNotFound when the workspace has no such plugin, Forbidden when the update
// would change the content of an open one, BreakingChanges when it would break bots that
// have it, ReferenceConstraint when it would make it private while bots of other
// workspaces have it, ReferenceNotFound when it would depend on a package that the
// workspace cannot see.
func (s *Service) UpdatePlugin(ctx context.Context, actor access.Actor, p id.Plugin, u PluginUpdate) (Plugin, error) {
	if err := u.check(); err != nil {
		return Plugin{}, err
	}
	// Do not store up to 100 MB for a plugin that does not exist.
	if _, err := s.GetPlugin(ctx, actor.Workspace, p); err != nil {
		return Plugin{}, err
	}
	stored, err := s.putPlugin(ctx, u)
	if err != nil {
		return Plugin{}, err
	}
	now := s.Clock.Now()
	var after Plugin
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		before, found, err := selectPlugin(ctx, tx, actor.Workspace, p)
		if err != nil {
			return db.Convert(err)
		}
		if !found {
			return errNotFound(PluginKind, string(p))
		}
		if after, err = before.apply(u, findInterface(ctx, tx, actor.Workspace), findIntegration(ctx, tx, actor.Workspace), now); err != nil {
			return err
		}
		after = stored.in(after)
		if err := s.checkPluginChange(ctx, tx, before, after, u.AllowBreaking); err != nil {
			return err
		}
		if stored.icon != nil {
			if after.Icon, err = shareIcon(ctx, tx, after.release(), stored.icon); err != nil {
				return db.Convert(err)
			}
		}
		if err := updatePlugin(ctx, tx, after); err != nil {
			return alreadyPublishedOr(after.release(), err)
		}
		if err := keepDependencies(ctx, tx, after); err != nil {
			return err
		}
		return s.record(ctx, tx, after.release(), "plugin updated")
	})
	return after, err
}

// checkPluginChange checks that an update may turn before into after; see UpdatePlugin for
// the errors.
func (s *Service) checkPluginChange(ctx context.Context, tx *db.Tx, before, after Plugin, allowBreaking bool) error {
	if before.Visibility.open() {
		parts, err := before.contentChanges(after)
		if err != nil {
			return err
		}
		if len(parts) > 0 {
			return errFrozen(before.release(), before.Visibility, parts)
		}
	}
	if before.Visibility == after.Visibility && before.Definition == after.Definition {
		return nil
	}
	bots, err := s.users(ctx, tx, before.release())
	if err != nil {
		return err
	}
	if err := checkClosing(before.release(), before.Visibility, after.Visibility, bots.others); err != nil {
		return err
	}
	if !before.Visibility.open() && after.Visibility.open() {
		if err := s.mayPublish(ctx, tx, after.release(), true); err != nil {
			return err
		}
	}
	if allowBreaking || bots.none() {
		return nil
	}
	changes, err := before.breakingChanges(after)
	if err != nil {
		return err
	}
	return errBreakingUpdate(before.release(), changes)
}

// DeprecatePlugin keeps a version of any workspace from being newly installed; bots that
// have it keep it. It is for the operator. ResourceNotFound when there is no such plugin.
func (s *Service) DeprecatePlugin(ctx context.Context, p id.Plugin) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		w, found, err := selectPluginOwner(ctx, tx, p)
		if err != nil {
			return db.Convert(err)
		}
		if !found {
			return fault.New(fault.ResourceNotFound, "There is no plugin %q.", fault.Bounded(string(p)))
		}
		plugin, _, err := selectPlugin(ctx, tx, w, p)
		if err != nil {
			return db.Convert(err)
		}
		plugin.Lifecycle, plugin.UpdatedAt = Deprecated, later(plugin.UpdatedAt, s.Clock.Now())
		if err := updatePlugin(ctx, tx, plugin); err != nil {
			return db.Convert(err)
		}
		return s.record(ctx, tx, plugin.release(), "plugin deprecated")
	})
}

// DeletePlugin deletes a version of a plugin; the bytes of its code are collected later.
// ResourceNotFound when the workspace has no such plugin; the other errors are those of
// checkDeletion.
func (s *Service) DeletePlugin(ctx context.Context, actor access.Actor, p id.Plugin) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		found, ok, err := selectPlugin(ctx, tx, actor.Workspace, p)
		if err != nil {
			return db.Convert(err)
		}
		if !ok {
			return errNotFound(PluginKind, string(p))
		}
		if err := s.checkDeletion(ctx, tx, actor, found.release(), found.CreatedBy, found.Visibility); err != nil {
			return err
		}
		if err := deletePlugin(ctx, tx, actor.Workspace, p); err != nil {
			return db.Convert(err)
		}
		return s.record(ctx, tx, found.release(), "plugin deleted")
	})
}

// leavePlugins deletes the plugins of a workspace that is deleted, in its
// transaction. ReferenceConstraint when bots of other workspaces have one installed.
func (s *Service) leavePlugins(ctx context.Context, tx *db.Tx, w id.Workspace) error {
	list, err := selectInstalledPlugins(ctx, tx, w)
	if err != nil {
		return db.Convert(err)
	}
	for _, p := range list {
		_, others, err := s.Installs.PluginUsers(ctx, tx, w, p.ID)
		if err != nil {
			return err
		}
		if others > 0 {
			return fault.New(fault.ReferenceConstraint, "The workspace cannot be deleted: its plugin %s@%s is installed in %s of other workspaces. It must be uninstalled there first.",
				fault.Bounded(p.Name), fault.Bounded(p.Version), count(others, "bot"))
		}
	}
	return db.Convert(deletePluginsOf(ctx, tx, w))
}
