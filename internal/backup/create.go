package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/db"
)

// Source is the installation that a backup is made of.
type Source struct {
	DB    *db.DB
	Blobs *blob.Store
	// Volumes are kept apart; nil when there are none.
	Volumes  Volumes
	Program  string
	KeyCheck string
	Now      time.Time
}

// Volumes are tables that a domain keeps apart from those of the migrations: it creates
// more of them as time goes on, in places of their own.
type Volumes interface {
	// EachVolume calls each with every volume as of one moment, whatever is written
	// meanwhile: with its name, and its tables by the names they have in a backup.
	EachVolume(ctx context.Context, each func(ctx context.Context, name string, q db.Querier, tables map[string]db.Table) error) error
	// RestoreRows adds rows to a table of a volume, and creates the volume if necessary.
	RestoreRows(ctx context.Context, volume, table string, rows [][]any) error
}

// Summary says what a backup contains.
type Summary struct {
	Header Header           `json:"header"`
	Rows   map[string]int64 `json:"rows"`
	Blobs  int              `json:"blobs"`
	// Volumes counts the volumes.
	Volumes int `json:"volumes"`
}

// Create writes a backup of an installation, which may be in use: the database is read as
// of one moment, and every blob that it refers to at that moment is included.
//
// Blobs are copied before that moment and again after it. A blob that the database refers
// to was there before, or was added in between; young blobs are not collected, so the
// second pass finds it. This requires that a backup takes less than blob.Settled.
func Create(ctx context.Context, from Source, to io.Writer) (Summary, error) {
	w, err := newWriter(to, from.Now)
	if err != nil {
		return Summary{}, err
	}
	c := &creation{Source: from, writer: w, copied: map[blob.Hash]bool{}}
	if err := c.writeHeader(ctx); err != nil {
		return Summary{}, err
	}
	if err := c.copyBlobs(ctx); err != nil {
		return Summary{}, err
	}
	if err := from.DB.Snapshot(ctx, c.copyTables); err != nil {
		return Summary{}, err
	}
	if err := c.copyBlobs(ctx); err != nil {
		return Summary{}, err
	}
	// After the tables: what a volume holds beyond what the tables know of is rolled up
	// after the restoration; in the other order it would be lost.
	if from.Volumes != nil {
		if err := from.Volumes.EachVolume(ctx, c.copyVolume); err != nil {
			return Summary{}, err
		}
	}
	c.summary.Rows, c.summary.Blobs = w.manifest.Rows, len(c.copied)
	return c.summary, w.close()
}

type creation struct {
	Source
	writer  *writer
	copied  map[blob.Hash]bool
	summary Summary
}

func (c *creation) writeHeader(ctx context.Context) error {
	tables, err := c.DB.Tables(ctx, c.DB.Reader(ctx))
	if err != nil {
		return err
	}
	status, err := c.DB.Status(ctx)
	if err != nil {
		return err
	}
	h := Header{Format: format, Program: c.Program, Engine: c.DB.Engine(), CreatedAt: c.Now.UTC(), KeyCheck: c.KeyCheck, Tables: tables}
	for _, m := range status {
		if m.Pending() {
			return fmt.Errorf("the schema is not up to date: migration %d is pending; run \"botyard migrate up\" first", m.Version)
		}
		h.Schema = max(h.Schema, m.Version)
	}
	text, err := json.Marshal(h, json.Deterministic(true))
	if err != nil {
		return err
	}
	c.summary.Header = h
	return c.writer.add(headerName, int64(len(text)), bytes.NewReader(text))
}

// copyBlobs copies the blobs that have not been copied yet, also retired ones, which may
// have a reference all the same. One that is deleted between being listed and being read was
// not referred to.
func (c *creation) copyBlobs(ctx context.Context) error {
	each := func(h blob.Hash, _ time.Time) error {
		if c.copied[h] {
			return nil
		}
		content, err := c.Blobs.Get(ctx, h)
		if errors.Is(err, blob.ErrMissing) {
			return nil
		}
		if err != nil {
			return err
		}
		c.copied[h] = true
		return c.writer.add(blobDir+string(h), int64(len(content)), bytes.NewReader(content))
	}
	if err := c.Blobs.List(ctx, each); err != nil {
		return err
	}
	return c.Blobs.ListRetired(ctx, each)
}

func (c *creation) copyTables(ctx context.Context, q db.Querier) error {
	for _, t := range c.summary.Header.Tables {
		if err := c.copyTable(ctx, q, t, tableDir, t.Name); err != nil {
			return err
		}
	}
	return nil
}

// copyVolume copies the tables of a volume, after a part that describes their columns.
func (c *creation) copyVolume(ctx context.Context, name string, q db.Querier, tables map[string]db.Table) error {
	text, err := json.Marshal(tables, json.Deterministic(true))
	if err != nil {
		return err
	}
	if err := c.writer.add(volumeDir+name+"/"+volumeTables, int64(len(text)), bytes.NewReader(text)); err != nil {
		return err
	}
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		if err := c.copyTable(ctx, q, tables[table], volumeDir, name+"/"+table); err != nil {
			return err
		}
	}
	c.summary.Volumes++
	return nil
}

// copyTable copies the rows of a table into parts below dir, under its name in a backup.
func (c *creation) copyTable(ctx context.Context, q db.Querier, t db.Table, dir, name string) error {
	var chunk bytes.Buffer
	chunks := 0
	encoder := jsontext.NewEncoder(&chunk)
	flush := func() error {
		chunks++
		err := c.writer.add(fmt.Sprintf("%s%s/%06d.ndjson", dir, name, chunks), int64(chunk.Len()), &chunk)
		chunk.Reset()
		return err
	}
	c.writer.manifest.Rows[name] = 0
	err := db.EachRow(ctx, q, t, func(values []any) error {
		if err := appendRow(encoder, values); err != nil {
			return err
		}
		c.writer.manifest.Rows[name]++
		if chunk.Len() < maxChunk {
			return nil
		}
		return flush()
	})
	if err == nil && chunk.Len() > 0 {
		err = flush()
	}
	if err != nil {
		return fmt.Errorf("the table %s cannot be copied: %w", name, err)
	}
	return nil
}
