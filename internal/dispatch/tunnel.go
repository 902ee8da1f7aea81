package dispatch

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
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

// tunnels are how what runs on a laptop is called by a server that cannot reach it:
// "bp dev" opens a web socket at an address of its own choice and answers, over it,
// what is asked of that address. The frames are those of @bpinternal/tunnel.
//
// A tunnel lives in the process that it was opened at and ends with it; who opened it
// opens it anew.
type tunnels struct {
	mu    sync.Mutex
	open  map[string]*tunnel
	ended bool
}

// maxTunnels is how many tunnels one server has.
const maxTunnels = 200

const (
	// beatEvery is how often a tunnel is asked whether it is there: one whose laptop
	// was closed says nothing of it.
	beatEvery = 20 * time.Second
	// frameTime is how long one that does not read may keep a frame from being sent.
	frameTime = 20 * time.Second
)

// Close codes of the protocol.
const (
	codeReplaced   websocket.StatusCode = 4001
	codeBadPayload websocket.StatusCode = 4002
)

// tunnel is one web socket and those who wait for what it answers.
type tunnel struct {
	ready chan struct{} // closed when conn is set
	conn  *websocket.Conn
	done  chan struct{} // closed when the socket is

	mu      sync.Mutex
	asked   int
	waiting map[string]chan<- tunnelFrame
}

// tunnelFrame is what the far end sends: an answer, or a hello that keeps whatever
// stands between from closing the socket.
type tunnelFrame struct {
	Type      string                    `json:"type"`
	RequestID string                    `json:"requestId"`
	Status    int                       `json:"status"`
	Headers   map[string]jsontext.Value `json:"headers"`
	Body      string                    `json:"body"`
}

// header is the headers of an answer; the official tail sends numbers among them.
func (f tunnelFrame) header() http.Header {
	header := http.Header{}
	for name, value := range f.Headers {
		var texts []string
		switch value.Kind() {
		case '"':
			texts = make([]string, 1)
			_ = json.Unmarshal(value, &texts[0]) // it is a text
		case '[':
			_ = json.Unmarshal(value, &texts) // what is no list of texts is left out
		case '0':
			texts = []string{value.String()}
		}
		for _, text := range texts {
			if !strings.ContainsAny(name+text, "\r\n\x00") {
				header.Add(name, text)
			}
		}
	}
	// The body is the text that the far end unpacked.
	header.Del("Content-Encoding")
	return header
}

func newTunnel() *tunnel {
	return &tunnel{ready: make(chan struct{}), done: make(chan struct{}), waiting: map[string]chan<- tunnelFrame{}}
}

// hold serves a tunnel until it ends.
func (s *Service) hold(ctx context.Context, name string, t *tunnel) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go t.beat(ctx)
	code, why := s.listen(ctx, name, t)
	// Whether it hears why does not matter: it has ended.
	_ = t.conn.Close(code, why)
}

// end closes a tunnel from this side.
func (t *tunnel) end(code websocket.StatusCode, why string) {
	select {
	case <-t.ready:
		_ = t.conn.Close(code, why)
	case <-t.done:
	}
}

// listen passes on what the far end answers until it goes, or sends what is none of
// the protocol's.
func (s *Service) listen(ctx context.Context, name string, t *tunnel) (websocket.StatusCode, string) {
	t.conn.SetReadLimit(-1) // readAll has the limit
	for {
		kind, reader, err := t.conn.Reader(ctx)
		if err != nil {
			return websocket.StatusNormalClosure, ""
		}
		memory, err := s.load.begin(id.Webhook("tunnel " + name))
		if err != nil {
			return websocket.StatusTryAgainLater, "too much is answered at once"
		}
		// A text may be twice as long in JSON.
		text, err := readAll(reader, -1, 2*s.load.Body+headersMost, memory)
		var f tunnelFrame
		wrong := ""
		var tooLarge *tooLargeError
		switch {
		case errors.As(err, &tooLarge):
			wrong = "an answer has more than " + strconv.FormatInt(tooLarge.most, 10) + " bytes"
		case err == nil && (kind != websocket.MessageText || json.Unmarshal(text, &f) != nil):
			wrong = "what is no answer"
		case err == nil && f.Type != "hello":
			wrong = t.answer(f)
		}
		memory.end()
		if wrong != "" {
			return codeBadPayload, wrong
		}
		if err != nil {
			return websocket.StatusTryAgainLater, "the answers under way hold as much memory as they can"
		}
	}
}

// headersMost is what a frame may hold beside its body, in bytes.
const headersMost = 128 << 10

// answer passes an answer to who waits for it. One that came too late is nobody's.
func (t *tunnel) answer(f tunnelFrame) (wrong string) {
	if f.RequestID == "" || f.Status < 200 || f.Status > 599 {
		return "an answer has a requestId, and a status from 200 to 599"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if waiting := t.waiting[f.RequestID]; waiting != nil {
		delete(t.waiting, f.RequestID)
		waiting <- f
	}
	return ""
}

// beat closes a socket whose far end is gone.
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
	// A time that runs out while a frame is written closes the socket, so that time is
	// not the call's.
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), frameTime)
	err := t.conn.Write(sending, websocket.MessageText, frame)
	cancel()
	if err != nil {
		return answered{}, closedTunnel()
	}
	select {
	case f := <-answers:
		if int64(len(f.Body)) > s.load.Body {
			return answered{}, fault.New(fault.Internal, "The answer that came through the tunnel is larger than the %d bytes that are relayed.", s.load.Body)
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
	return fault.New(fault.ResourceNotFound, "No tunnel is open at this address. What opened it, such as \"bp dev\", has ended, or is connected to another server.")
}

func closedTunnel() error {
	return fault.New(fault.Internal, "The tunnel was closed before an answer came.").After(retryAfter)
}

// expect is the id of the next request, and where its answer will come.
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

// enter opens a tunnel, before its far end is told that it is open; RateLimited when
// there are too many. Who knows an address has it:
// one that is opened again takes the place of the one before, whose connection may be
// dead without anybody having noticed.
func (all *tunnels) enter(name string, t *tunnel) error {
	all.mu.Lock()
	defer all.mu.Unlock()
	before := all.open[name]
	if all.ended || before == nil && len(all.open) >= maxTunnels {
		return fault.New(fault.RateLimited, "This server has %d tunnels, which is as many as it takes, or it is ending.", len(all.open)).After(beatEvery)
	}
	if before != nil {
		go before.end(codeReplaced, "the tunnel was opened again")
	}
	if all.open == nil {
		all.open = map[string]*tunnel{}
	}
	all.open[name] = t
	return nil
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

// EndTunnels closes every tunnel, and those that are opened later at once. It is for
// the end of the server.
func (s *Service) EndTunnels() {
	s.tunnels.mu.Lock()
	defer s.tunnels.mu.Unlock()
	s.tunnels.ended = true
	for _, t := range s.tunnels.open {
		go t.end(websocket.StatusGoingAway, "the server is ending")
	}
}
