package db

import (
	"context"
	"hash/maphash"
	"sync/atomic"
)

// contention is the context key of Contend.
type contention struct{}

// Contend marks transactions started with the returned context as likely to conflict
// with others of the same key, for example because they change one workspace. On
// PostgreSQL those of one process then run one after the other while conflicts occur,
// instead of undoing each other's work. It affects nothing but speed.
func Contend(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, contention{}, key)
}

// heat is how many transactions of a lane run one by one after a conflict.
const heat = 32

// lanes are the queues that Contend's keys are spread over.
type lanes struct {
	seed maphash.Seed
	all  [256]lane
	// late is for transactions without a key that have conflicted twice.
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

// enter waits for its turn if the lane is hot, or from the third attempt on; the returned
// function passes the turn on.
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

// conflicted makes the lane of a key hot.
func (l *lane) conflicted() {
	if l.keyed {
		l.hot.Store(heat)
	}
}
