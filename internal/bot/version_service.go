package bot

import (
	"context"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// CreateVersion saves what the bot is now made of. QuotaExceeded when the plan of
// the workspace allows no more versions of a bot, LimitExceeded when no plan does.
func (s *Service) CreateVersion(ctx context.Context, actor access.Actor, bot id.Bot, name, description string) (v Version, err error) {
	if err := checkVersion(name, description); err != nil {
		return Version{}, err
	}
	now := s.Clock.Now()
	current, err := s.readAtOnce(ctx, actor.Workspace, bot)
	if err != nil {
		return Version{}, err
	}
	saved, err := s.prepare(ctx, current, true)
	if err != nil {
		return Version{}, err
	}
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		current, err := s.readWhole(ctx, tx, actor.Workspace, bot)
		if err != nil {
			return err
		}
		n, err := countSaved(ctx, tx, bot)
		if err != nil {
			return db.Convert(err)
		}
		if err := s.Quota.Versions(ctx, tx, actor.Workspace, n+1); err != nil {
			return err
		}
		if n+1 > maxSaved {
			return tooMany("saved versions", maxSaved, int(n+1))
		}
		v = Version{Bot: bot, Name: name, Description: description, CreatedAt: now, CreatedBy: actor.Account}
		if v, err = s.save(ctx, tx, v, current, saved); err != nil {
			return err
		}
		return s.Trail.Record(ctx, tx, actor.Workspace, access.Act{
			Action: "UPDATE_BOT", Resource: string(bot), Name: current.Name, Value: "saved version " + name + " (" + string(v.ID) + ")",
		})
	})
	return v, err
}

// Versions lists the versions of a bot, the newest first. There are few enough to need no
// pages. ResourceNotFound when the workspace has no such bot.
func (s *Service) Versions(ctx context.Context, w id.Workspace, bot id.Bot) ([]Version, error) {
	q := s.DB.Reader(ctx)
	versions, err := selectVersions(ctx, q, w, bot)
	if err != nil || len(versions) > 0 {
		return versions, db.Convert(err)
	}
	_, found, err := selectOwner(ctx, q, w, bot)
	if err == nil && !found {
		return nil, access.NoSuchBot(bot)
	}
	return versions, db.Convert(err)
}

// Version reads a version for a download, which is recorded in the audit trail.
// ResourceNotFound when the workspace has no such bot, or the bot no such version.
func (s *Service) Version(ctx context.Context, actor access.Actor, bot id.Bot, version id.BotVersion) (v Version, err error) {
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		b, found, err := selectOwner(ctx, tx, actor.Workspace, bot)
		if err != nil {
			return db.Convert(err)
		}
		if !found {
			return access.NoSuchBot(bot)
		}
		if v, _, found, err = selectVersion(ctx, tx, actor.Workspace, bot, version); err != nil {
			return db.Convert(err)
		}
		if !found {
			return noSuchVersion(version)
		}
		return s.Trail.Record(ctx, tx, actor.Workspace, access.Act{
			Action: "DOWNLOAD_BOT_ARCHIVE", Resource: string(bot), Name: b.Name, Value: "version " + v.Name + " (" + string(v.ID) + ")",
		})
	})
	return v, err
}

// VersionArchive is the archive of a version, as bot json.
func (s *Service) VersionArchive(ctx context.Context, w id.Workspace, bot id.Bot, version id.BotVersion) ([]byte, error) {
	v, settings, err := s.readVersion(ctx, w, bot, version)
	if err != nil {
		return nil, err
	}
	a, err := s.readContent(ctx, v)
	if err != nil {
		return nil, err
	}
	if a, err = s.open(ctx, s.DB.Reader(ctx), w, a, settings); err != nil {
		return nil, err
	}
	return s.withBundle(ctx, a, v.Code)
}

