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
	// Calls is the queue of calls to bots and integrations, which mostly wait: in the
	// other queue they would hold up everything else.
	Calls *jobs.Queue
	// Plans is the catalogue of plans.
	Plans *plan.Catalog
	// Jobs is the queue of all other background work.
	Jobs    *jobs.Queue
	Billing *billing.Service
	// Tracer makes spans if the environment names a collector; otherwise it is nil.
	Tracer *trace.Tracer

	config    config.Installation
	dir       string
	blobCheck blobCheck
	// keysUsed ends the use of the key file; nil if nothing is served.
	keysUsed func() error
	// address is the URL of the server; it is set before the first request, and stays
	// empty where nothing is served.
	address string
}

// Open opens an installation and migrates its database. It creates a data directory that
// does not exist. The caller closes the App.
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

// Exists returns an error if there is no installation, so that a mistyped data directory is
// reported instead of becoming a new installation. With PostgreSQL, the database itself
// tells.
func Exists(c config.Installation) error {
	if c.DatabaseURL.Reveal() != "" {
		return nil
	}
	if _, err := os.Stat(db.File(c.Data)); err != nil {
		return fmt.Errorf("there is no installation in %s; create one with \"botyard serve\" or \"botyard account create\" (%w)", c.Data, err)
	}
	return nil
}

// Examine opens an installation to look at it: it creates and migrates nothing. Only
// Checks, DB and Close of the App may be used.
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

// Connect opens only the database of an installation, without migrating it.
func Connect(ctx context.Context, c config.Installation, log *slog.Logger) (*db.DB, error) {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("the data directory cannot be created: %w", err)
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

// assemble creates the domains and connects those that need each other.
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
	// The order matters: bots are deleted before what they have installed, and the books
	// are closed before usage is deleted.
	a.Workspaces.Leavers = []workspace.Leaver{a.Billing, a.Bots, a.Catalog, a.Tokens, a.Meter}
	a.Accounts.Memberships = a.Workspaces
	a.assembleTelemetry()
}

// Close closes what Open opened. It waits for transactions in progress.
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
	if a.keysUsed != nil {
		errs = append(errs, a.keysUsed())
	}
	a.endTraces()
	return errors.Join(errs...)
}

// lastTraces bounds how long a shutdown waits for the collector to take the last spans.
const lastTraces = 5 * time.Second

// endTraces exports the last spans. A failure to do so is only logged.
func (a *App) endTraces() {
	ctx, cancel := context.WithTimeout(context.Background(), lastTraces)
	defer cancel()
	if err := a.Tracer.Close(ctx); err != nil {
		a.Log.Warn("the server ends", "error", err)
	}
}

// checkKey refuses a database whose secrets were sealed with other keys: they could not be
// read, and new ones would be mixed with them.
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
