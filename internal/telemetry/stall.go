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

// Stall is a volume that cannot be rolled up at the moment. What comes in is kept, and
// counted as soon as it can be.
type Stall struct {
	Volume string
	// ErrorID is what the log has the causes under.
	ErrorID string
	Message string // for whoever sees the probes
	Tries   int64
	Since   time.Time
}

// longestStall bounds the time between two tries.
const longestStall = time.Minute

// recallEvery is how often a server looks for stalls that others have noted: those of a
// server that is gone are ended by whoever can roll the volume up.
const recallEvery = 30 * time.Second

// stalls are what this server knows of volumes that cannot be rolled up. The zero value
// knows of none.
type stalls struct {
	mu       sync.Mutex
	all      map[string]*stalled
	recalled clock.Started
	failures atomic.Int64
}

type stalled struct {
	errorID string
	since   time.Time
	tries   int // of this server
	tried   clock.Started
}

// wait is how long the next try is put off: twice as long after each.
func (s *stalled) wait() time.Duration {
	if s.tries == 0 {
		return 0
	}
	return min(rollEvery<<min(s.tries-1, 10), longestStall)
}

// waits says whether it is too early to try a volume again.
func (s *stalls) waits(volume string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[volume]
	return one != nil && one.tried.Elapsed() < one.wait()
}

// volumes are those that stall.
func (s *stalls) volumes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.all))
}

// tries is how often in a row this server has failed to roll a volume up.
func (s *stalls) tries(volume string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.all[volume]; one != nil {
		return one.tries
	}
	return 0
}

// stall notes that a volume could not be rolled up: in the log, where the cause is, and
// in the database, where every server and botyard doctor see it.
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

// resume ends the stall of a volume, when there is one.
func (s *blockStore) resume(ctx context.Context, volume string) {
	s.stalls.mu.Lock()
	one := s.stalls.all[volume]
	s.stalls.mu.Unlock()
	if one == nil {
		return
	}
	if err := s.main.Tx(ctx, func(ctx context.Context, tx *db.Tx) error { return deleteStall(ctx, tx, volume) }); err != nil {
		return // the next pass tries again
	}
	s.stalls.mu.Lock()
	delete(s.stalls.all, volume)
	s.stalls.mu.Unlock()
	s.log.InfoContext(ctx, "telemetry is rolled up again", "volume", volume, "id", one.errorID)
}

// recall takes up the stalls that the database has noted, now and then.
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

// publicText is what of an error may be shown outside of the log.
func publicText(err error) string { return fault.From(err).Message }

// maxCause bounds the text of an error that is kept.
const maxCause = 2000

// causeText is an error as both engines can keep it.
func causeText(err error) string {
	return fault.BoundedTo(strings.ReplaceAll(strings.ToValidUTF8(err.Error(), "\uFFFD"), "\x00", "\uFFFD"), maxCause)
}
