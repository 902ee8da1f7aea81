package telemetry

import (
	"log/slog"

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
}

// Service takes records in and answers what is kept of them.
type Service struct {
	db    *db.DB
	clock clock.Clock
	log   *slog.Logger
	store storage
	parts []part
}

// New makes the service over a migrated database.
func New(o Options) *Service {
	return &Service{db: o.DB, clock: o.Clock, log: o.Log}
}
