package telemetry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/botyard/botyard/internal/fault"
)

// empty says that nobody has anything, and that all places are free.
func (a *admission) empty() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all == held{} && len(a.by) == 0 && len(a.places) == 0
}

// TestAdmissionBounds: however many senders take room and give it back in whatever
// order, no bound is ever passed, none gets less than nothing, and in the end nothing
// is taken.
func TestAdmissionBounds(t *testing.T) {
	a := newAdmission()
	check := func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		sum := held{}
		for scope, h := range a.by {
			if h.bytes > fairShare || h.requests > maxRequests/2 || min(h.bytes, h.waiting, int64(h.requests)) < 0 {
				t.Errorf("%s has %+v", scope, h)
			}
			sum.requests, sum.bytes, sum.waiting = sum.requests+h.requests, sum.bytes+h.bytes, sum.waiting+h.waiting
		}
		if sum != a.all || sum.bytes > maxAtOnce || sum.waiting > maxWaiting || sum.requests > maxRequests || len(a.places) > cap(a.places) {
			t.Errorf("all have %+v, and the senders together %+v, with %d places", a.all, sum, len(a.places))
		}
	}
	var all sync.WaitGroup
	for n := range 100 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(n), 1))
			for range 200 {
				p, err := a.enter(fmt.Sprint("bot", n%7), random.Int64N(maxSent))
				check()
				if err != nil {
					continue
				}
				func() {
					defer p.leave()
					if p.grow(random.Int64N(maxSent)) != nil {
						return
					}
					check()
					ctx, cancel := context.WithCancel(t.Context())
					if random.IntN(10) == 0 {
						cancel() // the client is gone
					}
					err := p.work(ctx)
					cancel()
					if err != nil {
						return
					}
					for range 10 {
						if p.grow(random.Int64N(4<<20)) != nil {
							return
						}
						check()
						p.shrink(random.Int64N(4 << 20))
					}
					p.shrinkTo(random.Int64N(1 << 20))
					p.rest()
					check()
				}()
			}
		})
	}
	all.Wait()
	if !a.empty() {
		t.Errorf("when all are gone, %+v is taken, %v, and %d places", a.all, a.by, len(a.places))
	}
}

// TestAdmissionShares: one sender gets no more than its share, and leaves the rest to
// others; what no sender could ever have is not to be sent again.
func TestAdmissionShares(t *testing.T) {
	a := newAdmission()
	var passes []*pass
	defer func() {
		for _, p := range passes {
			p.leave()
		}
		if !a.empty() {
			t.Errorf("room is still taken: %+v", a.all)
		}
	}()
	enter := func(scope string, declared, size int64) error {
		p, err := a.enter(scope, declared)
		if err != nil {
			return err
		}
		passes = append(passes, p)
		return p.grow(size)
	}
	for n, c := range []struct {
		scope          string
		declared, size int64
		refused        bool
	}{
		{"busy", maxSent, maxSent, false},
		{"busy", 0, maxSent, false},
		{"busy", 1, 0, true},
		{"busy", 0, 1, true},
		{"other", maxSent, maxSent - 64, false},
		{"third", maxSent, 0, true},
		{"third", 0, 4096, true},
	} {
		if err := enter(c.scope, c.declared, c.size); c.refused != fault.Is(err, fault.RateLimited) || !c.refused && err != nil {
			t.Errorf("step %d, %s with %d bytes: %v", n, c.scope, c.size, err)
		}
	}
	// What is worked on makes way for what waits.
	if err := passes[0].work(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := enter("third", maxSent, maxSent); err != nil {
		t.Errorf("a place to wait became free: %v", err)
	}
	if err := passes[0].grow(fairShare - 2*maxSent); err != nil {
		t.Errorf("the share of one: %v", err)
	}
	if err := passes[0].grow(maxSent); !fault.Is(err, fault.RateLimited) {
		t.Errorf("more than the share, while another request has a part of it: %v", err)
	}
	if err := passes[0].grow(maxSent + 1); !fault.Is(err, fault.PayloadTooLarge) {
		t.Errorf("one request with more than the share: %v", err)
	}
	var known *fault.Error
	if err := enter("busy", 1, 0); !errors.As(err, &known) || known.RetryAfter <= 0 {
		t.Errorf("what is refused is to be sent again, after a time: %v", err)
	}
}

// TestAdmissionRequests: requests that hold nothing are bounded too.
func TestAdmissionRequests(t *testing.T) {
	a := newAdmission()
	var passes []*pass
	for n := range maxRequests {
		p, err := a.enter([]string{"one", "two"}[n%2], 0)
		if err != nil {
			t.Fatal(n, err)
		}
		passes = append(passes, p)
	}
	if _, err := a.enter("three", 0); !fault.Is(err, fault.RateLimited) {
		t.Errorf("one too many: %v", err)
	}
	passes[0].leave()
	if _, err := a.enter("two", 0); !fault.Is(err, fault.RateLimited) {
		t.Errorf("one too many of a sender: %v", err)
	}
	p, err := a.enter("three", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range append(passes[1:], p) {
		p.leave()
	}
	if !a.empty() {
		t.Errorf("room is still taken: %+v", a.all)
	}
}
