package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/account"
	"github.com/botyard/botyard/internal/audit"
	"github.com/botyard/botyard/internal/billing"
	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/bot"
	"github.com/botyard/botyard/internal/catalog"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/dispatch"
	"github.com/botyard/botyard/internal/jobs"
	"github.com/botyard/botyard/internal/meter"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/internal/script"
	"github.com/botyard/botyard/internal/secret"
	"github.com/botyard/botyard/internal/telemetry"
	"github.com/botyard/botyard/internal/trace"
	"github.com/botyard/botyard/internal/workspace"
)

// App is an open installation.
type App struct {
	DB         *db.DB
	Clock      clock.Clock
	Keys       *secret.Keyring
	Blobs      *blob.Store
	Log        *slog.Logger
	Tokens     *access.Service
	Accounts   *account.Service
	Workspaces *workspace.Service
	Bots       *bot.Service
	Catalog    *catalog.Service
	Audit      *audit.Service
	Meter      *meter.Service
	Telemetry  *telemetry.Service
	Scripts    *script.Engine
	Dispatch   *dispatch.Service
	// Calls is the queue of the calls to bots and integrations. They wait for others,
	// and keep no other job from its place.
	Calls *jobs.Queue
	// Plans is the catalogue that Open read.
	Plans *plan.Catalog
	// Jobs is the queue that changes put work into; a server works on it.
	Jobs    *jobs.Queue
	Billing *billing.Service
	// Tracer makes the spans of a server that is told where to send them; nil makes
	// none.
	Tracer *trace.Tracer

	config    config.Installation
	dir       string
	blobCheck blobCheck
	// address is what callers reach the server by; it is set before the first
	// request, and stays empty where nothing is served.
	address string
}

