package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// volumeTables are the tables of a volume, by their names in backups and statements.
var volumeTables = []string{"blocks", "keys", "runs", "marks"}

// EachVolume calls each with a snapshot of every volume, for a backup. Volumes that were set
// aside as damaged are not among them.
func (s *Service) EachVolume(ctx context.Context, each func(ctx context.Context, name string, q db.Querier, tables map[string]db.Table) error) error {
	return s.blocks.eachVolume(ctx, each)
}

func (s *blockStore) eachVolume(ctx context.Context, each func(ctx context.Context, name string, q db.Querier, tables map[string]db.Table) error) error {
	for _, class := range classes {
		days, err := s.archive.days(ctx, class)
		if err != nil {
			return err
		}
		for _, day := range days {
			begun := false
			err := s.withVolume(ctx, class, day, func(v *volume) error {
				return v.db.Snapshot(ctx, func(ctx context.Context, q db.Querier) (err error) {
					tables := map[string]db.Table{}
					for _, name := range volumeTables {
						if tables[name], err = db.Describe(ctx, q, v.table(name)); err != nil {
							return err
						}
					}
					begun = true
					return each(ctx, v.name(), q, tables)
				})
			})
			// A volume that was dropped before the snapshot is not missed.
			if err != nil && (begun || !errors.Is(err, errDropped)) {
				return fmt.Errorf("the telemetry of %s: %w", volumeName(class, day), err)
			}
		}
	}
	return nil
}

// RestoreRows inserts rows of a backup into a table of a volume, and creates the volume
// when there is none. The tables of the main database have been restored before.
func (s *Service) RestoreRows(ctx context.Context, volume, table string, rows [][]any) error {
	return s.blocks.restoreRows(ctx, volume, table, rows)
}

func (s *blockStore) restoreRows(ctx context.Context, volume, table string, rows [][]any) error {
	v, err := s.volumeNamed(ctx, volume)
	if err != nil {
		return err
	}
	t, err := db.Describe(ctx, v.reader(ctx), v.table(table))
	if err != nil {
		return err
	}
	var uncounted []*block
	switch {
	case v.class != Events:
	case table == "blocks":
		if rows, uncounted, err = s.splitRestored(ctx, v, t, rows); err != nil {
			return err
		}
	case table == "marks":
		// The day may have been sealed after the main database was copied: the roll-up has to
		// look at it again.
		rows = slices.DeleteFunc(rows, func(row []any) bool { return slices.Contains(row, any(markSealed)) })
	}
	return v.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		for _, b := range uncounted {
			if err := insertBlock(ctx, tx, v, b); err != nil {
				return err
			}
		}
		return db.InsertInto(ctx, tx, t, rows)
	})
}

// splitRestored takes the merged blocks out of rows that have records beyond the cursor of
// the volume's roll-up. A backup copies the volumes after the main database: in between,
// records may have been rolled up, and merged since they were. The restored main database
// does not know of that, and the roll-up reads only fresh blocks.
func (s *blockStore) splitRestored(ctx context.Context, v *volume, t db.Table, rows [][]any) (rest [][]any, split []*block, err error) {
	cursor, err := selectCursor(ctx, s.main.Reader(ctx), cursorName(v))
	if err != nil {
		return nil, nil, err
	}
	for _, row := range rows {
		b := blockIn(t, row)
		if b.fresh || b.lastSequence <= cursor {
			rest = append(rest, row)
			continue
		}
		parts, err := b.splitAfter(v.class, cursor)
		if err != nil { // it was damaged before
			s.tear(ctx, v, b, err)
			rest = append(rest, row)
			continue
		}
		split = append(split, parts...)
	}
	return rest, split, nil
}

// blockIn is the block in a row of a backup, without its summary.
func blockIn(t db.Table, row []any) *block {
	b := &block{}
	for i, column := range t.Columns {
		switch value := row[i].(type) {
		case int64:
			switch column.Name {
			case "sequence":
				b.sequence = value
			case "last_sequence":
				b.lastSequence = value
			case "records":
				b.records = int(value)
			}
		case bool:
			if column.Name == "fresh" {
				b.fresh = value
			}
		case string:
			switch column.Name {
			case "workspace_id":
				b.workspace = id.Workspace(value)
			case "bot_id":
				b.bot = id.Bot(value)
			case "integration_id":
				b.integration = id.Integration(value)
			}
		case []byte:
			switch column.Name {
			case "head":
				b.head = value
			case "text":
				b.text = value
			}
		}
	}
	return b
}

// splitAfter makes of a merged block one of its records up to a sequence, if there are
// any, and fresh ones of the others, as they were appended.
func (b *block) splitAfter(class Class, sequence int64) ([]*block, error) {
	records, err := b.all(class)
	if err != nil {
		return nil, err
	}
	var parts []*block
	before, after := records[:0], []Record(nil)
	for _, r := range records {
		if r.Sequence <= sequence {
			before = append(before, r)
		} else {
			after = append(after, r)
		}
	}
	if len(before) > 0 {
		part, err := encodeSorted(before)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	slices.SortFunc(after, func(a, b Record) int { return cmp.Compare(a.Sequence, b.Sequence) })
	for len(after) > 0 {
		n := 1
		for n < len(after) && after[n].Sequence == after[n-1].Sequence+1 {
			n++
		}
		part, err := encodeFresh(after[:n])
		if err != nil {
			return nil, err
		}
		part.sequence, part.lastSequence = after[0].Sequence, after[n-1].Sequence
		parts, after = append(parts, part), after[n:]
	}
	return parts, nil
}

// volumeNamed opens or creates the volume with a name that volumeName made.
func (s *blockStore) volumeNamed(ctx context.Context, name string) (*volume, error) {
	class, day, err := placeOf(name)
	if err != nil {
		return nil, err
	}
	return s.archive.create(ctx, class, day)
}

// table is the name of one of the volume's tables in its database.
func (v *volume) table(name string) string { return v.text("{" + name + "}") }
