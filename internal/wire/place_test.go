package wire

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/botyard/botyard/internal/fault"
)

// TestPlacesAreShared: whoever takes what it gets has half, and another one still
// finds a place at once.
func TestPlacesAreShared(t *testing.T) {
	for places, half := range map[int]int{0: 1, 1: 1, 2: 1, 3: 1, 4: 2, 9: 4} {
		p := newPlaces(places)
		gone, cancel := context.WithCancel(t.Context())
		var leaves []func()
		for range half {
			leave, err := p.take(t.Context(), "greedy", "bodies")
			if err != nil {
				t.Fatal(err)
			}
			leaves = append(leaves, leave)
		}
		cancel()
		if _, err := p.take(gone, "greedy", "bodies"); !fault.Is(err, fault.RateLimited) {
			t.Errorf("of %d places the greedy one has more than %d (%v)", places, half, err)
		}
		if places > 1 {
			leave, err := p.take(t.Context(), "modest", "bodies")
			if err != nil {
				t.Errorf("of %d places none is left: %v", places, err)
			}
			leave()
		}
		for _, leave := range leaves {
			leave()
		}
		if len(p.actors) != 0 || len(p.all) != 0 {
			t.Errorf("%d actors are remembered, %d places are taken", len(p.actors), len(p.all))
		}
	}
}

// TestPlacesAreLeft: however many come and go at once, no place is given twice and
// none is lost.
func TestPlacesAreLeft(t *testing.T) {
	p := newPlaces(4)
	var now, most atomic.Int64
	done := make(chan error)
	for i := range 64 {
		go func() {
			leave, err := p.take(t.Context(), string(rune('a'+i%5)), "bodies")
			if err == nil {
				n := now.Add(1)
				for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
				}
				now.Add(-1)
				leave()
			}
			done <- err
		}()
	}
	for range 64 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if most.Load() > 4 || len(p.all) != 0 || len(p.actors) != 0 {
		t.Errorf("%d at once; %d places are taken, %d actors are remembered", most.Load(), len(p.all), len(p.actors))
	}
}

// waiting is how many wait for a place or are about to take one.
func (p *places) waiting() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.actors {
		n += s.users - len(s.taken)
	}
	return n
}