// Open opens an installation and brings its database to this version's schema. A
// data directory that is not there is made. The caller closes the App.
func Open(ctx context.Context, c config.Installation, log *slog.Logger) (*App, error) {
	a, err := connect(ctx, c, log, true)
	if err != nil {
		return nil, err
	}
	if err := a.DB.Migrate(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	if err := a.checkRestored(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	if err := a.checkKey(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	a.assemble()
	return a, nil
}

// Exists is nil when there is an installation to work on, so that a mistyped data
// directory is told of and not made into a new installation. A PostgreSQL database
// tells for itself.
func Exists(c config.Installation) error {
	if c.DatabaseURL.Reveal() != "" {
		return nil
	}
	if _, err := os.Stat(db.File(c.Data)); err != nil {
		return fmt.Errorf("there is no installation in %s; the first \"botyard serve\" or \"botyard account create\" makes one (%w)", c.Data, err)
	}
	return nil
}

// Examine opens an installation as it is, for looking at it: nothing is made and
// nothing migrated. Only Checks, DB and Close of the App may be used.
func Examine(ctx context.Context, c config.Installation, log *slog.Logger) (*App, error) {
	if err := Exists(c); err != nil {
		return nil, err
	}
	a, err := connect(ctx, c, log, false)
	if err != nil {
		return nil, err
	}
	a.assemble()
	return a, nil
}

// Connect opens only the database of an installation, as it is: nothing is
// migrated. It is for looking at an installation before anything is changed.
func Connect(ctx context.Context, c config.Installation, log *slog.Logger) (*db.DB, error) {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("the data directory cannot be made: %w", err)
	}
	return db.Open(ctx, db.Options{
		URL: c.DatabaseURL.Reveal(), Dir: c.Data, MaxConnections: c.DatabaseMaxConnections,
		ExecMode: c.DatabaseExecMode, Synchronous: c.SQLiteSynchronous, Log: log,
	})
}

func clockOf(c config.Installation) (clock.Clock, error) {
	if c.Dev {
		return clock.NewDevelopment(c.Data)
	}
	return clock.System(), nil
}

func connect(ctx context.Context, c config.Installation, log *slog.Logger, makeKeys bool) (a *App, err error) {
	a = &App{Log: log, dir: c.Data, config: c}
	if a.DB, err = Connect(ctx, c, log); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if a.Clock, err = clockOf(c); err != nil {
		return a, err
	}
	if a.Keys, err = c.Keys(makeKeys); err != nil {
		return a, err
	}
	url, err := c.Blobs()
	if err != nil {
		return a, err
	}
	if a.Blobs, err = blob.Open(ctx, url); err != nil {
		return a, err
	}
	a.Plans, err = c.Catalog()
	return a, err
}

// assemble makes the domains and plugs each into those that need it.
func (a *App) assemble() {
	a.Tokens = access.New(a.DB, a.Clock, a.Log)
	a.Audit = audit.New(a.DB, a.Clock)
	a.Jobs = jobs.New(a.DB, a.Clock, a.Log)
	a.Meter = meter.New(meter.Options{DB: a.DB, Clock: a.Clock, Log: a.Log, Plans: a.Plans, Trail: a.Audit, Queue: a.Jobs})
	a.Scripts = script.New(script.Options{CacheDir: filepath.Join(a.dir, "cache", "wazero"), Clock: a.Clock, Log: a.Log})
	address := func() string { return a.address }
	a.Bots = bot.New(bot.Options{
		DB: a.DB, Clock: a.Clock, Keys: a.Keys, Blobs: a.Blobs,
		Trail: a.Audit, Quota: a.Meter, Stocks: a.Meter, Tokens: a.Tokens, PublicURL: address,
	})
	a.Accounts = account.New(account.Options{DB: a.DB, Clock: a.Clock, Tokens: a.Tokens})
	a.Workspaces = workspace.New(workspace.Options{
		DB: a.DB, Clock: a.Clock, Trail: a.Audit, Quota: a.Meter, Accounts: a.Accounts,
	})
	a.Billing = billing.New(billing.Options{
		DB: a.DB, Clock: a.Clock, Log: a.Log, Plans: a.Plans, Trail: a.Audit, Queue: a.Jobs, Usage: a.Meter, Workspaces: a.Workspaces,
	})
	a.Meter.Debtors = a.Billing
	a.Catalog = catalog.New(catalog.Options{
		DB: a.DB, Clock: a.Clock, Log: a.Log, Keys: a.Keys, Blobs: a.Blobs,
		Trail: a.Audit, Quota: a.Meter, Tokens: a.Tokens, Workspaces: a.Workspaces, Installs: a.Bots, PublicURL: address,
	})
	a.Bots.Catalog, a.Bots.Assets, a.Bots.Endpoints = a.Catalog, a.Catalog, a.Catalog
	a.assembleCalls(address)
	a.Bots.Members, a.Bots.Movers = a.Workspaces, []bot.Mover{a.Meter}
	// Bots leave before what they have installed, and the books are closed before what
	// was used is forgotten.
	a.Workspaces.Leavers = []workspace.Leaver{a.Billing, a.Bots, a.Catalog, a.Tokens, a.Meter}
	a.Accounts.Memberships = a.Workspaces
	a.assembleTelemetry()
}

// Close closes what Open opened. It waits for transactions that have begun.
func (a *App) Close() error {
	var errs []error
	if a.Dispatch != nil {
		a.Dispatch.Egress.Close()
	}
	if a.Scripts != nil {
		errs = append(errs, a.Scripts.Close())
	}
	if a.Telemetry != nil {
		errs = append(errs, a.Telemetry.Close())
	}
	if a.Blobs != nil {
		errs = append(errs, a.Blobs.Close())
	}
	if a.DB != nil {
		errs = append(errs, a.DB.Close())
	}
	a.endTraces()
	return errors.Join(errs...)
}

// lastTraces bounds how long the end waits for the last spans to be taken, whatever
// became of the collector.
const lastTraces = 5 * time.Second

// endTraces exports the last spans. That it cannot is no failure of the installation.
func (a *App) endTraces() {
	ctx, cancel := context.WithTimeout(context.Background(), lastTraces)
	defer cancel()
	if err := a.Tracer.Close(ctx); err != nil {
		a.Log.Warn("the server ends", "error", err)
	}
}

// checkKey refuses to open a database whose secrets were sealed with other keys:
// they could not be read, and new ones would be mixed with them.
func (a *App) checkKey(ctx context.Context) error {
	check := a.Keys.Check()
	return a.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		kept, err := setDefault(ctx, tx, settingKeyCheck, check)
		if err != nil {
			return db.Convert(err)
		}
		return a.verifyKey(kept)
	})
}

func (a *App) verifyKey(kept string) error {
	if err := a.Keys.VerifyCheck(kept); err != nil {
		return fmt.Errorf("the secret key is not the one that this database was sealed with: %w", err)
	}
	return nil
}
