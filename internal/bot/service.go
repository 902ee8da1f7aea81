package bot

import (
	"context"
	"sync"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/secret"
)

// Options are what the service needs.
type Options struct {
	DB     *db.DB
	Clock  clock.Clock
	Keys   *secret.Keyring
	Blobs  *blob.Store
	Trail  trail
	Quota  quota
	Stocks stocks
	Tokens keys
	// Members and Movers are set after the service is made. Movers move their rows of a
	// transferred bot in this order.
	Members members
	Movers  []Mover
	// PublicURL is the address that callers reach this installation by, without a
	// slash at its end. It is known once the server listens.
	PublicURL func() string
	// Catalog and Assets are set after the service is made: the catalog needs the service
	// too.
	Catalog catalog
	Assets  assets
	// Endpoints and Caller are set after the service is made, like the catalog.
	Endpoints endpoints
	Caller    caller
	// Calls is the queue for calls to integrations and bots.
	Calls queue
	// Issues is nil in tests that keep none.
	Issues issues
	// RegistrationWait is how long an update waits for the calls that it caused.
	RegistrationWait time.Duration
	// Leavers delete their rows of a bot that is deleted by itself, not with its
	// workspace.
	Leavers []Leaver
}

// Service holds the use cases of bots.
type Service struct {
	Options
	calling calling
}

// New makes the service over a migrated database.
func New(o Options) *Service { return &Service{Options: o} }

// signingSecretLength gives a signing secret 288 random bits.
const signingSecretLength = 48

// Create makes a bot in the actor's workspace, and its signing secret, which is not shown
// again. QuotaExceeded when the workspace has no room for another production bot;
// InvalidPayload, InvalidJsonSchema and LimitExceeded name what is wrong with the draft.
func (s *Service) Create(ctx context.Context, actor access.Actor, d Draft) (b Bot, signingSecret string, err error) {
	now := s.Clock.Now()
	bot := id.NewBot(d.Dev, now)
	made := d.update(bot)
	if err := made.check(); err != nil {
		return Bot{}, "", err
	}
	empty, err := emptyBot()
	if err != nil {
		return Bot{}, "", err
	}
	if b, err = empty.apply(made, now); err != nil {
		return Bot{}, "", err
	}
	signingSecret = secret.Text(signingSecretLength)
	b.ID, b.Workspace, b.Dev, b.Status = bot, actor.Workspace, d.Dev, Active
	b.CreatedAt, b.CreatedBy = now, actor.Account
	b.SigningSecret = s.sealSigningSecret(bot, signingSecret)
	if b, err = s.withCode(ctx, b, d.Code, now); err != nil {
		return Bot{}, "", err
	}
	sealed := s.sealSecrets(bot, made.Secrets)
	saved, err := s.prepare(ctx, b, d.Code != nil)
	if err != nil {
		return Bot{}, "", err
	}

	counted := int64(1)
	if b.Dev {
		counted = 0
	}
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := s.Quota.Bots(ctx, tx, b.Workspace, counted); err != nil {
			return err
		}
		if err := insertBot(ctx, tx, b); err != nil {
			return db.Convert(err)
		}
		if err := writeTags(ctx, tx, b.ID, made.Tags); err != nil {
			return db.Convert(err)
		}
		if err := writeSecrets(ctx, tx, b.ID, sealed); err != nil {
			return db.Convert(err)
		}
		if d.Code != nil {
			if err := s.saveDeployed(ctx, tx, actor, b, saved, now); err != nil {
				return err
			}
		}
		if err := s.callBot(ctx, tx, Bot{}, b); err != nil {
			return err
		}
		return s.Trail.Record(ctx, tx, b.Workspace, access.Act{Action: "CREATE_BOT", Resource: string(b.ID), Name: b.Name})
	})
	return b, signingSecret, err
}

// emptyBot is the bot that a draft is applied to.
var emptyBot = sync.OnceValues(func() (Bot, error) {
	text, err := definition.EmptyBot().JSON()
	return Bot{Tags: "{}", SecretNames: "[]", Layers: "[]", Definition: JSON(text)}, err
})

// withCode stores code and gives b its hash. It runs before the transaction, which must
// not wait for a disk or a bucket. If the transaction fails, nothing refers to the blob and
// it is collected.
func (s *Service) withCode(ctx context.Context, b Bot, code *string, now time.Time) (Bot, error) {
	if code == nil {
		return b, nil
	}
	hash, err := s.Blobs.Put(ctx, []byte(*code))
	if err != nil {
		return b, err
	}
	b.CodeHash, b.DeployedAt = hash, now
	return b, nil
}

