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
	// Dir is the data directory: the day files of SQLite are in its folder
	// telemetry.
	Dir string
	// Synchronous is that of the SQLite files; see db.Options.
	Synchronous string
	// Retention is how long records are kept; DefaultRetention when zero.
	Retention Retention
	// Silence ends a session; half an hour when zero. All servers of an installation
	// have the same.
	Silence time.Duration

	Bots         bots
	Readers      readers
	Meter        meter
	Actions      actions
	Integrations integrations
	Trail        trail
	// Queue is where erasures wait.
	Queue queue
}

// Service takes records in and answers what is kept of them.
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

// defaultSilence is how long a user is silent before a session ends.
const defaultSilence = 30 * time.Minute

// New makes the service over a migrated database. Nothing can be sent to it or read
// of it but what is rolled up before Open.
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

// Close ends the appending and closes the files.
func (s *Service) Close() error {
	if s.blocks == nil {
		return nil
	}
	return s.blocks.close()
}

// Check opens every day and says which were set aside because they cannot be read.
func (s *Service) Check(ctx context.Context) (damaged []string, err error) {
	err = s.blocks.Check(ctx)
	return s.blocks.Damaged(), err
}

// Damaged names the days and blocks that cannot be read and are not served.
func (s *Service) Damaged() []string {
	if s.blocks == nil {
		return nil
	}
	return s.blocks.Damaged()
}
