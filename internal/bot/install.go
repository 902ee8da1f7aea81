package bot

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// checkAliases says whether the keys of what is to be installed can be aliases.
func (u Update) checkAliases() error {
	for _, key := range slices.Sorted(maps.Keys(u.Integrations)) {
		if err := definition.CheckKey("integrations", key); err != nil && !u.Integrations[key].IsNull() {
			return err
		}
	}
	for _, alias := range slices.Sorted(maps.Keys(u.Plugins)) {
		if err := checkPluginAlias(alias); err != nil && !u.Plugins[alias].IsNull() {
			return err
		}
	}
	return nil
}

// installation is one update of what a bot has installed: what it had, what it will have,
// and the versions that were looked up on the way.
type installation struct {
	*Service
	ctx     context.Context
	q       db.Querier
	bot     Bot
	now     time.Time
	u       Update
	checker *checker

	had  instances
	have instances

	hadPlugins  map[string]PluginInstance
	havePlugins map[string]PluginInstance

	integrations map[id.Integration]definition.InstallableIntegration
	plugins      map[id.Plugin]definition.InstallablePlugin
}

func (s *Service) newInstallation(ctx context.Context, q db.Querier, before Bot, u Update, c *checker, now time.Time) *installation {
	in := &installation{
		Service: s, ctx: ctx, q: q, bot: before, now: now, u: u, checker: c, had: instances{}, hadPlugins: map[string]PluginInstance{},
		integrations: map[id.Integration]definition.InstallableIntegration{}, plugins: map[id.Plugin]definition.InstallablePlugin{},
	}
	for _, i := range before.Integrations {
		in.had[i.Alias] = i
	}
	for _, p := range before.Plugins {
		in.hadPlugins[p.Alias] = p
	}
	in.have, in.havePlugins = maps.Clone(in.had), maps.Clone(in.hadPlugins)
	return in
}

// rehearse is the bot before and after an update, without writing anything. The
// transaction that follows comes to the same result unless somebody else writes in
// between. It also fills the checker: validation takes as long as other people's schemas
// make it, which a transaction must not.
func (s *Service) rehearse(ctx context.Context, w id.Workspace, bot id.Bot, u Update, c *checker, now time.Time) (before, after Bot, err error) {
	if before, err = s.readAtOnce(ctx, w, bot); err != nil {
		return before, after, err
	}
	after, _, err = s.plan(ctx, s.DB.Reader(ctx), before, u, c, now)
	return before, after, err
}

// install is the bot after an update, except for code and secrets. It writes what is
// installed, but not the bot.
func (s *Service) install(ctx context.Context, tx *db.Tx, before Bot, u Update, c *checker, now time.Time) (Bot, error) {
	after, in, err := s.plan(ctx, tx, before, u, c, now)
	if err != nil || !u.installs() {
		return after, err
	}
	if err := in.write(tx); err != nil {
		return Bot{}, err
	}
	return s.withPackages(ctx, tx, after)
}

// plan is the bot after an update, except for code and secrets, and the installation that
// belongs to it. The bot must have been read whole; nothing is written.
func (s *Service) plan(ctx context.Context, q db.Querier, before Bot, u Update, c *checker, now time.Time) (Bot, *installation, error) {
	in := s.newInstallation(ctx, q, before, u, c, now)
	if u.installs() {
		if err := in.setUp(); err != nil {
			return Bot{}, nil, err
		}
	}
	u.Definition = withoutOwned(u.Definition, in.havePlugins)
	after, err := before.apply(u, now)
	if err != nil {
		return Bot{}, nil, err
	}
	if (u.installs() || u.defines()) && len(in.hadPlugins)+len(in.havePlugins) > 0 {
		if after, err = in.merge(after); err != nil {
			return Bot{}, nil, err
		}
	}
	after.Packages = len(in.have) + len(in.havePlugins)
	after.Integrations = slices.SortedFunc(maps.Values(in.have), byAge)
	after.Plugins = after.Plugins[:0:0]
	for _, alias := range slices.Sorted(maps.Keys(in.havePlugins)) {
		after.Plugins = append(after.Plugins, in.havePlugins[alias])
	}
	return after, in, nil
}