// DeployVersion restores the bot to what it was when the version was saved: its
// definition, what was installed with its settings, and its code. Name, tags, secrets and
// other settings of the bot stay. ReferenceNotFound names what can no longer be installed;
// the other errors are those of Update.
func (s *Service) DeployVersion(ctx context.Context, actor access.Actor, bot id.Bot, version id.BotVersion) error {
	v, settings, err := s.readVersion(ctx, actor.Workspace, bot, version)
	if err != nil {
		return err
	}
	a, err := s.readContent(ctx, v)
	if err != nil {
		return err
	}
	_, err = s.Update(ctx, actor, bot, whole(Whole{Archive: a, Version: &v, settings: settings}))
	return err
}

// Archive is the bot as bot JSON; the download is recorded in the audit trail, in the
// transaction that reads the bot.
func (s *Service) Archive(ctx context.Context, actor access.Actor, bot id.Bot) (text []byte, err error) {
	var a Archive
	var code blob.Hash
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		b, err := s.readWhole(ctx, tx, actor.Workspace, bot)
		if err != nil {
			return err
		}
		if a, err = b.archive(); err != nil {
			return err
		}
		if a, err = s.open(ctx, tx, actor.Workspace, a, b.settings()); err != nil {
			return err
		}
		code = b.CodeHash
		return s.Trail.Record(ctx, tx, actor.Workspace, access.Act{Action: "DOWNLOAD_BOT_ARCHIVE", Resource: string(bot), Name: b.Name, Value: "bot json"})
	})
	if err != nil {
		return nil, err
	}
	return s.withBundle(ctx, a, code)
}

// Publish turns the bot into what an archive describes. InvalidPayload when this server
// cannot read the archive; ReferenceNotFound names what the workspace cannot install; the
// other errors are those of Update.
func (s *Service) Publish(ctx context.Context, actor access.Actor, bot id.Bot, a Archive) (Bot, error) {
	if err := a.check(); err != nil {
		return Bot{}, err
	}
	return s.Update(ctx, actor, bot, whole(Whole{Archive: a}))
}

// readAtOnce is readWhole as of one moment.
func (s *Service) readAtOnce(ctx context.Context, w id.Workspace, bot id.Bot) (b Bot, err error) {
	err = s.atOneMoment(ctx, func(q db.Querier) (err error) {
		b, err = s.readWhole(ctx, q, w, bot)
		return err
	})
	return b, err
}

// readWhole reads a bot with its own definition and what it has installed.
func (s *Service) readWhole(ctx context.Context, q db.Querier, w id.Workspace, bot id.Bot) (Bot, error) {
	b, err := s.read(ctx, q, w, bot)
	if err == nil && len(b.Plugins) > 0 {
		b.Own, err = selectOwnDefinition(ctx, q, bot)
		err = db.Convert(err)
	}
	return b, err
}

func (s *Service) readVersion(ctx context.Context, w id.Workspace, bot id.Bot, version id.BotVersion) (v Version, settings savedSettings, err error) {
	q := s.DB.Reader(ctx)
	v, sealed, found, err := selectVersion(ctx, q, w, bot, version)
	if err != nil {
		return v, settings, db.Convert(err)
	}
	if !found {
		_, there, err := selectOwner(ctx, q, w, bot)
		if err == nil && !there {
			return v, settings, access.NoSuchBot(bot)
		}
		if err == nil {
			err = noSuchVersion(version)
		}
		return v, settings, db.Convert(err)
	}
	settings, err = s.openSettings(v, sealed)
	return v, settings, err
}

func (s *Service) readContent(ctx context.Context, v Version) (Archive, error) {
	content, err := s.Blobs.Get(ctx, v.Content)
	if err != nil {
		return Archive{}, err
	}
	return parseArchive(content)
}

