package wire

import (
	"context"
	"sync"
	"time"

	"github.com/botyard/botyard/internal/fault"
)

// placeTime is how long a request waits for a place.
const placeTime = 30 * time.Second

// places bounds how many large bodies or answers are in memory at once. One actor has at most
// half of the places: whoever sends slowly, or much, delays itself and not the others.
type places struct {
	all  chan struct{}
	most int // of one actor

	mu     sync.Mutex
	actors map[string]*share // of those that have a place or wait for one
}

// share is the part of one actor.
type share struct {
	taken chan struct{}
	users int
}

func newPlaces(n int) *places {
	n = max(1, n)
	return &places{all: make(chan struct{}, n), most: max(1, n/2), actors: map[string]*share{}}
}

// take waits for a place, and returns RateLimited if there is none for too long. The caller
// gives it back by calling leave.
func (p *places) take(ctx context.Context, actor, what string) (leave func(), err error) {
	own := p.join(actor)
	if err := takePlace(ctx, own.taken, what+" of yours"); err != nil {
		p.part(actor)
		return nil, err
	}
	if err := takePlace(ctx, p.all, what); err != nil {
		<-own.taken
		p.part(actor)
		return nil, err
	}
	return func() {
		<-p.all
		<-own.taken
		p.part(actor)
	}, nil
}

func (p *places) join(actor string) *share {
	p.mu.Lock()
	defer p.mu.Unlock()
	own := p.actors[actor]
	if own == nil {
		own = &share{taken: make(chan struct{}, p.most)}
		p.actors[actor] = own
	}
	own.users++
	return own
}

func (p *places) part(actor string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	own := p.actors[actor]
	if own.users--; own.users == 0 {
		delete(p.actors, actor)
	}
}

// takePlace waits for one of the places, and returns RateLimited if all are taken for too
// long.
func takePlace(ctx context.Context, places chan struct{}, what string) error {
	ctx, cancel := context.WithTimeout(ctx, placeTime)
	defer cancel()
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fault.New(fault.RateLimited, "%d large %s are being handled already, which is the most that this server handles at once. Nothing was changed; send it again later.", cap(places), what).
			After(placeTime)
	}
}
