package telemetry

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/botyard/botyard/internal/fault"
)

// admission bounds what is on its way in memory, of all senders and of each: how many
// requests, and their bytes. A request has room for its body while that arrives and
// waits for its turn; for what it is unpacked to and for the records made of that while
// it is worked on; and for the compressed blocks while they wait for the disk. What
// has no room is refused with RateLimited, before it is read where that is known.
type admission struct {
	mu     sync.Mutex
	all    held
	by     map[string]held
	places chan struct{}
}

// held is what requests have.
type held struct {
	requests int
	bytes    int64
	waiting  int64 // of the bytes, those of bodies that are not worked on yet
}

const (
	maxAtOnce = 48 << 20 // bytes, of all
	// fairShare is what one sender may have of it: two thirds, so that the busiest bot
	// leaves room for the others. It holds the largest body, unpacked, with twice as
	// much in records.
	fairShare = 32 << 20
	// maxWaiting is what bodies may have that wait: more would not be worked on in time.
	// A sender may have two thirds, which is two of the largest.
	maxWaiting  = 12 << 20
	fairWaiting = 8 << 20
	// maxRequests are on their way, whatever they hold: each has a connection and a
	// goroutine, whose memory is not counted here. A sender may have half of them.
	maxRequests = 1024
	placeTime   = 2 * time.Second // longest wait to be worked on
	retryTime   = time.Second
)

// newAdmission has places for as many bodies as there are processors, and for two that
// meanwhile look something up.
func newAdmission() *admission {
	return &admission{by: map[string]held{}, places: make(chan struct{}, runtime.GOMAXPROCS(0)+2)}
}

// pass is what one request has been let in with.
type pass struct {
	admission *admission
	scope     string
	size      int64
	placed    bool // it is being worked on
	worked    bool // its turn has come, and may be over
}

// enter lets a request of a sender in. It has no room yet: declared is only looked at
// to refuse at once what cannot have it, since what is announced may never come.
func (a *admission) enter(scope string, declared int64) (*pass, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := &pass{admission: a, scope: scope}
	if a.all.requests >= maxRequests || a.by[scope].requests >= maxRequests/2 {
		return nil, tooMuch("There are as many requests with records on their way as this server takes at once, of all or of this sender. Nothing was kept of this request; send it again.")
	}
	if err := p.fits(declared); err != nil {
		return nil, err
	}
	p.count(held{requests: 1})
	return p, nil
}

// fits says whether there is room for more bytes.
func (p *pass) fits(more int64) error {
	a, own := p.admission, p.admission.by[p.scope]
	switch {
	case p.size+more > fairShare:
		return fault.New(fault.PayloadTooLarge, "The records of this body need more than the %d MiB of memory that a sender may have on its way at once. Send it in parts.", fairShare>>20)
	case own.bytes+more > fairShare, !p.worked && own.waiting+more > fairWaiting:
		return tooMuch("This sender has %d bytes of records on their way, which leaves no room for %d more. Nothing was kept of this request; send it again.", own.bytes, more)
	case a.all.bytes+more > maxAtOnce, !p.worked && a.all.waiting+more > maxWaiting:
		return tooMuch("This server has as many records on their way as it takes at once. Nothing was kept of this request; send it again.")
	}
	return nil
}

// count adds to what the sender and all have.
func (p *pass) count(more held) {
	a := p.admission
	own := a.by[p.scope]
	for _, h := range []*held{&a.all, &own} {
		h.requests += more.requests
		h.bytes += more.bytes
		h.waiting += more.waiting
	}
	if own == (held{}) {
		delete(a.by, p.scope)
	} else {
		a.by[p.scope] = own
	}
	p.size += more.bytes
}

func tooMuch(format string, args ...any) error {
	return fault.New(fault.RateLimited, format, args...).After(retryTime)
}

// grow takes room for more bytes.
func (p *pass) grow(more int64) error {
	if more <= 0 {
		return nil
	}
	a := p.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := p.fits(more); err != nil {
		return err
	}
	p.count(p.heldAs(more))
	return nil
}

// shrink gives room back.
func (p *pass) shrink(less int64) {
	a := p.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	p.count(p.heldAs(-min(less, p.size)))
}

// shrinkTo gives back what is more than a size.
func (p *pass) shrinkTo(size int64) { p.shrink(max(p.size-size, 0)) }

func (p *pass) heldAs(bytes int64) held {
	if p.worked {
		return held{bytes: bytes}
	}
	return held{bytes: bytes, waiting: bytes}
}

// work waits for the turn to be worked on.
func (p *pass) work(ctx context.Context) error {
	timer := time.NewTimer(placeTime)
	defer timer.Stop()
	select {
	case p.admission.places <- struct{}{}:
	case <-timer.C:
		return tooMuch("This server is busy with other records. Nothing was kept of this request; send it again.")
	case <-ctx.Done():
		return ctx.Err()
	}
	a := p.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	p.count(held{waiting: -p.size})
	p.placed, p.worked = true, true
	return nil
}

// rest gives the turn back; what waits for the disk needs none.
func (p *pass) rest() {
	if p.placed {
		p.placed = false
		<-p.admission.places
	}
}

// leave gives everything back.
func (p *pass) leave() {
	p.rest()
	a := p.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	all := p.heldAs(-p.size)
	all.requests = -1
	p.count(all)
}
