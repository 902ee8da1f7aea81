package dispatch

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// operationTunnel is what logs and metrics call the use of a tunnel.
const operationTunnel = "tunnel"

// tunnels let a server call what runs on a laptop that it cannot reach: "bp dev" opens a
// web socket at an address of its own choice and answers the requests for that address
// over it. The frames are those of @bpinternal/tunnel.
//
// A tunnel lives in the process where it was opened and ends with it; the far end then
// reopens it.
type tunnels struct {
	mu    sync.Mutex
	open  map[string]*tunnel
	ended bool
}

// maxTunnels is how many tunnels one server has open at most.
const maxTunnels = 200

const (
	// beatEvery is how often a tunnel is pinged: a laptop that was closed says no goodbye.
	beatEvery = 20 * time.Second
	// frameTime is how long a far end that does not read may block a frame, or a ping.
	frameTime = 20 * time.Second
	// aliveTime is how long a far end has to show that it is there when another program
	// wants its address.
	aliveTime = 5 * time.Second
)

// Close codes of the protocol.
const (
	codeReplaced   websocket.StatusCode = 4001
	codeBadPayload websocket.StatusCode = 4002
)

// tunnel is one web socket and the callers who wait for its answers.
type tunnel struct {
	ready chan struct{} // closed when conn is set
	conn  *websocket.Conn
	done  chan struct{} // closed when the socket is

	mu      sync.Mutex
	asked   int
	waiting map[string]chan<- tunnelFrame
}

// tunnelFrame is what the far end sends: an answer, or a hello that keeps proxies on
// the way from closing the socket.
type tunnelFrame struct {
	Type      string                    `json:"type"`
	RequestID string                    `json:"requestId"`
	Status    int                       `json:"status"`
	Headers   map[string]jsontext.Value `json:"headers"`
	Body      string                    `json:"body"`
}

// header is the headers of an answer; the official client sends numbers among them.
// A header that HTTP cannot carry is dropped.
func (f tunnelFrame) header() http.Header {
	header := http.Header{}
	for name, value := range f.Headers {
		var texts []string
		switch value.Kind() {
		case jsontext.KindString:
			texts = make([]string, 1)
			_ = json.Unmarshal(value, &texts[0]) // it is a string
		case jsontext.KindBeginArray:
			_ = json.Unmarshal(value, &texts) // anything but a list of strings is dropped
		case jsontext.KindNumber:
			texts = []string{value.String()}
		}
		for _, text := range texts {
			if validHeader(name, []byte(text)) {
				header.Add(name, text)
			}
		}
	}
	// The far end sends the body decompressed.
	header.Del("Content-Encoding")
	return header
}

// headerSize is how many bytes the headers of an answer have.
func (f tunnelFrame) headerSize() (size int) {
	for name, value := range f.Headers {
		size += len(name) + len(value)
	}
	return size
}

func newTunnel() *tunnel {
	return &tunnel{ready: make(chan struct{}), done: make(chan struct{}), waiting: map[string]chan<- tunnelFrame{}}
}

// closing is why this side closes a tunnel.
type closing struct {
	code   websocket.StatusCode
	reason string
}

// hold serves a tunnel until it ends, and takes it off the list. The socket is still
// to be closed: callers who wait for an answer must not wait for that.
func (s *Service) hold(ctx context.Context, name string, t *tunnel) closing {
	defer s.tunnels.leave(name, t)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go t.beat(ctx)
	t.conn.SetReadLimit(-1) // readAll has the limit
	for {
		if end := s.receive(ctx, name, t); end != nil {
			return *end
		}
	}
}

// end closes a tunnel from this side.
func (t *tunnel) end(c closing) {
	select {
	case <-t.ready:
		_ = t.conn.Close(c.code, c.reason)
	case <-t.done:
	}
}

// alive asks the far end of a tunnel whether it is still there.
func (t *tunnel) alive(ctx context.Context) bool {
	// Whoever wants to know may hang up; that must not close the tunnel.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), aliveTime)
	defer cancel()
	select {
	case <-t.ready:
		return t.conn.Ping(ctx) == nil
	case <-t.done:
		return false
	case <-ctx.Done():
		return false
	}
}

// receive reads one frame and hands it to the caller who waits for it. It answers nil,
// or why the tunnel must be closed.
func (s *Service) receive(ctx context.Context, name string, t *tunnel) *closing {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	kind, reader, err := t.conn.Reader(ctx)
	if err != nil {
		return &closing{websocket.StatusNormalClosure, ""}
	}
	// From its first byte on, a frame has the time of a call: one that never ends would
	// hold its memory for ever.
	late := time.AfterFunc(s.CallTime, cancel)
	defer late.Stop()
	memory := s.load.room(tunnelLoad(name))
	defer memory.end()
	// JSON may double the length of a text.
	text, err := readAll(reader, -1, 2*s.load.Body+maxFrameExtra, memory)
	var tooLarge *tooLargeError
	switch {
	case errors.As(err, &tooLarge):
		return &closing{codeBadPayload, "an answer has more than " + strconv.FormatInt(tooLarge.most, 10) + " bytes"}
	case errors.Is(err, errFull):
		return &closing{websocket.StatusTryAgainLater, "the answers under way hold as much memory as they may"}
	case err != nil:
		return &closing{websocket.StatusNormalClosure, ""}
	}
	var f tunnelFrame
	if kind != websocket.MessageText || json.Unmarshal(text, &f) != nil {
		return &closing{codeBadPayload, "a frame is not the JSON of an answer"}
	}
	if f.Type == "hello" {
		return nil
	}
	return t.answer(f)
}

