package db

import (
	"context"
	"hash/maphash"
	"sync/atomic"
)

// contention is the key of what Contend says.
type contention struct{}

// Contend says that transactions begun with the answered context and the same key
// are likely to conflict, say because they change one workspace. On PostgreSQL
// those of one process then go one after the other while conflicts are being seen,
// instead of repeating each other's work. Nothing but speed rests on it.
func Contend(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, contention{}, key)
}

// heat is how many transactions of a lane go one by one after a conflict.
const heat = 32

// lanes are the queues that Contend's keys are spread over.
type lanes struct {
	seed maphash.Seed
	all  [256]lane
	// late takes those without a key, once they have conflicted twice.
	late lane
}

type lane struct {
	turn  chan struct{}
	hot   atomic.Int64
	keyed bool
}

func newLanes() *lanes {
	l := &lanes{seed: maphash.MakeSeed()}
	l.late.turn = make(chan struct{}, 1)
	for i := range l.all {
		l.all[i].turn, l.all[i].keyed = make(chan struct{}, 1), true
	}
	return l
}

func (l *lanes) of(ctx context.Context) *lane {
	key, ok := ctx.Value(contention{}).(string)
	if !ok {
		return &l.late
	}
	return &l.all[maphash.String(l.seed, key)%uint64(len(l.all))]
}

// enter waits for the turn of a run when the lane is hot or the run is not the
// first or second; the answered function gives the turn back.
func (l *lane) enter(ctx context.Context, attempt int) (release func(), err error) {
	if attempt <= 2 && l.hot.Load() <= 0 {
		return func() {}, nil
	}
	select {
	case l.turn <- struct{}{}:
		l.hot.Add(-1)
		return func() { <-l.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// conflicted heats the lane of a key.
func (l *lane) conflicted() {
	if l.keyed {
		l.hot.Store(heat)
	}
}