// Get reads a bot of the workspace. ResourceNotFound when it has none of that id.
func (s *Service) Get(ctx context.Context, w id.Workspace, bot id.Bot) (b Bot, err error) {
	b, found, err := selectBot(ctx, s.DB.Reader(ctx), w, bot)
	if err != nil {
		return Bot{}, db.Convert(err)
	}
	if !found {
		return Bot{}, access.NoSuchBot(bot)
	}
	if b.Packages == 0 {
		return b, nil
	}
	err = s.atOneMoment(ctx, func(q db.Querier) (err error) {
		b, err = s.read(ctx, q, w, bot)
		return err
	})
	return b, err
}

// atOneMoment gives fn a view of the database as of one moment: that of the transaction
// that ctx carries, if it carries one. A bot's definition has what its plugins bring, so
// what it has installed must be as old.
func (s *Service) atOneMoment(ctx context.Context, fn func(q db.Querier) error) error {
	if tx, within := s.DB.Reader(ctx).(*db.Tx); within {
		return fn(tx)
	}
	return s.DB.Snapshot(ctx, func(_ context.Context, q db.Querier) error { return fn(q) })
}

// read reads a bot with what it has installed: one query, and a second one if something
// is. They are answered as of one moment only if q does.
func (s *Service) read(ctx context.Context, q db.Querier, w id.Workspace, bot id.Bot) (Bot, error) {
	b, found, err := selectBot(ctx, q, w, bot)
	if err != nil {
		return Bot{}, db.Convert(err)
	}
	if !found {
		return Bot{}, access.NoSuchBot(bot)
	}
	return s.withPackages(ctx, q, b)
}

// List reads a page of the bots in the actor's workspace that do not keep the actor out,
// without their definitions; next is nil on the last page. InvalidQuery when the filter
// has too many tags or names.
func (s *Service) List(ctx context.Context, actor access.Actor, f Filter, page db.Page) (bots []Bot, next *db.Key, err error) {
	if len(f.Tags) > maxTagFilters {
		return nil, nil, fault.New(fault.InvalidQuery, "The list is filtered by %d tags; at most %d are allowed.", len(f.Tags), maxTagFilters)
	}
	for what, names := range map[string][]string{"integrationNames": f.IntegrationNames, "pluginNames": f.PluginNames} {
		if len(names) > maxNameFilters {
			return nil, nil, fault.New(fault.InvalidQuery, "%s has %d names; at most %d are allowed.", what, len(names), maxNameFilters)
		}
	}
	if !f.storable() {
		return []Bot{}, nil, nil
	}
	if actor.Confined {
		f.letIn = actor.Account
	}
	bots, err = selectBots(ctx, s.DB.Reader(ctx), actor.Workspace, f, page)
	if err != nil {
		return nil, nil, db.Convert(err)
	}
	bots, next = db.Cut(bots, page, func(b Bot) db.Key { return db.Key{At: f.Sort.of(b).UnixMilli(), ID: string(b.ID)} })
	return bots, next, nil
}

// Update changes a bot and keeps what the update leaves out. ResourceNotFound when the
// workspace has no such bot, ReferenceNotFound when it cannot see something that is to be
// installed, ReferenceConstraint when a plugin needs what is to be removed,
// InvalidDataFormat when a configuration does not fit its schema; InvalidPayload,
// InvalidJsonSchema and LimitExceeded name what else is wrong.
func (s *Service) Update(ctx context.Context, actor access.Actor, bot id.Bot, u Update) (Bot, error) {
	if err := u.check(); err != nil {
		return Bot{}, err
	}
	now, checks := s.Clock.Now(), newChecker()
	var expected, replaced Bot
	if u.Code != nil || u.installs() {
		// Fail before the code is stored when there is no such bot, or it cannot have
		// what it needs.
		var err error
		if replaced, expected, err = s.rehearse(ctx, actor.Workspace, bot, u, checks, now); err != nil {
			return Bot{}, err
		}
	}
	deployed, err := s.withCode(ctx, Bot{}, u.Code, now)
	if err != nil {
		return Bot{}, err
	}
	kept, err := s.prepare(ctx, replaced, u.Whole != nil && !replaced.isNew())
	if err != nil {
		return Bot{}, err
	}
	saved, err := s.prepare(ctx, expected, u.deploysAnew())
	if err != nil {
		return Bot{}, err
	}
	sealed := s.sealSecrets(bot, u.Secrets)

	var after Bot
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		before, err := s.readWhole(ctx, tx, actor.Workspace, bot)
		if err != nil {
			return err
		}
		if err := s.stillSaved(ctx, tx, before, u); err != nil {
			return err
		}
		if u.Whole != nil {
			if err := s.saveReplaced(ctx, tx, actor, before, kept, now); err != nil {
				return err
			}
		}
		if after, err = s.install(ctx, tx, before, u, checks, now); err != nil {
			return err
		}
		after = after.deploy(u, deployed, now)
		if err := s.countAlive(ctx, tx, before, after); err != nil {
			return err
		}
		if err := updateBot(ctx, tx, after); err != nil {
			return db.Convert(err)
		}
		tags, secrets, err := before.withoutAbsent(u.Tags, sealed)
		if err != nil {
			return err
		}
		if err := writeTags(ctx, tx, bot, tags); err != nil {
			return db.Convert(err)
		}
		if err := writeSecrets(ctx, tx, bot, secrets); err != nil {
			return db.Convert(err)
		}
		if u.deploysAnew() {
			if err := s.saveDeployed(ctx, tx, actor, after, saved, now); err != nil {
				return err
			}
		}
		if u.deploys() {
			if err := s.callBot(ctx, tx, before, after); err != nil {
				return err
			}
		}
		return s.Trail.Record(ctx, tx, actor.Workspace, access.Act{
			Action: u.action(), Resource: string(bot), Name: after.Name, Value: u.says(),
		})
	})
	if err != nil {
		return Bot{}, err
	}
	if u.installs() {
		after = s.settle(ctx, after)
	}
	return after, nil
}

