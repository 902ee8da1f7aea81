package telemetry

import (
	"context"
	"errors"
	"fmt"

	"github.com/botyard/botyard/internal/db"
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
// when there is none.
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
	return v.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error { return db.InsertInto(ctx, tx, t, rows) })
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