// setUp removes, then installs and sets up, in the order of the keys.
func (in *installation) setUp() error {
	if in.u.Whole != nil {
		if err := in.clear(); err != nil {
			return err
		}
	}
	for key, patch := range in.u.Integrations {
		if patch.IsNull() {
			in.have.remove(key)
		}
	}
	for alias, patch := range in.u.Plugins {
		if patch.IsNull() {
			delete(in.havePlugins, alias)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(in.u.Integrations)) {
		if s, set := in.u.Integrations[key].Get(); set {
			if err := in.setUpIntegration(key, s); err != nil {
				return err
			}
		}
	}
	for _, alias := range slices.Sorted(maps.Keys(in.u.Plugins)) {
		if s, set := in.u.Plugins[alias].Get(); set {
			if err := in.setUpPlugin(alias, s); err != nil {
				return err
			}
		}
	}
	return firstError(
		checkCount("integrations", maxIntegrations, len(in.had), len(in.have)),
		checkCount("plugins", maxPlugins, len(in.hadPlugins), len(in.havePlugins)),
	)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkCount(what string, most, before, then int) error {
	if then > most && then > before {
		return tooMany(what, most, then)
	}
	return nil
}

func (in *installation) setUpIntegration(key string, s IntegrationSetup) error {
	path := "integrations." + fault.Bounded(key)
	alias, of := in.have.named(key, s.Integration)
	v, err := in.integration(path, of)
	if err != nil {
		return err
	}
	if v.Dev && !in.bot.Dev {
		return fault.New(fault.InvalidPayload, "%s is the development integration %q, which only development bots can have. Deploy the integration and install that version.", path, of)
	}
	if v.Deprecated && !in.had.have(of) && !in.u.rollsBack() {
		return deprecated(path, v.Name, v.Version)
	}
	i := in.have[alias]
	i.Alias = alias
	if in.u.imports() && i.Of.Name == v.Name {
		s.Configuration = configurationSecrecy(v, in.u.Whole.Archive.Integrations[key].ConfigurationType).fill(s.Configuration, i.Configuration)
	}
	if i, err = i.setUp(path, s, v, in.checker, in.now); err != nil {
		return in.u.hintAtSecrets(err)
	}
	i = in.resume(i)
	i.Sealed = in.sealConfiguration(integrationConfigurationColumn, in.bot.ID, alias, i.Configuration, in.had[alias].Configuration, i.Sealed)
	in.have[alias] = i
	return nil
}

// have says whether there is an instance of the integration.
func (all instances) have(integration id.Integration) bool {
	_, found := all.first(integration)
	return found
}

func deprecated(path, name, version string) error {
	return fault.New(fault.InvalidPayload, "%s is %s %s, which is deprecated and cannot be newly installed. Install another version.", path, name, version)
}

func (in *installation) setUpPlugin(alias string, s PluginSetup) error {
	path := "plugins." + fault.Bounded(alias)
	v, err := in.plugin(path, s.Plugin)
	if err != nil {
		return err
	}
	installed := slices.ContainsFunc(in.bot.Plugins, func(p PluginInstance) bool { return p.Plugin == s.Plugin })
	if v.Deprecated && !installed && !in.u.rollsBack() {
		return deprecated(path, v.Name, v.Version)
	}
	p := in.havePlugins[alias]
	p.Alias = alias
	if in.u.imports() && p.Of.Name == v.Name {
		s.Configuration = secrecyOf(v.Configuration.Schema, 0).fill(s.Configuration, p.Configuration)
	}
	if p, err = p.setUp(path, s, v, in.checker, in.now); err != nil {
		return in.u.hintAtSecrets(err)
	}
	p.Sealed = in.sealConfiguration(pluginConfigurationColumn, in.bot.ID, alias, p.Configuration, in.hadPlugins[alias].Configuration, p.Sealed)
	in.havePlugins[alias] = p
	return nil
}

// integration is the version that path refers to.
func (in *installation) integration(path string, integration id.Integration) (definition.InstallableIntegration, error) {
	v, found, err := in.findIntegration(integration)
	if err == nil && !found {
		err = unknownReference(path, "integration", string(integration))
	}
	return v, err
}

// findIntegration looks a version up once.
func (in *installation) findIntegration(integration id.Integration) (v definition.InstallableIntegration, found bool, err error) {
	if v, known := in.integrations[integration]; known {
		return v, true, nil
	}
	if v, found, err = in.Catalog.Integration(in.ctx, in.q, in.bot.Workspace, integration); found && err == nil {
		in.integrations[integration] = v
	}
	return v, found, err
}

// plugin is the version that path refers to.
func (in *installation) plugin(path string, plugin id.Plugin) (definition.InstallablePlugin, error) {
	v, found, err := in.findPlugin(plugin)
	if err == nil && !found {
		err = unknownReference(path, "plugin", string(plugin))
	}
	return v, err
}

// findPlugin looks a version up once.
func (in *installation) findPlugin(plugin id.Plugin) (v definition.InstallablePlugin, found bool, err error) {
	if v, known := in.plugins[plugin]; known {
		return v, true, nil
	}
	if v, found, err = in.Catalog.Plugin(in.ctx, in.q, in.bot.Workspace, plugin); found && err == nil {
		in.plugins[plugin] = v
	}
	return v, found, err
}

func unknownReference(path, kind, reference string) error {
	return fault.New(fault.ReferenceNotFound, "%s names the %s %q, which does not exist, or is private to another workspace. Give the id of one that you can read.", path, kind, fault.Bounded(reference))
}

// merge binds the plugins and merges those that are switched on into the bot's own
// definition, in the order of their aliases.
func (in *installation) merge(after Bot) (Bot, error) {
	own := after.own()
	if len(in.havePlugins) == 0 {
		after.Definition, after.Own = own, ""
		return after, nil
	}
	merged, err := definition.ParseBot([]byte(own))
	if err != nil {
		return after, err
	}
	for _, alias := range slices.Sorted(maps.Keys(in.havePlugins)) {
		p := in.havePlugins[alias]
		path := "plugins." + fault.Bounded(alias)
		v, err := in.plugin(path, p.Plugin)
		if err != nil {
			return after, err
		}
		setup, _ := in.u.Plugins[alias].Get()
		p, backings, err := p.bind(v, binder{path: path, setup: setup, all: in.have, load: func(of id.Integration) (definition.InstallableIntegration, error) {
			return in.integration(path, of)
		}})
		if err != nil {
			return after, err
		}
		in.havePlugins[alias] = p
		if !p.Enabled {
			continue
		}
		merged, err = definition.MergePlugin(merged, alias, v.Plugin, func(dependency, entity string) (wire.Object, bool) {
			return backings[dependency].of.Entity(p.Interfaces[dependency].IntegrationInterfaceAlias, entity)
		})
		if err != nil {
			return after, within(path, err)
		}
	}
	text, err := merged.JSON()
	after.Definition, after.Own = JSON(text), own
	return after, err
}

// within puts path before the message of an error, which names a place below it.
func within(path string, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	whole := *f
	whole.Message = path + ": " + f.Message
	return &whole
}

// write writes what changed, and updates the install counts of integrations that the bot
// gained or lost.
func (in *installation) write(tx *db.Tx) error {
	bot := in.bot.ID
	for _, alias := range slices.Sorted(maps.Keys(in.had)) {
		if _, kept := in.have[alias]; !kept {
			if err := in.depart(in.ctx, tx, in.bot.Workspace, bot, in.had[alias], false); err != nil {
				return err
			}
			if err := deleteInstance(in.ctx, tx, bot, alias); err != nil {
				return db.Convert(err)
			}
		}
	}
	for _, alias := range slices.Sorted(maps.Keys(in.have)) {
		if i := in.have[alias]; !reflect.DeepEqual(i, in.had[alias]) {
			if err := upsertInstance(in.ctx, tx, bot, i); err != nil {
				return db.Convert(err)
			}
			if err := in.callInstance(tx, in.had[alias], i); err != nil {
				return err
			}
		}
	}
	for _, alias := range slices.Sorted(maps.Keys(in.hadPlugins)) {
		if _, kept := in.havePlugins[alias]; !kept {
			if err := deletePlugin(in.ctx, tx, bot, alias); err != nil {
				return db.Convert(err)
			}
		}
	}
	for _, alias := range slices.Sorted(maps.Keys(in.havePlugins)) {
		if p := in.havePlugins[alias]; !reflect.DeepEqual(p, in.hadPlugins[alias]) {
			if err := upsertPlugin(in.ctx, tx, bot, p); err != nil {
				return db.Convert(err)
			}
		}
	}
	return in.count(tx)
}

// count updates install counts in the order of ids, so that two bots which install the
// same integrations cannot deadlock.
func (in *installation) count(tx *db.Tx) error {
	change := map[id.Integration]int64{}
	for _, i := range in.have {
		change[i.Integration] = 1
	}
	for _, i := range in.had {
		if in.have.have(i.Integration) {
			delete(change, i.Integration)
		} else {
			change[i.Integration] = -1
		}
	}
	for _, integration := range slices.Sorted(maps.Keys(change)) {
		if err := in.Catalog.CountInstalls(in.ctx, tx, integration, change[integration]); err != nil {
			return err
		}
	}
	return nil
}

// withPackages is the bot with what it has installed, in the clear.
func (s *Service) withPackages(ctx context.Context, q db.Querier, b Bot) (Bot, error) {
	b.Integrations, b.Plugins = nil, nil
	if b.Packages == 0 {
		return b, nil
	}
	var err error
	if b.Integrations, b.Plugins, err = selectPackages(ctx, q, b.ID); err != nil {
		return b, db.Convert(err)
	}
	for n := range b.Integrations {
		i := &b.Integrations[n]
		if i.Configuration, err = s.openConfiguration(integrationConfigurationColumn, b.ID, i.Alias, i.Sealed); err != nil {
			return b, err
		}
	}
	for n := range b.Plugins {
		p := &b.Plugins[n]
		if p.Configuration, err = s.openConfiguration(pluginConfigurationColumn, b.ID, p.Alias, p.Sealed); err != nil {
			return b, err
		}
	}
	slices.SortFunc(b.Integrations, byAge)
	return b, nil
}

// uninstallAll takes a bot that is about to be deleted off the install counts.
func (s *Service) uninstallAll(ctx context.Context, tx *db.Tx, bot id.Bot) error {
	installed, err := selectInstalled(ctx, tx, bot)
	return s.uncount(ctx, tx, installed, err)
}

// uninstallAllOf does the same for every bot of a workspace.
func (s *Service) uninstallAllOf(ctx context.Context, tx *db.Tx, w id.Workspace) error {
	installed, err := selectInstalledOf(ctx, tx, w)
	return s.uncount(ctx, tx, installed, err)
}

func (s *Service) uncount(ctx context.Context, tx *db.Tx, installed map[id.Integration]int64, err error) error {
	if err != nil {
		return db.Convert(err)
	}
	for _, integration := range slices.Sorted(maps.Keys(installed)) {
		if err := s.Catalog.CountInstalls(ctx, tx, integration, -installed[integration]); err != nil {
			return err
		}
	}
	return nil
}

// IntegrationUsers are the names of the workspace's bots that have the integration
// installed, and how many bots of other workspaces do. A bot that keeps the actor of
// ctx out has no name.
func (s *Service) IntegrationUsers(ctx context.Context, q db.Querier, w id.Workspace, i id.Integration) (own []string, others int, err error) {
	own, others, err = selectIntegrationUsers(ctx, q, w, i, keptOut(ctx))
	return own, others, db.Convert(err)
}

// keptOut is the account that bots may keep out, when there are such bots.
func keptOut(ctx context.Context) id.Account {
	if actor := access.From(ctx); actor.Confined {
		return actor.Account
	}
	return ""
}

// PluginUsers are the names of the workspace's bots that have the plugin installed,
// and how many bots of other workspaces do. A bot that keeps the actor of ctx out has
// no name.
func (s *Service) PluginUsers(ctx context.Context, q db.Querier, w id.Workspace, p id.Plugin) (own []string, others int, err error) {
	own, others, err = selectPluginUsers(ctx, q, w, p, keptOut(ctx))
	return own, others, db.Convert(err)
}