// Delete deletes a bot with its tags, secrets, keys, versions and what it has installed;
// the bytes of its code are collected later. Forbidden when the actor's role only allows
// deleting bots of one's own and somebody else made this one. ResourceNotFound when there
// is no such bot.
func (s *Service) Delete(ctx context.Context, actor access.Actor, bot id.Bot) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		b, found, err := selectOwner(ctx, tx, actor.Workspace, bot)
		if err != nil {
			return db.Convert(err)
		}
		if !found {
			return access.NoSuchBot(bot)
		}
		if !actor.Role.Allows(access.BotDelete) && (b.CreatedBy == "" || b.CreatedBy != actor.Account) {
			return fault.New(fault.Forbidden, "Your role in this workspace is %q, which only allows you to delete bots that you created, and somebody else created bot %q. Ask a manager of the workspace.", actor.Role, fault.Bounded(string(bot)))
		}
		if err := s.departAll(ctx, tx, actor.Workspace, bot); err != nil {
			return err
		}
		if err := s.uninstallAll(ctx, tx, bot); err != nil {
			return err
		}
		if err := deleteBot(ctx, tx, actor.Workspace, bot); err != nil {
			return db.Convert(err)
		}
		if err := s.Tokens.DeleteSubject(ctx, tx, actor.Workspace, string(bot)); err != nil {
			return err
		}
		if err := s.Stocks.LeaveBot(ctx, tx, actor.Workspace, bot); err != nil {
			return err
		}
		for _, l := range s.Leavers {
			if err := l.DeleteBot(ctx, tx, bot); err != nil {
				return err
			}
		}
		if !b.Dev {
			if err := s.Quota.Bots(ctx, tx, actor.Workspace, -1); err != nil {
				return err
			}
			if err := s.countAlive(ctx, tx, b, Bot{Workspace: b.Workspace}); err != nil {
				return err
			}
		}
		return s.Trail.Record(ctx, tx, actor.Workspace, access.Act{Action: "DELETE_BOT", Resource: string(bot), Name: b.Name})
	})
}

// DeleteWorkspace deletes every bot of a workspace with its tags and secrets, in the
// caller's transaction. The caller deletes keys and counts, and records the deletion.
func (s *Service) DeleteWorkspace(ctx context.Context, tx *db.Tx, w id.Workspace) error {
	if err := s.departAllOf(ctx, tx, w); err != nil {
		return err
	}
	if err := s.uninstallAllOf(ctx, tx, w); err != nil {
		return err
	}
	return db.Convert(deleteBotsOf(ctx, tx, w))
}

// Introspect returns the workspace of a bot. A bot in a workspace where the account may not
// read bots is ResourceNotFound, like one that does not exist.
func (s *Service) Introspect(ctx context.Context, account id.Account, bot id.Bot) (id.Workspace, error) {
	w, role, found, err := selectMembership(ctx, s.DB.Reader(ctx), account, bot)
	if err != nil {
		return "", db.Convert(err)
	}
	if !found || !role.Allows(access.BotRead) {
		return "", access.NoSuchBot(bot)
	}
	return w, nil
}

// UsesBlob says whether any bot or saved version, in any workspace, refers to the blob.
func (s *Service) UsesBlob(ctx context.Context, h blob.Hash) (bool, error) {
	used, err := selectUses(ctx, s.DB.Reader(ctx), h)
	return used, db.Convert(err)
}
