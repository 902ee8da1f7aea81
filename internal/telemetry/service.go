package telemetry

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
)

// Options are what a Service needs.
type Options struct {
	DB    *db.DB
	Clock clock.Clock
	Log   *slog.Logger
	// Dir is where the day files of SQLite are.
	Dir string
	// Silence ends a session; half an hour when zero.
	Silence time.Duration
}

// Service takes records in and answers what is kept of them.
type Service struct {
	db    *db.DB
	clock clock.Clock
	log   *slog.Logger
	store storage
	parts []part

	silence time.Duration
}

// defaultSilence is how long a user is silent before a session ends.
const defaultSilence = 30 * time.Minute

// New makes the service over a migrated database.
func New(o Options) *Service {
	s := &Service{db: o.DB, clock: o.Clock, log: o.Log, silence: cmp.Or(o.Silence, defaultSilence)}
	s.parts = []part{s.rollUpBots}
	return s
}
