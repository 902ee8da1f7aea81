package catalog

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// views counts how often integrations were read in the hub since the last flush. Writing
// each view at once would turn every read into a write. The counts of several servers
// add up; a server that is killed loses those of its last seconds.
type views struct {
	mu    sync.Mutex
	since map[id.Integration]int64
	// flushing is held while counts are written, so that a flush ends with all that
	// was counted before it began, also by one that was under way.
	flushing sync.Mutex
}

func (v *views) note(i id.Integration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.since == nil {
		v.since = map[id.Integration]int64{}
	}
	v.since[i]++
}

func (v *views) take() map[id.Integration]int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	counts := v.since
	v.since = nil
	return counts
}

// Run flushes the views every few seconds until ctx is done, and once more then.
func (s *Service) Run(ctx context.Context) {
	ticker := time.NewTicker(5 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			s.FlushViews(last)
			cancel()
			return
		case <-ticker.C:
			s.FlushViews(ctx)
		}
	}
}

// FlushViews writes the views since the previous flush. A failure is logged, and the
// counts are kept for the next flush.
func (s *Service) FlushViews(ctx context.Context) {
	s.views.flushing.Lock()
	defer s.views.flushing.Unlock()
	counts := s.views.take()
	if len(counts) == 0 {
		return
	}
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		// In the same order on every server: flushes that meet wait for each other and
		// never in a circle.
		for _, i := range slices.Sorted(maps.Keys(counts)) {
			if err := addViews(ctx, tx, i, counts[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		return
	}
	s.Log.WarnContext(ctx, "the views of integrations could not be written", "integrations", len(counts), "error", err)
	s.views.mu.Lock()
	defer s.views.mu.Unlock()
	if s.views.since == nil {
		s.views.since = counts
		return
	}
	for i, n := range counts {
		s.views.since[i] += n
	}
}
