package telemetry

import (
	"context"
	"time"

	"github.com/botyard/botyard/internal/db"
)

// How often background work is looked for when no append triggers it.
const (
	rollEvery  = time.Second
	mergeEvery = 300 * time.Millisecond
	// passEvery is how long small blocks wait when there are few of them.
	passEvery = 30 * time.Second
	sealEvery = time.Minute
)

// Run rolls up, merges and seals until ctx ends.
func (s *Service) Run(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.runMerges(ctx)
	}()
	s.runRolls(ctx)
	<-done
}

func (s *Service) runRolls(ctx context.Context) {
	looks := time.NewTicker(rollEvery)
	defer looks.Stop()
	asides := time.NewTicker(asideEvery)
	defer asides.Stop()
	// A new release may be able to roll them up.
	retry := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error { return hastenAside(ctx, tx) }) == nil
	for ctx.Err() == nil {
		appended := s.blocks.appended()
		if err := s.blocks.roll(ctx, s.rollUp, false); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "not all telemetry is rolled up; it is tried again", "error", err)
			pause(ctx, rollEvery)
		}
		if retry {
			if err := s.blocks.retryAside(ctx, s.rollUp); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "what was set aside cannot be rolled up; it is tried again", "error", err)
			}
		}
		retry = false
		select {
		case <-asides.C:
			retry = true
		case <-appended:
			// Records that arrive in the next moments join the same transaction.
			pause(ctx, 20*time.Millisecond)
		case <-looks.C:
		case <-ctx.Done():
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (s *Service) runMerges(ctx context.Context) {
	looks := time.NewTicker(mergeEvery)
	defer looks.Stop()
	passed, sealed := s.clock.Now(), time.Time{}
	for {
		select {
		case <-looks.C:
		case <-ctx.Done():
			return
		}
		now := s.clock.Now()
		full := now.Sub(passed) >= passEvery
		for _, class := range classes {
			waiting := s.blocks.unmerged[class]
			if waiting.Load() < passAfter && !full {
				continue
			}
			waiting.Store(0)
			if more, err := s.blocks.mergeOpen(ctx, class); err != nil && ctx.Err() == nil {
				s.log.ErrorContext(ctx, "the blocks of telemetry cannot be merged; it is tried again", "class", class, "error", err)
			} else if more {
				waiting.Store(passAfter)
			}
		}
		if full {
			passed = now
		}
		if now.Sub(sealed) >= sealEvery {
			sealed = now
			if err := s.blocks.seal(ctx); err != nil && ctx.Err() == nil {
				s.log.ErrorContext(ctx, "a day of telemetry cannot be closed; it is tried again", "error", err)
			}
		}
	}
}

// mergeOpen merges blocks in the volumes that are not sealed.
func (s *blockStore) mergeOpen(ctx context.Context, class Class) (more bool, err error) {
	err = s.eachInClass(ctx, class, func(v *volume) error {
		sealed, err := v.isSealed(ctx)
		if err != nil || sealed {
			return err
		}
		again, err := s.merge(ctx, v, false)
		more = more || again
		return err
	})
	return more, err
}

// seal finishes the volumes of days that are over: it merges their remaining small blocks
// and their keys, returns free space, and marks them, so that nobody looks for work in
// them any more.
func (s *blockStore) seal(ctx context.Context) error {
	return s.each(ctx, func(v *volume) error {
		if s.clock.Now().UnixMilli() < (v.day+1)*millisPerDay+sealAfter.Milliseconds() {
			return nil
		}
		sealed, err := v.isSealed(ctx)
		if err != nil || sealed {
			return err
		}
		rolled, err := s.rolled(ctx, v)
		if err != nil {
			return err
		}
		left, err := selectFresh(ctx, v.reader(ctx), v, rolled, 1)
		if err != nil || len(left) > 0 {
			return err // they must be rolled up first
		}
		for more := true; more; {
			if more, err = s.merge(ctx, v, true); err != nil {
				return err
			}
		}
		if err := (&volumeKeys{volume: v}).compact(ctx, true); err != nil {
			return err
		}
		if err := v.exclusive(ctx, func(ctx context.Context, tx *db.Tx) error {
			marks, err := selectMarks(ctx, tx, v)
			if err != nil {
				return err
			}
			// A server that is late may have appended since: nobody would roll that up.
			if left, err := selectFresh(ctx, tx, v, rolled, 1); err != nil || len(left) > 0 {
				return err
			}
			// The mark moves, so that other servers notice the seal.
			if err := putMark(ctx, tx, v, markNext, marks.next+1); err != nil {
				return err
			}
			return putMark(ctx, tx, v, markSealed, 1)
		}); err != nil {
			return err
		}
		return s.archive.tidy(ctx, v)
	})
}

// Settle rolls up everything that was appended before.
func (s *Service) Settle(ctx context.Context) error {
	return s.blocks.roll(ctx, s.rollUp, true)
}
