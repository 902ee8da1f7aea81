package telemetry

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/botyard/botyard/internal/fault"
)

// admission bounds what is on its way in memory: bytes of unpacked bodies in all and
// by sender, and how many bodies are worked on at once. What is too much is refused
// with RateLimited, before it is read where that is known.
type admission struct {
	mu     sync.Mutex
	all    int64
	by     map[string]int64
	places chan struct{}
}

const (
	mostAtOnce = 32 << 20 // bytes on their way, of all
	// fairShare is what one sender may have of it: a half, so that the busiest bot
	// leaves room for the others.
	fairShare = mostAtOnce / 2
	placeTime = 2 * time.Second // longest wait to be worked on
	retryTime = time.Second
)

func newAdmission() *admission {
	return &admission{by: map[string]int64{}, places: make(chan struct{}, 2*runtime.GOMAXPROCS(0))}
}

// pass is what one request has been let in with.
type pass struct {
	admission *admission
	scope     string
	size      int64
	placed    bool
}

// enter lets a request of a sender in with what is known of its size.
func (a *admission) enter(scope string, size int64) (*pass, error) {
	p := &pass{admission: a, scope: scope}
	return p, p.grow(size)
}

// grow takes room for more bytes.
func (p *pass) grow(more int64) error {
	a := p.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.by[p.scope]+more > fairShare:
		return tooMuch("This sender has %d bytes of records on their way, and may have %d at once. Nothing was kept of this request; send it again.", a.by[p.scope], int64(fairShare))
	case a.all+more > mostAtOnce:
		return tooMuch("This server has as many records on their way as it takes at once. Nothing was kept of this request; send it again.")
	}
	a.all += more
	a.by[p.scope] += more
	p.size += more
	return nil
}

func tooMuch(format string, args ...any) error {
	return fault.New(fault.RateLimited, format, args...).After(retryTime)
}

// work waits for the turn to be worked on.
func (p *pass) work(ctx context.Context) error {
	timer := time.NewTimer(placeTime)
	defer timer.Stop()
	select {
	case p.admission.places <- struct{}{}:
		p.placed = true
		return nil
	case <-timer.C:
		return tooMuch("This server is busy with other records. Nothing was kept of this request; send it again.")
	case <-ctx.Done():
		return ctx.Err()
	}
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
	a.all -= p.size
	if a.by[p.scope] -= p.size; a.by[p.scope] <= 0 {
		delete(a.by, p.scope)
	}
	p.size = 0
}
