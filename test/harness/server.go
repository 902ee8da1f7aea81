package harness

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/engines"
	"github.com/botyard/botyard/test/postgres"
)

// OwnerEmail and OwnerToken are those of the account that every first start makes.
const (
	OwnerEmail = "owner@example.com"
	OwnerToken = "bp_pat_harness0123456789abcdefghijklmnopqrs"
)

// Engines are the engines that every behaviour is run on.
var Engines = []db.Engine{db.SQLite, db.PostgreSQL}

// Server is a server in this process.
type Server struct {
	*app.Server
	*Client
	Engine      db.Engine
	Dir         string
	DatabaseURL string // empty on SQLite
	people      atomic.Int64
}

// shared are the servers that the tests of a package share.
var shared struct {
	sync.Mutex
	servers map[db.Engine]*Server
	dirs    []string
}

// lasting has what a test makes outlive the test. A database that is kept goes
// with the PostgreSQL of the process.
type lasting struct{ testing.TB }

func (lasting) Cleanup(func()) {}

// Main runs the tests of a package and stops what they share:
//
//	func TestMain(m *testing.M) { harness.Main(m) }
func Main(m *testing.M) { end(m.Run()) }

// MainOfAll is Main for the tests that know every operation: they fail when one had no
// successful answer on one of the engines.
func MainOfAll(m *testing.M) {
	code := m.Run()
	if code == 0 {
		for _, what := range unanswered() {
			fmt.Fprintln(os.Stderr, "no test had a successful answer of", what)
			code = 1
		}
	}
	end(code)
}

func end(code int) {
	var errs []error
	for _, s := range shared.servers {
		errs = append(errs, s.stop())
	}
	errs = append(errs, postgres.Stop())
	for _, dir := range shared.dirs {
		errs = append(errs, os.RemoveAll(dir))
	}
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// Run runs a behaviour on both engines, on the servers that the package shares.
// No engine is ever skipped. The servers have a --dev clock, which begins at noon of
// the tenth of next month; a test that moves it needs servers of its own.
func Run(t *testing.T, behaviour func(t *testing.T, s *Server)) {
	t.Helper()
	for _, engine := range Engines {
		t.Run(string(engine), func(t *testing.T) { behaviour(t, sharedServer(t, engine)) })
	}
}

// RunAlone is Run on servers of the test's own, with more flags of "botyard serve".
func RunAlone(t *testing.T, flags []string, behaviour func(t *testing.T, s *Server)) {
	t.Helper()
	for _, engine := range Engines {
		t.Run(string(engine), func(t *testing.T) { behaviour(t, Start(t, engine, flags...)) })
	}
}

func sharedServer(t *testing.T, engine db.Engine) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if s := shared.servers[engine]; s != nil {
		return s
	}
	dir, err := os.MkdirTemp("", "botyard-harness-")
	if err != nil {
		t.Fatal(err)
	}
	shared.dirs = append(shared.dirs, dir)
	s := start(t, engine, dir, migratedURL(lasting{t}, engine))
	if shared.servers == nil {
		shared.servers = map[db.Engine]*Server{}
	}
	shared.servers[engine] = s
	return s
}

// DatabaseURL is what --database-url is given: a fresh PostgreSQL database, or
// nothing for SQLite.
func DatabaseURL(t testing.TB, engine db.Engine) string {
	t.Helper()
	if engine == db.PostgreSQL {
		return postgres.Database(t)
	}
	return ""
}

// migratedURL is DatabaseURL of a database that is migrated already: servers of this
// process are started by the hundred.
func migratedURL(t testing.TB, engine db.Engine) string {
	t.Helper()
	if engine == db.PostgreSQL {
		return engines.PostgreSQL(t)
	}
	return ""
}

// Start starts a server on fresh data, stopped when the test ends.
func Start(t testing.TB, engine db.Engine, flags ...string) *Server {
	t.Helper()
	s := start(t, engine, t.TempDir(), migratedURL(t, engine), flags...)
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Config is the configuration that the given flags of "botyard serve" make, with
// the defaults of all others.
func Config(t testing.TB, flags ...string) config.Config {
	t.Helper()
	var c config.Config
	parser, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(flags); err != nil {
		t.Fatal(err)
	}
	return c
}

func start(t testing.TB, engine db.Engine, dir, databaseURL string, flags ...string) *Server {
	t.Helper()
	MidMonth(t, dir)
	c := Config(t, append([]string{
		"--listen", "127.0.0.1:0", "--data", dir, "--database-url", databaseURL, "--sqlite-synchronous", "NORMAL", "--dev",
		"--bootstrap-email", OwnerEmail, "--bootstrap-token", OwnerToken,
		// The longest there is: tests see how a registration ended, also on a busy machine.
		"--registration-wait", "1m",
	}, flags...)...)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	server, _, err := app.Start(context.Background(), c, log)
	if err != nil {
		t.Fatalf("the server does not start on %s: %v", engine, err)
	}
	s := &Server{Server: server, Engine: engine, Dir: dir, DatabaseURL: databaseURL}
	if s.Client, err = newClient(server.URL(), engine); err != nil {
		t.Fatal(err)
	}
	return s
}

// MidMonth puts the clock of a data directory of --dev, of which no server has begun
// yet, at noon of the tenth of next month, and answers how far that is ahead of the
// machine's. So no test meets the end of a day or of a month by chance: what is bought
// on the last day of a month, say, costs too little to be charged.
func MidMonth(t testing.TB, dir string) (ahead time.Duration) {
	t.Helper()
	development, err := clock.NewDevelopment(dir)
	if err != nil {
		t.Fatal(err)
	}
	now := development.Now()
	noon := time.Date(now.Year(), now.Month()+1, 10, 12, 0, 0, 0, time.UTC)
	ahead = noon.Sub(now)
	if _, err := development.Advance(ahead); err != nil {
		t.Fatal(err)
	}
	return ahead
}

func (s *Server) stop() error {
	s.Client.http.CloseIdleConnections()
	deadline, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	return s.Server.Stop(deadline)
}

// Person makes an account with a workspace of its own.
func (s *Server) Person(t testing.TB) *Actor {
	t.Helper()
	return s.PersonCalled(t, fmt.Sprintf("person%d@example.com", s.people.Add(1)))
}

// PersonCalled is Person with an e-mail address.
func (s *Server) PersonCalled(t testing.TB, email string) *Actor {
	t.Helper()
	w, err := s.CreateAccount(t.Context(), email, "")
	if err != nil {
		t.Fatal(err)
	}
	return &Actor{Client: s.Client, Token: w.Token, Account: string(w.Account.ID), Email: email, Workspace: string(w.Workspace)}
}
