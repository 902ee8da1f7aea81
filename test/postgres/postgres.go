package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
)

// readyWithin is how long a server may take to start on a busy machine.
const readyWithin = 3 * time.Minute

// server is the one of this process.
var server struct {
	sync.Mutex
	running *instance
	failure error
}

// databases numbers those of this process.
var databases atomic.Int64

type instance struct {
	dir     string // socket, data and log
	hold    io.Closer
	command *exec.Cmd
	admin   *sql.DB

	mu        sync.Mutex
	templates map[string]string // the databases that Copy copies, by name
}

// Main runs the tests of a package and stops the server that they started:
//
//	func TestMain(m *testing.M) { postgres.Main(m) }
func Main(m *testing.M) {
	code := m.Run()
	if err := Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// Database creates an empty database, dropped when the test ends, and answers its
// URL. The first call of a process starts the server.
func Database(t testing.TB) string {
	t.Helper()
	running, name, err := create(t.Context(), "template1")
	if err != nil {
		t.Fatal(err)
	}
	return running.lent(t, name)
}

// Copy is Database with a copy of what prepare made of an empty one. prepare is run once
// in a process for each name, and must leave no connection open: to copy a database
// takes a fraction of the time that migrating one takes.
func Copy(t testing.TB, name string, prepare func(ctx context.Context, url string) error) string {
	t.Helper()
	running, err := start()
	if err != nil {
		t.Fatal(err)
	}
	template, err := running.template(t.Context(), name, prepare)
	if err != nil {
		t.Fatal(err)
	}
	running, copied, err := create(t.Context(), template)
	if err != nil {
		t.Fatal(err)
	}
	return running.lent(t, copied)
}

// template is the database that copies of a name are made of.
func (i *instance) template(ctx context.Context, name string, prepare func(ctx context.Context, url string) error) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if database := i.templates[name]; database != "" {
		return database, nil
	}
	_, database, err := create(ctx, "template1")
	if err != nil {
		return "", err
	}
	if err := prepare(ctx, i.url(database)); err != nil {
		return "", err
	}
	if i.templates == nil {
		i.templates = map[string]string{}
	}
	i.templates[name] = database
	return database, nil
}

// lent is the URL of a database that is dropped when the test ends.
func (i *instance) lent(t testing.TB, name string) string {
	t.Helper()
	t.Cleanup(func() {
		// The test's context has ended by now.
		if _, err := i.admin.ExecContext(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("PostgreSQL cannot drop a database: %v", err)
		}
	})
	return i.url(name)
}

// Create creates an empty database outside a test, and answers its URL. It goes with
// the server: the caller ends with Stop.
func Create(ctx context.Context) (string, error) {
	running, name, err := create(ctx, "template1")
	if err != nil {
		return "", err
	}
	return running.url(name), nil
}

func create(ctx context.Context, template string) (running *instance, name string, err error) {
	if running, err = start(); err != nil {
		return nil, "", err
	}
	name = fmt.Sprintf("test_%d", databases.Add(1))
	if _, err := running.admin.ExecContext(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template); err != nil {
		return nil, "", fmt.Errorf("PostgreSQL cannot create a database: %w", err)
	}
	return running, name, nil
}

// Stop ends the server and removes its directory. Nothing happens when none runs.
func Stop() error {
	server.Lock()
	defer server.Unlock()
	if server.running == nil {
		return nil
	}
	running := server.running
	server.running = nil
	return running.stop()
}

func start() (*instance, error) {
	server.Lock()
	defer server.Unlock()
	if server.running == nil && server.failure == nil {
		server.running, server.failure = launch()
	}
	return server.running, server.failure
}

func (i *instance) url(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.User("postgres"), Path: "/" + database,
		RawQuery: url.Values{"host": {i.dir}, "sslmode": {"disable"}}.Encode(),
	}
	return u.String()
}

// binary finds a program of PostgreSQL. Debian keeps them out of PATH.
func binary(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("%s is neither in PATH nor in /usr/lib/postgresql/*/bin: install the apt package postgresql, or run `make setup`", name)
	}
	slices.SortFunc(found, func(a, b string) int { return major(a) - major(b) })
	return found[len(found)-1], nil
}

// major is the version in /usr/lib/postgresql/15/bin/initdb.
func major(path string) int {
	version, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return version
}

// identity is the user that the server runs as: PostgreSQL refuses root.
func identity() (*syscall.SysProcAttr, func(dir string) error, error) {
	if os.Geteuid() != 0 {
		return nil, func(string) error { return nil }, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, nil, fmt.Errorf("PostgreSQL does not run as root and there is no user postgres to run it as: install the apt package postgresql, or run `make setup`: %w", err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, nil, err
	}
	attributes := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return attributes, func(dir string) error { return os.Chown(dir, uid, gid) }, nil
}

// supervise runs the server and ends it when its own input does, which happens
// however the test process ends, and then removes the directory.
const supervise = `dir=$1; shift
"$@" >"$dir/log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -QUIT $server
wait $server
cd /; rm -rf "$dir"`

func launch() (_ *instance, err error) {
	initdb, err := binary("initdb")
	if err != nil {
		return nil, err
	}
	postgres, err := binary("postgres")
	if err != nil {
		return nil, err
	}
	attributes, own, err := identity()
	if err != nil {
		return nil, err
	}
	// The path of a socket is at most 107 bytes: TMPDIR may be too long for it.
	dir, err := os.MkdirTemp("/tmp", "botyard-postgres-")
	if err != nil {
		return nil, err
	}
	i := &instance{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, i.stop(), os.RemoveAll(dir))
		}
	}()
	if err := own(dir); err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	create := exec.Command(initdb, "-N", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")
	create.SysProcAttr, create.Dir = attributes, dir
	if output, err := create.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb failed: %w\n%s", err, output)
	}
	i.command = exec.Command("sh", "-c", supervise, "sh", dir, postgres, "-D", data, "-k", dir,
		"-c", "listen_addresses=", "-c", "max_connections=300", "-c", "unix_socket_permissions=0700")
	i.command.SysProcAttr, i.command.Dir = attributes, dir
	if i.hold, err = i.command.StdinPipe(); err != nil {
		return nil, err
	}
	if err := i.command.Start(); err != nil {
		return nil, err
	}
	if i.admin, err = sql.Open("pgx", i.url("postgres")); err != nil {
		return nil, err
	}
	return i, i.ready()
}

// ready waits until the server answers.
func (i *instance) ready() error {
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err := i.admin.Ping()
		if err == nil {
			return nil
		}
		if time.Since(began) > readyWithin {
			log, _ := os.ReadFile(filepath.Join(i.dir, "log"))
			return fmt.Errorf("PostgreSQL does not answer: %w\n%s", err, strings.TrimSpace(string(log)))
		}
	}
}

func (i *instance) stop() error {
	var errs []error
	if i.admin != nil {
		errs = append(errs, i.admin.Close())
	}
	if i.hold != nil {
		errs = append(errs, i.hold.Close())
	}
	if i.command != nil && i.command.Process != nil {
		errs = append(errs, i.command.Wait())
	}
	return errors.Join(errs...)
}
