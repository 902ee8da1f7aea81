package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/db"
)

// visitor receives the parts of a backup as they are read. A nil function skips its
// parts.
type visitor struct {
	rows       func(t db.Table, rows [][]any) error
	volumeRows func(volume, table string, rows [][]any) error
	blob       func(h blob.Hash, content []byte) error
}

// maxRows is how many rows a visitor receives at once.
const maxRows = 1000

// read reads a whole file and checks it against its manifest. The visitor sees the parts
// before that check: they can be trusted only once read has returned without an error.
func read(from io.Reader, begin func(Header) error, v visitor) (s Summary, err error) {
	r, err := newReader(from)
	if err != nil {
		return s, err
	}
	defer r.close()
	if s.Header, err = r.header(); err != nil {
		return s, err
	}
	if err := begin(s.Header); err != nil {
		return s, err
	}
	tables := map[string]db.Table{}
	for _, t := range s.Header.Tables {
		tables[t.Name] = t
	}
	s.Rows = map[string]int64{}
	for name := range tables {
		s.Rows[name] = 0 // also of a table without rows, as its writer counts
	}
	volumes := map[string]map[string]db.Table{}
	for {
		name, err := r.next()
		if err != nil {
			return s, err
		}
		kind, rest, _ := strings.Cut(name, "/")
		switch kind + "/" {
		case tableDir:
			table, _, _ := strings.Cut(rest, "/")
			t, known := tables[table]
			if !known {
				return s, damaged("%s belongs to a table that the header does not list", name)
			}
			n, err := readRows(r, t, bind(v.rows, t))
			if err != nil {
				return s, fmt.Errorf("%s: %w", name, err)
			}
			s.Rows[table] += n
		case blobDir:
			if err := readBlob(r, blob.Hash(rest), v.blob); err != nil {
				return s, err
			}
			s.Blobs++
		case volumeDir:
			if err := readVolume(r, rest, volumes, v.volumeRows, &s); err != nil {
				return s, fmt.Errorf("%s: %w", name, err)
			}
		default:
			if name != manifestName {
				return s, damaged("it has an unknown part %q", name)
			}
			return s, r.end(s.Rows)
		}
	}
}

// bind fixes the table of take; nil stays nil.
func bind(take func(db.Table, [][]any) error, t db.Table) func([][]any) error {
	if take == nil {
		return nil
	}
	return func(rows [][]any) error { return take(t, rows) }
}

// volumeTables is the first part of a volume, which describes its tables' columns.
const volumeTables = "tables.json"

// readVolume reads a part of a volume, whose name is volume/tables.json or
// volume/table/number.
func readVolume(r *reader, name string, volumes map[string]map[string]db.Table, take func(volume, table string, rows [][]any) error, s *Summary) error {
	volume, rest, _ := strings.Cut(name, "/")
	if rest == volumeTables {
		text, err := r.text()
		if err != nil {
			return err
		}
		var tables map[string]db.Table
		if err := json.Unmarshal(text, &tables); err != nil {
			return damaged("it cannot be read: %w", err)
		}
		volumes[volume] = tables
		s.Volumes++
		return nil
	}
	table, _, _ := strings.Cut(rest, "/")
	t, known := volumes[volume][table]
	if !known {
		return damaged("it belongs to a table that its volume does not list")
	}
	var each func([][]any) error
	if take != nil {
		each = func(rows [][]any) error { return take(volume, table, rows) }
	}
	n, err := readRows(r, t, each)
	s.Rows[volume+"/"+table] += n
	return err
}

// readRows reads the rows of a part. A part holds a few megabytes, which bounds what is
// passed to take at once.
func readRows(r *reader, t db.Table, take func([][]any) error) (n int64, err error) {
	decoder := jsontext.NewDecoder(r)
	var rows [][]any
	for {
		row, err := readRow(decoder, t)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return n, damaged("row %d cannot be read: %w", n+1, err)
		}
		n++
		if take == nil {
			continue
		}
		if rows = append(rows, row); len(rows) == maxRows {
			if err := take(rows); err != nil {
				return n, err
			}
			rows = rows[:0]
		}
	}
	if len(rows) > 0 {
		return n, take(rows)
	}
	return n, nil
}

func readBlob(r *reader, h blob.Hash, take func(blob.Hash, []byte) error) error {
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if got := blob.Of(content); got != h {
		return damaged("the blob %s has the content of %s", h, got)
	}
	if take == nil {
		return nil
	}
	return take(h, content)
}

// Verify reads a backup to its end, and returns ErrDamaged unless it is intact.
func Verify(from io.Reader) (Summary, error) {
	return read(from, func(Header) error { return nil }, visitor{})
}

// Target is the empty installation that a backup is restored into.
type Target struct {
	DB    *db.DB
	Blobs *blob.Store
	// Volumes receives the volumes, after all tables.
	Volumes Volumes
	// Begin is called when the schema is there and empty.
	Begin func(context.Context, Header) error
}

// Restore fills an empty installation from a backup: with the schema of its moment, the
// rows, the blobs and the volumes. from must have been verified: after an error, what was
// written before stays. The caller then migrates the schema.
func Restore(ctx context.Context, from io.Reader, to Target) (Summary, error) {
	return read(from, func(h Header) error {
		return to.begin(ctx, h)
	}, visitor{
		rows: func(t db.Table, rows [][]any) error {
			return to.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error { return db.InsertInto(ctx, tx, t, rows) })
		},
		blob: func(_ blob.Hash, content []byte) error {
			_, err := to.Blobs.Put(ctx, content)
			return err
		},
		volumeRows: func(volume, table string, rows [][]any) error {
			return to.Volumes.RestoreRows(ctx, volume, table, rows)
		},
	})
}

// begin creates the schema that the rows belong to.
func (to Target) begin(ctx context.Context, h Header) error {
	status, err := to.DB.Status(ctx)
	if err != nil {
		return err
	}
	known := false
	for _, m := range status {
		if !m.Pending() {
			return errors.New("the database is not empty: a backup is restored into a new data directory, or an empty PostgreSQL database")
		}
		known = known || m.Version == h.Schema
	}
	if !known {
		return fmt.Errorf("%w: the backup's schema is at version %d and this program knows versions up to %d; restore it with botyard %s or newer",
			db.ErrNewer, h.Schema, status[len(status)-1].Version, h.Program)
	}
	if err := to.DB.MigrateTo(ctx, h.Schema); err != nil {
		return err
	}
	return to.Begin(ctx, h)
}

// Each reads a whole backup and calls the functions with its rows and blobs. It returns
// ErrDamaged if the backup is not intact, which is known only at the end.
func Each(from io.Reader, row func(table string, row []any) error, content func(h blob.Hash) error) error {
	_, err := read(from, func(Header) error { return nil }, visitor{
		rows: func(t db.Table, rows [][]any) error {
			return each(t.Name, rows, row)
		},
		volumeRows: func(volume, table string, rows [][]any) error {
			return each(volume+"/"+table, rows, row)
		},
		blob: func(h blob.Hash, _ []byte) error { return content(h) },
	})
	return err
}

func each(table string, rows [][]any, row func(string, []any) error) error {
	for _, r := range rows {
		if err := row(table, r); err != nil {
			return err
		}
	}
	return nil
}