// maxFrameExtra is how much a frame may hold besides its body, in bytes.
const maxFrameExtra = 128 << 10

// tunnelLoad is the name under which the load of a tunnel is counted.
func tunnelLoad(name string) id.Webhook { return id.Webhook("tunnel " + name) }

// answer passes an answer to the caller who waits for it. One that comes too late is
// dropped.
func (t *tunnel) answer(f tunnelFrame) *closing {
	if f.RequestID == "" || f.Status < 200 || f.Status > 599 {
		return &closing{codeBadPayload, "an answer needs a requestId, and a status from 200 to 599"}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if waiting := t.waiting[f.RequestID]; waiting != nil {
		delete(t.waiting, f.RequestID)
		waiting <- f
	}
	return nil
}

// beat closes the socket when its far end is gone.
func (t *tunnel) beat(ctx context.Context) {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			alive, cancel := context.WithTimeout(ctx, frameTime)
			err := t.conn.Ping(alive)
			cancel()
			if err != nil {
				_ = t.conn.CloseNow() // the reader learns of it
				return
			}
		}
	}
}

// through sends a call through a tunnel and waits for its answer. ResourceNotFound
// when the tunnel is not open, OperationTimeout and Internal when there is no answer.
func (s *Service) through(ctx context.Context, name string, in incoming, memory *lease) (answered, error) {
	t := s.tunnels.find(name)
	if t == nil {
		return answered{}, noTunnel()
	}
	if memory.grow(int64(quotedSize(in.body))) != nil {
		return answered{}, full()
	}
	select {
	case <-t.ready:
	case <-t.done:
		return answered{}, noTunnel()
	}
	request, answers := t.expect()
	defer t.forget(request)
	frame := append(append([]byte(`{"type":"request","id":"`), request...), `",`...)
	frame = append(in.appendJSON(frame), '}')
	// A deadline that passes while a frame is being written closes the socket, so it must
	// not be the caller's.
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), frameTime)
	err := t.conn.Write(sending, websocket.MessageText, frame)
	cancel()
	if err != nil {
		return answered{}, closedTunnel()
	}
	select {
	case f := <-answers:
		if f.headerSize() > maxHeader {
			return answered{}, fault.New(fault.Internal, "The headers of the answer that came through the tunnel are larger than the limit of %d bytes.", maxHeader)
		}
		if int64(len(f.Body)) > s.load.Body {
			return answered{}, fault.New(fault.Internal, "The answer that came through the tunnel is larger than the limit of %d bytes.", s.load.Body)
		}
		if memory.grow(int64(len(f.Body))) != nil {
			return answered{}, full()
		}
		return answered{f.Status, f.header(), []byte(f.Body)}, nil
	case <-t.done:
		return answered{}, closedTunnel()
	case <-ctx.Done():
		return answered{}, fault.New(fault.OperationTimeout, "No answer came through the tunnel within %s.", s.CallTime)
	}
}

func noTunnel() error {
	return fault.New(fault.ResourceNotFound, "No tunnel is open at this address. The program that opened it, such as \"bp dev\", has ended or is connected to another server.")
}

func closedTunnel() error {
	return fault.New(fault.Internal, "The tunnel was closed before an answer came.").After(retryAfter)
}

// expect makes the id of the next request, and the channel for its answer.
func (t *tunnel) expect() (request string, answers <-chan tunnelFrame) {
	waiting := make(chan tunnelFrame, 1)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked++
	request = strconv.Itoa(t.asked)
	t.waiting[request] = waiting
	return request, waiting
}

func (t *tunnel) forget(request string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.waiting, request)
}

// enter lists a tunnel whose far end is about to be told that it is open. An address
// belongs to whoever holds it for as long as that answers: others who know the address
// cannot take it over. One whose far end is silent, because a laptop changed its network
// for example, is replaced. AlreadyExists when the address is held, RateLimited when there
// are too many tunnels.
func (all *tunnels) enter(ctx context.Context, name string, t *tunnel) error {
	before := all.find(name)
	if before != nil && before.alive(ctx) {
		return heldTunnel()
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	now := all.open[name]
	switch {
	case now != nil && now != before:
		return heldTunnel()
	case all.ended:
		return fault.New(fault.RateLimited, "This server is shutting down and opens no more tunnels.").After(beatEvery)
	case now == nil && len(all.open) >= maxTunnels:
		return fault.New(fault.RateLimited, "This server has %d open tunnels, which is its limit. Close one that is not used.", maxTunnels).After(beatEvery)
	}
	if now != nil {
		go now.end(closing{codeReplaced, "the tunnel was opened again"})
	}
	if all.open == nil {
		all.open = map[string]*tunnel{}
	}
	all.open[name] = t
	return nil
}

func heldTunnel() error {
	return fault.New(fault.AlreadyExists, "The tunnel at this address is held by another program, which is connected and answers. End that program, or open a tunnel at another address.")
}

func (all *tunnels) leave(name string, t *tunnel) {
	close(t.done)
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.open[name] == t {
		delete(all.open, name)
	}
}

func (all *tunnels) find(name string) *tunnel {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.open[name]
}

// EndTunnels closes every tunnel and refuses new ones. It is called when the server shuts
// down.
func (s *Service) EndTunnels() {
	s.tunnels.mu.Lock()
	defer s.tunnels.mu.Unlock()
	s.tunnels.ended = true
	for _, t := range s.tunnels.open {
		go t.end(closing{websocket.StatusGoingAway, "the server is shutting down"})
	}
}
