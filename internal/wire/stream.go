package wire

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/fault"
)

// The limits of streams.
const (
	heartbeatEvery = 15 * time.Second
	// recheckEvery is how long a stream may continue after its token, or its subject, was
	// deleted.
	recheckEvery = 3 * time.Second
	// writeTime is how long a reader may read nothing before it is dropped. Nothing is
	// buffered for it meanwhile.
	writeTime = 20 * time.Second

	maxStreams        = 500 // per process
	maxStreamsOfActor = 10
)

// Feed sends events until ctx ends or an event cannot be sent. Its error ends the stream,
// with the fault's message.
type Feed func(ctx context.Context, out *Stream) error

// Stream is a connection to a reader of server-sent events.
type Stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	mu      sync.Mutex
	failed  error
}

// Event is one server-sent event. Data is one line.
type Event struct {
	ID   string // where a reader resumes; may be empty
	Name string
	Data []byte
}

// Send sends events, and returns an error if the reader is gone.
func (s *Stream) Send(events ...Event) error {
	var text strings.Builder
	for _, e := range events {
		if e.ID != "" {
			text.WriteString("id: " + e.ID + "\n")
		}
		text.WriteString("event: " + e.Name + "\ndata: ")
		text.Write(e.Data)
		text.WriteString("\n\n")
	}
	return s.write(text.String())
}

func (s *Stream) write(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return s.failed
	}
	// Writers without deadlines, as in tests, do not block.
	_ = s.control.SetWriteDeadline(clock.Deadline(writeTime))
	if _, s.failed = s.w.Write([]byte(text)); s.failed == nil {
		s.failed = s.control.Flush()
	}
	return s.failed
}

// streams are those that are open.
type streams struct {
	mu    sync.Mutex
	all   int
	of    map[string]int
	ended chan struct{}
	once  sync.Once

	heartbeat, recheck time.Duration
}

func newStreams() *streams {
	return &streams{of: map[string]int{}, ended: make(chan struct{}), heartbeat: heartbeatEvery, recheck: recheckEvery}
}

func (s *streams) enter(actor string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[actor] >= maxStreamsOfActor {
		return fault.New(fault.RateLimited, "This account reads %d streams, and may read at most %d at once. Close one of them.", s.of[actor], maxStreamsOfActor).After(recheckEvery)
	}
	if s.all >= maxStreams {
		return fault.New(fault.RateLimited, "This server has %d readers of streams, which is its maximum. Try again later.", s.all).After(heartbeatEvery)
	}
	s.all++
	s.of[actor]++
	return nil
}

func (s *streams) leave(actor string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.of[actor]--; s.of[actor] == 0 {
		delete(s.of, actor)
	}
}

// EndStreams ends all streams, and later ones as soon as they are opened. It is for the
// shutdown, which would otherwise wait for readers that never leave.
func (m *Mux) EndStreams() { m.streams.once.Do(func() { close(m.streams.ended) }) }

var errEnding = errors.New("the server is shutting down")

// Stream adds a route that answers with server-sent events, for accounts. open checks the
// request, whose actor is in ctx, and returns the feed; its error is answered like that of
// an operation. Every few seconds the token and open are checked again; if either fails, the
// stream ends with an event "end" that says why.
func (m *Mux) Stream(name, path string, open func(ctx context.Context, r *http.Request) (Feed, error)) {
	declared := &Operation{ID: name, Method: http.MethodGet, Path: path}
	m.router.Get(path, func(w http.ResponseWriter, r *http.Request) {
		a, x := w.(*answer), exchangeOf(r.Context())
		x.operation = declared
		token := bearer(r.Header.Get("Authorization"))
		err := m.rates.token(token, r, w.Header())
		var feed Feed
		if err == nil {
			feed, err = m.look(r, x, token, open)
		}
		if err == nil {
			err = m.streams.enter(x.actor.ID())
		}
		if err != nil {
			m.refuse(x, a, err)
			return
		}
		defer m.streams.leave(x.actor.ID())
		m.stream(a, r, feed, func() error {
			_, err := m.look(r, x, token, open)
			return err
		})
	})
}

// look authenticates the caller and opens the feed.
func (m *Mux) look(r *http.Request, x *exchange, token string, open func(context.Context, *http.Request) (Feed, error)) (Feed, error) {
	ctx, cancel := context.WithTimeout(r.Context(), m.limits.Time)
	defer cancel()
	actor, err := m.access.Authenticate(ctx, token, "")
	if err != nil {
		if fault.Is(err, fault.Unauthorized) {
			if limited := m.rates.address(r, http.Header{}); limited != nil {
				return nil, limited
			}
		}
		return nil, err
	}
	x.actor = actor
	if actor.Kind != access.KindAccount {
		return nil, fault.New(fault.Forbidden, "This is the key of a %s. %s needs a personal access token (bp_pat_…).", actor.Kind, x.operation.ID)
	}
	return open(access.With(ctx, actor), r)
}

// stream sends the events of a feed until it ends, the reader is gone or again
// refuses.
func (m *Mux) stream(a *answer, r *http.Request, feed Feed, again func() error) {
	out := &Stream{w: a.ResponseWriter, control: http.NewResponseController(a.ResponseWriter)}
	// The read deadline of the request would end the stream.
	_ = out.control.SetReadDeadline(time.Time{})
	header := a.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no")
	a.status, a.sent = http.StatusOK, true
	a.ResponseWriter.WriteHeader(http.StatusOK)
	if out.write(": open\n\n") != nil {
		return
	}
	ctx, end := context.WithCancelCause(r.Context())
	defer end(nil)
	var watch sync.WaitGroup
	watch.Go(func() { end(m.watch(ctx, out, again)) })
	err := feed(ctx, out)
	end(err)
	watch.Wait()
	if cause := context.Cause(ctx); err == nil || errors.Is(err, context.Canceled) {
		err = cause
	}
	reason := "the stream is over"
	if f := (*fault.Error)(nil); errors.As(err, &f) {
		reason = f.Message
	} else if errors.Is(err, errEnding) {
		reason = "The server is shutting down. Connect again."
	}
	data, _ := AppendJSON(nil, map[string]string{"reason": reason}) // strings always encode
	if out.Send(Event{Name: "end", Data: data}) != nil {
		return // the reader is gone, or read nothing
	}
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, errEnding) && fault.From(err).Type == fault.Internal {
		m.log.ErrorContext(ctx, "a stream failed", "stream", exchangeOf(r.Context()).operation.ID, "cause", fmt.Sprint(err))
	}
}

// watch returns the reason why a stream has to end.
func (m *Mux) watch(ctx context.Context, out *Stream, again func() error) error {
	beats, checks := time.NewTicker(m.streams.heartbeat), time.NewTicker(m.streams.recheck)
	defer beats.Stop()
	defer checks.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-m.streams.ended:
			return errEnding
		case <-beats.C:
			if err := out.write(": heartbeat\n\n"); err != nil {
				return err
			}
		case <-checks.C:
			if err := again(); fault.From(err) != nil && fault.From(err).Type.Status() < 500 {
				return err
			}
		}
	}
}