// open is the archive with the parts of the configurations that are not secret. For a
// package that the workspace no longer sees, nobody can tell what is secret, so its
// configuration is left out.
func (s *Service) open(ctx context.Context, q db.Querier, w id.Workspace, a Archive, settings savedSettings) (Archive, error) {
	for alias, kept := range a.Integrations {
		v, found, err := s.Catalog.Integration(ctx, q, w, id.Integration(kept.ID))
		if err != nil {
			return a, err
		}
		if found {
			kept.Configuration = configurationSecrecy(v, kept.ConfigurationType).strip(settings.Integrations[alias].Configuration)
			a.Integrations[alias] = kept
		}
	}
	for alias, kept := range a.Plugins {
		v, found, err := s.Catalog.Plugin(ctx, q, w, id.Plugin(kept.ID))
		if err != nil {
			return a, err
		}
		if found {
			kept.Configuration = secrecyOf(v.Configuration.Schema, 0).strip(settings.Plugins[alias].Configuration)
			a.Plugins[alias] = kept
		}
	}
	return a, nil
}

// withBundle is the archive, as JSON, with the code of a blob.
func (s *Service) withBundle(ctx context.Context, a Archive, code blob.Hash) ([]byte, error) {
	if code != "" {
		bundle, err := s.Blobs.Get(ctx, code)
		if err != nil {
			return nil, err
		}
		text := string(bundle)
		a.Code = &text
	}
	return a.json()
}

// prepare stores the content of a version that is about to be saved, if one is wanted: the
// transaction must not wait for a disk or a bucket. What the transaction saves is decided
// there, when nobody changes the bot any more.
func (s *Service) prepare(ctx context.Context, b Bot, wanted bool) (content blob.Hash, err error) {
	if !wanted {
		return "", nil
	}
	text, err := contentOf(b)
	if err != nil {
		return "", err
	}
	return s.Blobs.Put(ctx, text)
}

func contentOf(b Bot) ([]byte, error) {
	a, err := b.archive()
	if err != nil {
		return nil, err
	}
	return a.json()
}

// save saves a version of the bot. If a concurrent change made the bot differ from what was
// prepared, its content is stored now after all. Versions have the order in which they were
// saved, even if the request of an older one began later, or the clock was set back.
func (s *Service) save(ctx context.Context, tx *db.Tx, v Version, b Bot, prepared blob.Hash) (Version, error) {
	text, err := contentOf(b)
	if err != nil {
		return v, err
	}
	if v.Content = blob.Of(text); v.Content != prepared {
		if v.Content, err = s.Blobs.Put(ctx, text); err != nil {
			return v, err
		}
	}
	newest, err := selectNewestMoment(ctx, tx, b.ID)
	if err != nil {
		return v, db.Convert(err)
	}
	if !v.CreatedAt.After(newest) {
		v.CreatedAt = newest.Add(time.Millisecond) // ids order by milliseconds
	}
	v.ID, v.Code = id.NewBotVersion(v.CreatedAt), b.CodeHash
	sealed, err := s.sealSettings(v, b.settings())
	if err != nil {
		return v, err
	}
	return v, db.Convert(insertVersion(ctx, tx, v, sealed))
}

// saveDeployed saves what was deployed, and deletes the oldest automatic version when there
// are too many. It does not save the newest version again, so that repeated deployments
// push nothing out.
func (s *Service) saveDeployed(ctx context.Context, tx *db.Tx, actor access.Actor, b Bot, prepared blob.Hash, now time.Time) error {
	newest, sealed, found, err := selectNewestVersion(ctx, tx, b.Workspace, b.ID)
	if err != nil {
		return db.Convert(err)
	}
	if found {
		same, err := s.sameAs(newest, sealed, b)
		if same || err != nil {
			return err
		}
	}
	return s.saveAutomatic(ctx, tx, actor, "Deployed ", b, prepared, now)
}

