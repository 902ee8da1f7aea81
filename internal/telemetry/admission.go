package telemetry

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/botyard/botyard/internal/fault"
)

// admission bounds the ingest requests in progress and their memory, in all and for each
// sender. A request takes room for its body while that arrives and waits for its turn; for
// the decompressed body and the records while they are processed; and for the compressed
// blocks while they wait for the disk. A request that finds no room is refused with
// RateLimited, before it is read if its size is known.
type admission struct {
	mu     sync.Mutex
	all    held
	by     map[string]held
	places chan struct{} // has an element for each request that is being processed
}

// held is what requests take.
type held struct {
	requests int
	bytes    int64
	waiting  int64 // the part of bytes in bodies that wait for their turn
}

const (
	maxAtOnce = 48 << 20 // bytes, in all
	// fairShare is what one sender may take of it: two thirds, so that the busiest bot
	// leaves room for others. It is enough for the largest body, decompressed, and twice
	// as much in records.
	fairShare = 32 << 20
	// maxWaiting is what waiting bodies may take: more could not be processed in time. A
	// sender may take two thirds, which is enough for two of the largest.
	maxWaiting  = 12 << 20
	fairWaiting = 8 << 20
	// maxRequests bounds the requests in progress, whatever their size: each has a
	// connection and a goroutine, whose memory is not counted here. A sender may have half
	// of them.
	maxRequests = 1024
	placeTime   = 2 * time.Second // the longest wait for a turn
	retryTime   = time.Second
)

// newAdmission lets as many requests be processed at once as there are processors, and two
// more for those that wait for the database.
func newAdmission() *admission {
	return &admission{by: map[string]held{}, places: make(chan struct{}, runtime.GOMAXPROCS(0)+2)}
}

// pass is the admission of one request.
type pass struct {
	admission *admission
	scope     string
	size      int64
	placed    bool // it is being processed
	worked    bool // its turn has come, and may be over
}

// enter admits a request of a sender. It takes no room yet, since what is declared may
// never arrive; a request whose declared size does not fit is refused at once.
func (a *admission) enter(scope string, declared int64) (*pass, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := &pass{admission: a, scope: scope}
	if a.all.requests >= maxRequests || a.by[scope].requests >= maxRequests/2 {
		return nil, tooMuch("This server has as many ingest requests in progress as it accepts at once, in all or from this sender. Nothing of this request was kept; send it again.")
	}
	if err := p.fits(declared); err != nil {
		return nil, err
	}
	p.count(held{requests: 1})
	return p, nil
}

// fits answers an error when there is no room for more bytes.
func (p *pass) fits(more int64) error {
	a, own := p.admission, p.admission.by[p.scope]
	switch {
	case p.size+more > fairShare:
		return fault.New(fault.PayloadTooLarge, "The records of this body need more than the %d MiB of memory that a sender may take at once. Send it in parts.", fairShare>>20)
	case own.bytes+more > fairShare, !p.worked && own.waiting+more > fairWaiting:
		return tooMuch("This sender has %d bytes of records in progress, which leaves no room for %d more. Nothing of this request was kept; send it again.", own.bytes, more)
	case a.all.bytes+more > maxAtOnce, !p.worked && a.all.waiting+more > maxWaiting:
		return tooMuch("This server has as many records in progress as it accepts at once. Nothing of this request was kept; send it again.")
	}
	return nil
}

// count adds to what the sender takes, and to the total.
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

// shrinkTo gives back the room beyond a size.
func (p *pass) shrinkTo(size int64) { p.shrink(max(p.size-size, 0)) }

func (p *pass) heldAs(bytes int64) held {
	if p.worked {
		return held{bytes: bytes}
	}
	return held{bytes: bytes, waiting: bytes}
}

// work waits for the request's turn to be processed.
func (p *pass) work(ctx context.Context) error {
	timer := time.NewTimer(placeTime)
	defer timer.Stop()
	select {
	case p.admission.places <- struct{}{}:
	case <-timer.C:
		return tooMuch("This server is busy with other records. Nothing of this request was kept; send it again.")
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

// rest ends the turn: waiting for the disk needs none.
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
