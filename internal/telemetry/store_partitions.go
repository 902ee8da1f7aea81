package telemetry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
)

// partitions is the archive of an installation on PostgreSQL: the table blocks has a
// partition for each class and day, and the keys of the day are in tables beside it. Like
// the day files, they are created when they are needed, and not by a migration. They have
// a schema of their own.
type partitions struct {
	db     *db.DB
	schema string // quoted
	clock  clock.Clock
	shelf

	listMu sync.Mutex
	listed map[Class][]int64
	at     map[Class]time.Time
}

func openPartitions(ctx context.Context, d *db.DB, c clock.Clock) (*partitions, error) {
	var current string
	if err := d.Reader(ctx).QueryRow(ctx, `SELECT current_schema()`).Scan(&current); err != nil {
		return nil, fmt.Errorf("the schema of the telemetry: %w", err)
	}
	return &partitions{db: d, schema: `"` + strings.ReplaceAll(current+"_telemetry", `"`, `""`) + `"`, clock: c, shelf: newShelf(), listed: map[Class][]int64{}, at: map[Class]time.Time{}}, nil
}

// listEvery is how long a list of days is cached, if it includes the latest day that any
// server can append to.
const listEvery = 10 * time.Second

func (p *partitions) days(ctx context.Context, class Class) ([]int64, error) {
	now := p.clock.Now()
	p.listMu.Lock()
	days, at := p.listed[class], p.at[class]
	p.listMu.Unlock()
	if age := now.Sub(at); age >= 0 && age < listEvery && slices.Contains(days, dayOf(now.Add(maxSkew))) {
		return days, nil
	}
	days, err := p.list(ctx, class)
	if err != nil {
		return nil, err
	}
	p.listMu.Lock()
	defer p.listMu.Unlock()
	p.listed[class], p.at[class] = days, now
	return days, nil
}

func (p *partitions) unlist() {
	p.listMu.Lock()
	defer p.listMu.Unlock()
	clear(p.at)
}

func (p *partitions) list(ctx context.Context, class Class) ([]int64, error) {
	prefix := "marks_" + string(class) + "_"
	rows, err := p.db.Reader(ctx).Query(ctx, `SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = current_schema() || '_telemetry' AND tablename LIKE $1`,
		strings.ReplaceAll(prefix, "_", `\_`)+"%")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var days []int64
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		if t, err := time.Parse("20060102", strings.TrimPrefix(name, prefix)); err == nil {
			days = append(days, dayOf(t))
		}
	}
	slices.Sort(days)
	return days, rows.Err()
}

// tableNames puts the names of a day's tables into statements.
func (p *partitions) tableNames(class Class, day int64) *strings.Replacer {
	end := "_" + string(class) + "_" + strings.ReplaceAll(dayName(day), "-", "")
	return strings.NewReplacer("{schema}", p.schema, "{blocks}_", "blocks"+end+"_", "{blocks}", p.schema+".blocks"+end,
		"{keys}", p.schema+".keys"+end, "{runs}", p.schema+".runs"+end, "{marks}", p.schema+".marks"+end)
}

func (p *partitions) open(ctx context.Context, class Class, day int64) (*volume, error) {
	return p.get(class, day, func() (*volume, error) {
		days, err := p.list(ctx, class)
		if err == nil && !slices.Contains(days, day) {
			err = errDropped
		}
		return p.volume(class, day), err
	})
}

func (p *partitions) volume(class Class, day int64) *volume {
	return &volume{class: class, day: day, db: p.db, names: p.tableNames(class, day)}
}

func (p *partitions) create(ctx context.Context, class Class, day int64) (*volume, error) {
	v, err := p.open(ctx, class, day)
	if !errors.Is(err, errDropped) {
		return v, err
	}
	return p.get(class, day, func() (*volume, error) {
		v := p.volume(class, day)
		// The values are compressed already: EXTERNAL keeps PostgreSQL from trying again, and
		// lets it read a part of a value without the rest.
		statements := append([]string{
			`CREATE SCHEMA IF NOT EXISTS {schema}`,
			`CREATE TABLE IF NOT EXISTS {schema}.blocks ` + schemaBlocks + ` PARTITION BY LIST (volume)`,
			`CREATE TABLE IF NOT EXISTS {blocks} PARTITION OF {schema}.blocks FOR VALUES IN ('` + v.name() + `')`,
			`ALTER TABLE {blocks} ALTER COLUMN head SET STORAGE EXTERNAL, ALTER COLUMN text SET STORAGE EXTERNAL, ALTER COLUMN ids SET STORAGE EXTERNAL`,
			`CREATE TABLE IF NOT EXISTS {keys} ` + schemaKeys,
			`ALTER TABLE {keys} ALTER COLUMN hashes SET STORAGE EXTERNAL`,
			`CREATE TABLE IF NOT EXISTS {runs} ` + schemaRuns,
			`ALTER TABLE {runs} ALTER COLUMN hashes SET STORAGE EXTERNAL`,
			`CREATE TABLE IF NOT EXISTS {marks} ` + schemaMarks,
		}, schemaIndexes...)
		err := p.db.Exclusive(ctx, "telemetry tables", func(ctx context.Context, tx *db.Tx) error {
			for _, s := range statements {
				if _, err := tx.Exec(ctx, v.text(s)); err != nil {
					return fmt.Errorf("%s: %w", strings.TrimSpace(s), err)
				}
			}
			return nil
		})
		p.unlist()
		return v, err
	})
}

func (p *partitions) drop(ctx context.Context, class Class, day int64) error {
	names := p.tableNames(class, day)
	err := p.db.Exclusive(ctx, "telemetry tables", func(ctx context.Context, tx *db.Tx) error {
		days, err := p.list(ctx, class)
		if err != nil || !slices.Contains(days, day) {
			return err
		}
		// DROP TABLE locks the parent before the partition. If somebody, such as a backup,
		// reads the partition, it would have the appends to all days wait for that as well.
		if _, err := tx.Exec(ctx, names.Replace(`LOCK TABLE {blocks} IN ACCESS EXCLUSIVE MODE`)); err != nil {
			return err
		}
		for _, table := range []string{"{blocks}", "{keys}", "{runs}", "{marks}"} {
			if _, err := tx.Exec(ctx, names.Replace(`DROP TABLE IF EXISTS `+table)); err != nil {
				return err
			}
		}
		return nil
	})
	p.forget(class, day)
	return err
}

// forget discards the cached volume and the cached lists of days.
func (p *partitions) forget(class Class, day int64) {
	p.mu.Lock()
	delete(p.shelf.open, place{class, day})
	p.mu.Unlock()
	p.unlist()
}

// failed finds out whether another server has dropped the volume. Damaged tables are the
// business of PostgreSQL and its operator.
func (p *partitions) failed(ctx context.Context, v *volume, err error) error {
	if !db.NoTable(err) {
		return err
	}
	p.forget(v.class, v.day)
	if days, listing := p.list(ctx, v.class); listing != nil || slices.Contains(days, v.day) {
		return err
	}
	return fmt.Errorf("%w: %w", errDropped, err)
}

// tidy does nothing: that is what autovacuum is for.
func (p *partitions) tidy(context.Context, *volume) error { return nil }

func (p *partitions) damaged() []string { return nil }

// close does nothing: the database belongs to the installation.
func (p *partitions) close() error { return nil }