// saveReplaced saves the bot as it was before all of it is replaced, unless it is new or a
// version holds it: changes made without a deployment would be lost.
func (s *Service) saveReplaced(ctx context.Context, tx *db.Tx, actor access.Actor, b Bot, prepared blob.Hash, now time.Time) error {
	if b.isNew() {
		return nil
	}
	text, err := contentOf(b)
	if err != nil {
		return err
	}
	alike, err := selectVersionsOf(ctx, tx, b.ID, blob.Of(text), b.CodeHash)
	if err != nil {
		return db.Convert(err)
	}
	for version, sealed := range alike {
		same, err := s.sameAs(Version{ID: version, Bot: b.ID, Content: blob.Of(text), Code: b.CodeHash}, sealed, b)
		if same || err != nil {
			return err
		}
	}
	return s.saveAutomatic(ctx, tx, actor, "Replaced ", b, prepared, now)
}

func (s *Service) saveAutomatic(ctx context.Context, tx *db.Tx, actor access.Actor, why string, b Bot, prepared blob.Hash, now time.Time) error {
	v := Version{
		Bot: b.ID, Name: why + now.UTC().Format("2006-01-02 15:04:05.000") + " UTC",
		Automatic: true, CreatedAt: now, CreatedBy: actor.Account,
	}
	if _, err := s.save(ctx, tx, v, b, prepared); err != nil {
		return err
	}
	return db.Convert(deleteOldestAutomatic(ctx, tx, b.ID, maxAutomatic))
}

// sameAs says whether the version holds exactly this bot.
func (s *Service) sameAs(v Version, sealed string, b Bot) (bool, error) {
	text, err := contentOf(b)
	if err != nil || v.Code != b.CodeHash || v.Content != blob.Of(text) {
		return false, err
	}
	saved, err := versionSettingsColumn.Open(s.Keys, sealed, string(v.Bot), string(v.ID))
	if err != nil {
		return false, err
	}
	current, err := wire.AppendJSON(nil, b.settings())
	return string(saved) == string(current), err
}

func (s *Service) sealSettings(v Version, settings savedSettings) (string, error) {
	text, err := wire.AppendJSON(nil, settings)
	return versionSettingsColumn.Seal(s.Keys, text, string(v.Bot), string(v.ID)), err
}

func (s *Service) openSettings(v Version, sealed string) (settings savedSettings, err error) {
	text, err := versionSettingsColumn.Open(s.Keys, sealed, string(v.Bot), string(v.ID))
	if err != nil {
		return settings, err
	}
	return settings, wire.ParseJSON(text, &settings)
}

// deploysAnew says that the update brings code that does not come from a saved version.
func (u Update) deploysAnew() bool { return u.Code != nil || u.imports() }

// deploy is the bot with the code of the update, which deployed holds if the update
// brought any. A whole bot without code leaves the bot without code.
func (b Bot) deploy(u Update, deployed Bot, now time.Time) Bot {
	switch {
	case u.Code != nil:
		b.CodeHash, b.DeployedAt = deployed.CodeHash, deployed.DeployedAt
	case u.rollsBack() && u.Whole.Version.Code != "":
		b.CodeHash, b.DeployedAt = u.Whole.Version.Code, now
	case u.Whole != nil:
		b.CodeHash = ""
	}
	return b
}

// isNew says that the bot is as empty as it was created.
func (b Bot) isNew() bool {
	empty, err := emptyBot()
	return err == nil && b.CodeHash == "" && b.Packages == 0 && b.Definition == empty.Definition
}

// stillSaved is ResourceNotFound when the update deploys a version that was deleted
// meanwhile: the blobs it needs may be gone too.
func (s *Service) stillSaved(ctx context.Context, tx *db.Tx, b Bot, u Update) error {
	if !u.rollsBack() {
		return nil
	}
	v := u.Whole.Version
	_, _, found, err := selectVersion(ctx, tx, b.Workspace, b.ID, v.ID)
	if err == nil && !found {
		return fault.From(noSuchVersion(v.ID))
	}
	return db.Convert(err)
}
