package dispatch

import (
	"errors"
	"io"
	"sync"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// Load bounds what relays hold at once.
type Load struct {
	// Body is the largest body that is relayed either way, in bytes.
	Body int64
	// Calls is how many relays of one instance can be under way.
	Calls int
	// Memory is how many bytes of bodies all relays together can hold.
	Memory int64
}

const (
	// allCalls times the calls of one instance is the limit of all relays together.
	allCalls = 8
	// memoryShares is into how many shares the memory is divided; an instance can hold
	// one.
	memoryShares = 4
)

// load counts the relays under way. What does not fit is refused at once: waiting would
// hold as much memory, and senders of webhooks know how to retry.
type load struct {
	Load
	mu        sync.Mutex
	all       share
	instances map[id.Webhook]*share
}

// share is what one instance, or all of them, hold.
type share struct {
	leases int // of an instance: none is left when its share is forgotten
	calls  int
	bytes  int64
}

func newLoad(bounds Load) *load { return &load{Load: bounds, instances: map[id.Webhook]*share{}} }

// lease is the part of the load that one relay holds.
type lease struct {
	load  *load
	of    id.Webhook
	calls int
	bytes int64
}

var errFull = errors.New("too much is relayed at once")

// begin takes a place for a relay to an instance; the caller ends the lease.
func (l *load) begin(of id.Webhook) (*lease, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.instances[of]
	if s != nil && s.calls >= l.Calls {
		return nil, fault.New(fault.RateLimited, "%d calls of this webhook are under way, which is the limit: the integration is slow to answer. Send it again later.", s.calls).After(retryAfter)
	}
	if l.all.calls >= l.Calls*allCalls {
		return nil, fault.New(fault.RateLimited, "This server has reached its limit of webhook calls under way. Send it again later.").After(retryAfter)
	}
	return l.lease(of, 1), nil
}

// room is a lease for what belongs to calls that have their place already, such as
// their answers; it can hold memory, and the caller ends it.
func (l *load) room(of id.Webhook) *lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lease(of, 0)
}

// lease makes a lease; l is locked.
func (l *load) lease(of id.Webhook, calls int) *lease {
	s := l.instances[of]
	if s == nil {
		s = &share{}
		l.instances[of] = s
	}
	s.leases++
	s.calls += calls
	l.all.calls += calls
	return &lease{load: l, of: of, calls: calls}
}

// grow takes more of the memory, or errFull. A nil lease is not counted.
func (t *lease) grow(bytes int64) error {
	if t == nil {
		return nil
	}
	l := t.load
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.instances[t.of]
	if l.all.bytes+bytes > l.Memory || s.bytes+bytes > l.Memory/memoryShares {
		return errFull
	}
	s.bytes += bytes
	l.all.bytes += bytes
	t.bytes += bytes
	return nil
}

// end gives back everything the lease holds.
func (t *lease) end() {
	l := t.load
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.instances[t.of]
	s.leases--
	s.calls -= t.calls
	s.bytes -= t.bytes
	l.all.calls -= t.calls
	l.all.bytes -= t.bytes
	if s.leases == 0 {
		delete(l.instances, t.of)
	}
}

// underWay is how many relays there are.
func (l *load) underWay() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.calls
}

// firstPiece is how much of a body of unknown length is read before more memory is
// taken for it.
const firstPiece = 4 << 10

// readAll reads a body of at most that many bytes; length is what it declares, or less
// than 0. Memory is taken from the lease before it is filled. A *tooLargeError when the
// body is larger, errFull when there is no memory for it.
func readAll(body io.Reader, length, most int64, memory *lease) ([]byte, error) {
	if length > most {
		return nil, &tooLargeError{most}
	}
	size := min(firstPiece, most)
	if length >= 0 {
		size = length
	}
	if err := memory.grow(size); err != nil {
		return nil, err
	}
	buffer := make([]byte, 0, size+1) // one more, so that io.EOF shows without growing
	for {
		n, err := body.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		if int64(len(buffer)) > most {
			return nil, &tooLargeError{most}
		}
		if errors.Is(err, io.EOF) {
			return buffer, nil
		}
		if err != nil {
			return nil, err
		}
		if len(buffer) == cap(buffer) {
			grown := min(2*int64(cap(buffer)), most+1)
			if err := memory.grow(grown - int64(cap(buffer))); err != nil {
				return nil, err
			}
			buffer = append(make([]byte, 0, grown), buffer...)
		}
	}
}
