package telemetry

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// Stall is a volume that cannot be rolled up at the moment. New records are stored, and
// counted as soon as possible.
type Stall struct {
	Volume string
	// ErrorID identifies the causes in the log.
	ErrorID string
	Message string // which is safe to show on probes
	Tries   int64
	Since   time.Time
}

// longestStall bounds the backoff.
const longestStall = time.Minute

// recallEvery is how often a server reads the stalls that others have noted, so that it can
// end those of a server that no longer runs.
const recallEvery = 30 * time.Second

// stalls are the stalled volumes that this server knows of. The zero value has none.
type stalls struct {
	mu       sync.Mutex
	all      map[string]*stalled
	recalled clock.Started
	failures atomic.Int64
}

type stalled struct {
	errorID string
	since   time.Time
	tries   int // by this server
	tried   clock.Started
}

// wait is the backoff before the next attempt; it doubles with each.
func (s *stalled) wait() time.Duration {
	if s.tries == 0 {
		return 0
	}
	return min(rollEvery<<min(s.tries-1, 10), longestStall)
}

// waits says whether it is too early to retry a volume.
func (s *stalls) waits(volume string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[volume]
	return one != nil && one.tried.Elapsed() < one.wait()
}

// volumes names the stalled volumes.
func (s *stalls) volumes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.all))
}

// tries counts the attempts in a row at which this server has failed to roll a volume up.
func (s *stalls) tries(volume string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.all[volume]; one != nil {
		return one.tries
	}
	return 0
}

// stall records that a volume could not be rolled up: in the log with the cause, and in
// the database, where every server and botyard doctor see it.
func (s *blockStore) stall(ctx context.Context, volume string, cause error) {
	now := s.clock.Now()
	s.stalls.failures.Add(1)
	s.stalls.mu.Lock()
	if s.stalls.all == nil {
		s.stalls.all = map[string]*stalled{}
	}
	one := s.stalls.all[volume]
	if one == nil {
		one = &stalled{errorID: id.NewError(now), since: now}
		s.stalls.all[volume] = one
	}
	one.tries++
	one.tried = clock.Start()
	noted, next := *one, one.wait()
	s.stalls.mu.Unlock()
	s.log.ErrorContext(ctx, "telemetry cannot be rolled up; it is tried again", "volume", volume, "id", noted.errorID, "tries", noted.tries, "next", next, "error", cause)
	err := s.main.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		return putStall(ctx, tx, Stall{volume, noted.errorID, publicText(db.Convert(cause)), int64(noted.tries), noted.since}, now)
	})
	if err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "that telemetry cannot be rolled up is not noted in the database", "volume", volume, "id", noted.errorID, "error", err)
	}
}

// resume ends the stall of a volume, if there is one.
func (s *blockStore) resume(ctx context.Context, volume string) {
	s.stalls.mu.Lock()
	one := s.stalls.all[volume]
	s.stalls.mu.Unlock()
	if one == nil {
		return
	}
	if err := s.main.Tx(ctx, func(ctx context.Context, tx *db.Tx) error { return deleteStall(ctx, tx, volume) }); err != nil {
		return // the next pass retries
	}
	s.stalls.mu.Lock()
	delete(s.stalls.all, volume)
	s.stalls.mu.Unlock()
	s.log.InfoContext(ctx, "telemetry is rolled up again", "volume", volume, "id", one.errorID)
}

// recall reads the stalls in the database, if it has not done so for recallEvery.
func (s *blockStore) recall(ctx context.Context) error {
	s.stalls.mu.Lock()
	due := s.stalls.all == nil || s.stalls.recalled.Elapsed() >= recallEvery
	s.stalls.mu.Unlock()
	if !due {
		return nil
	}
	noted, err := selectStalls(ctx, s.main.Reader(ctx))
	if err != nil {
		return err
	}
	s.stalls.mu.Lock()
	defer s.stalls.mu.Unlock()
	if s.stalls.all == nil {
		s.stalls.all = map[string]*stalled{}
	}
	s.stalls.recalled = clock.Start()
	for _, n := range noted {
		if s.stalls.all[n.Volume] == nil {
			s.stalls.all[n.Volume] = &stalled{errorID: n.ErrorID, since: n.Since, tried: s.stalls.recalled}
		}
	}
	return nil
}

// publicText is the part of an error that may be shown outside of the log.
func publicText(err error) string { return fault.From(err).Message }

// maxCause bounds the text of an error that is stored, in bytes.
const maxCause = 2000

// causeText is the text of an error in a form that both engines can store.
func causeText(err error) string {
	return fault.BoundedTo(strings.ReplaceAll(strings.ToValidUTF8(err.Error(), "\uFFFD"), "\x00", "\uFFFD"), maxCause)
}
