package telemetry

import (
	"cmp"
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
)

// Options are what a Service needs.
type Options struct {
	DB    *db.DB
	Clock clock.Clock
	Log   *slog.Logger
	// Dir is the data directory. The day files of SQLite are in its subdirectory telemetry.
	Dir string
	// Synchronous is the durability of the SQLite files; see db.Options.
	Synchronous string
	// Retention is for how long records are kept; zeros mean DefaultRetention.
	Retention Retention
	// Silence is the inactivity that ends a session; zero means half an hour. All servers
	// of an installation must have the same.
	Silence time.Duration

	Bots         bots
	Readers      readers
	Meter        meter
	Actions      actions
	Integrations integrations
	Trail        trail
	// Queue takes the jobs that erase records; nil for commands.
	Queue queue
}

// Service ingests records and answers queries about them.
type Service struct {
	db           *db.DB
	clock        clock.Clock
	log          *slog.Logger
	blocks       *blockStore
	keeping      *retention
	admission    *admission
	bots         bots
	readers      readers
	meter        meter
	actions      actions
	integrations integrations
	trail        trail
	queue        queue

	silence          time.Duration
	dir, synchronous string
}

// defaultSilence is the inactivity that ends a session.
const defaultSilence = 30 * time.Minute

// New makes the service on a migrated database. Before Open it can only read what is
// rolled up.
func New(o Options) *Service {
	return &Service{
		db: o.DB, clock: o.Clock, log: o.Log, silence: cmp.Or(o.Silence, defaultSilence),
		dir: o.Dir, synchronous: o.Synchronous,
		admission: newAdmission(), queue: o.Queue, bots: o.Bots, readers: o.Readers, meter: o.Meter, actions: o.Actions, integrations: o.Integrations, trail: o.Trail,
		keeping: &retention{db: o.DB, clock: o.Clock, general: o.Retention.orDefault()},
	}
}

// Open opens the storage: files in the data directory, or tables in PostgreSQL. The
// caller closes the service.
func (s *Service) Open(ctx context.Context) error {
	var a archive
	var err error
	if s.db.Engine() == db.SQLite {
		a, err = openFiles(filepath.Join(s.dir, "telemetry"), s.synchronous, s.clock, s.log)
	} else {
		a, err = openPartitions(ctx, s.db, s.clock)
	}
	if err != nil {
		return err
	}
	s.blocks = newBlockStore(a, s.db, s.clock, s.log)
	return nil
}

// Close waits for the last append and closes the files.
func (s *Service) Close() error {
	if s.blocks == nil {
		return nil
	}
	return s.blocks.close()
}

// Check opens every volume, and names what cannot be read.
func (s *Service) Check(ctx context.Context) (damaged []string, err error) {
	err = s.blocks.Check(ctx)
	return s.blocks.Damaged(), err
}

// Damaged names the days and blocks that cannot be read and are left out of answers.
func (s *Service) Damaged() []string {
	if s.blocks == nil {
		return nil
	}
	return s.blocks.Damaged()
}
