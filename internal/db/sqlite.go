package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/botyard/botyard/internal/clock"
)

// patience is how long to wait for another process: to open the SQLite file, or to begin
// a transaction for a caller without a deadline.
const patience = 30 * time.Second

// dsn is the data source name for a connection that writes, or only reads. busy_timeout
// comes first because the pragmas after it may have to wait.
func dsn(path, synchronous string, o Options, reads bool) string {
	pragmas := []string{"busy_timeout(5000)"}
	if o.Archive {
		// Both take effect only in a new file, before the journal is created.
		pragmas = append(pragmas, "page_size(8192)", "auto_vacuum(2)")
	}
	cache := max(o.CacheKiB, 0)
	if cache == 0 {
		cache = 16 << 10
	}
	pragmas = append(pragmas,
		"journal_mode(WAL)",
		"synchronous("+synchronous+")",
		"foreign_keys(1)",
		"cache_size(-"+strconv.Itoa(cache)+")",
		"wal_autocheckpoint(4000)",     // pages, 16 MB
		"journal_size_limit(67108864)", // bytes
		"temp_store(MEMORY)",
	)
	if reads {
		pragmas = append(pragmas, "query_only(1)")
	}
	file := url.URL{Path: filepath.ToSlash(path)}
	query := url.Values{"_pragma": pragmas}
	if !reads {
		query.Set("_txlock", "immediate")
	}
	return "file:" + file.EscapedPath() + "?" + query.Encode()
}

func (d *DB) openSQLite(ctx context.Context, o Options) error {
	synchronous := strings.ToUpper(o.Synchronous)
	switch synchronous {
	case "":
		synchronous = "FULL"
	case "FULL", "NORMAL":
	default:
		return fmt.Errorf("synchronous is %q; it must be FULL or NORMAL", o.Synchronous)
	}
	path, err := filepath.Abs(d.path)
	if err != nil {
		return fmt.Errorf("the path of the data directory: %w", err)
	}
	d.path = path
	if err := makePrivate(path); err != nil {
		return fmt.Errorf("%s cannot be made: %w", path, err)
	}
	if d.writer, err = openWriter(ctx, d, dsn(path, synchronous, o, false)); err != nil {
		return fmt.Errorf("%s cannot be opened: %w", path, err)
	}
	if d.pool, err = sql.Open("sqlite", dsn(path, synchronous, o, true)); err != nil {
		return errors.Join(err, d.writer.close())
	}
	d.pool.SetMaxOpenConns(o.Readers)
	d.pool.SetMaxIdleConns(o.Readers)
	d.pool.SetConnMaxIdleTime(5 * time.Minute)
	d.reads = newStatements(d.pool.PrepareContext)
	if err := d.pool.PingContext(ctx); err != nil {
		return errors.Join(fmt.Errorf("%s cannot be read: %w", path, err), d.Close())
	}
	return nil
}

// makePrivate makes the file, when it is not there, for its owner alone: SQLite would
// let everybody read it, and gives its journals the mode of the file. A file that is
// there is not touched: closing it would drop the locks that this process holds on it.
func makePrivate(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return file.Close()
}

// settle retries open while another process, which is opening the same file, is in its
// way.
func settle(ctx context.Context, open func() error) error {
	started := clock.Start()
	for {
		err := open()
		if err == nil || code(err) != sqlite3.SQLITE_BUSY || started.Elapsed() > patience {
			return err
		}
		if !pause(ctx, 20*time.Millisecond) {
			return err
		}
	}
}

// pause waits, and returns false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// code is the primary result code of SQLite in err, or 0.
func code(err error) int { return extendedCode(err) & 0xff }

// extendedCode is the extended result code of SQLite in err, or 0.
func extendedCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// breaks reports whether an error of SQLite may have ended the whole transaction, or left
// the connection in an unknown state, rather than undone a single statement.
func breaks(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_BUSY,
		sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_MISUSE:
		return true
	}
	// The driver returns the context's error for an interrupted statement.
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// maxStatements bounds a cache of prepared statements. The program has fewer fixed
// statements; of lists with free filters, those beyond the bound are not cached.
const maxStatements = 512

// statements caches prepared statements by their text.
type statements struct {
	prepare func(ctx context.Context, query string) (*sql.Stmt, error)
	mu      sync.RWMutex
	byText  map[string]*sql.Stmt
}

func newStatements(prepare func(ctx context.Context, query string) (*sql.Stmt, error)) *statements {
	return &statements{prepare: func(ctx context.Context, query string) (*sql.Stmt, error) { return prepare(ctx, unnumbered(query)) }, byText: map[string]*sql.Stmt{}}
}

// unnumbered writes the placeholders $1, $2, … as ?, if each occurs once and in order.
// SQLite treats a numbered one as a name, and searches all names for every value that is
// bound: with a thousand values, that took half the time of an insert.
func unnumbered(query string) string {
	var b strings.Builder
	quoted, from := false, 0
	for i, next := 0, 1; i < len(query); i++ {
		switch {
		case query[i] == '\'':
			quoted = !quoted
		case query[i] == '$' && i+1 < len(query) && '0' <= query[i+1] && query[i+1] <= '9':
			number := strconv.Itoa(next)
			end := i + 1 + len(number)
			if quoted || !strings.HasPrefix(query[i+1:], number) || end < len(query) && '0' <= query[end] && query[end] <= '9' {
				return query
			}
			b.WriteString(query[from:i])
			b.WriteByte('?')
			from, i, next = end, end-1, next+1
		case query[i] == '?' && !quoted:
			return query
		}
	}
	return b.String() + query[from:]
}

// get returns the prepared statement, or nil if it is not cached: then the caller runs the
// query as it is, which also reports what is wrong with it. A nil cache holds nothing.
func (s *statements) get(ctx context.Context, query string) *sql.Stmt {
	if s == nil {
		return nil
	}
	s.mu.RLock()
	stmt, full := s.byText[query], len(s.byText) >= maxStatements
	s.mu.RUnlock()
	if stmt != nil || full {
		return stmt
	}
	stmt, err := s.prepare(ctx, query)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if kept := s.byText[query]; kept != nil {
		_ = stmt.Close() // another goroutine was faster
		return kept
	}
	s.byText[query] = stmt
	return stmt
}

// close closes the statements.
func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, stmt := range s.byText {
		errs = append(errs, stmt.Close())
	}
	clear(s.byText)
	return errors.Join(errs...)
}
