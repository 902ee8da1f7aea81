package wire

import (
	"bytes"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/botyard/botyard/internal/clock"
)

// answer holds status and body back until the request is done, so that an error
// met while encoding, or a transaction that does not commit, can still become a
// clean error answer.
type answer struct {
	http.ResponseWriter
	status int
	body   *bytes.Buffer
	// sent says that the answer has gone its own way; see Stream.
	sent bool
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// keepBuffer is the largest buffer that goes back to the pool, so that one big
// answer does not pin its memory.
const keepBuffer = 256 << 10

func newAnswer(w http.ResponseWriter) *answer {
	return &answer{ResponseWriter: w, body: buffers.Get().(*bytes.Buffer)}
}

// WriteHeader notes the status; the last one noted counts.
func (a *answer) WriteHeader(status int) { a.status = status }

// Write adds to the body that is held back.
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// Unwrap gives http.ResponseController the connection's own writer.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// reset forgets what was answered so far, but for headers.
func (a *answer) reset() {
	a.status = 0
	a.body.Reset()
}

// How long a caller may take to read an answer. One that reads nothing would hold the
// answer in memory, and its connection, for as long as it likes.
const (
	sendTime = 30 * time.Second
	sendRate = 64 << 10 // bytes a second, for what is large
)

// send lets the answer go, within a time that grows with its size.
func (a *answer) send(within time.Duration) error {
	if a.sent {
		return nil
	}
	within += time.Duration(a.body.Len()) * time.Second / sendRate
	// Not every connection knows deadlines; those of tests do without. net/http, which
	// has a WriteTimeout, sets the deadline anew for the next request.
	_ = http.NewResponseController(a.ResponseWriter).SetWriteDeadline(clock.Deadline(within))
	if a.status == 0 {
		a.status = http.StatusOK
	}
	header := a.Header()
	if a.status != http.StatusNoContent {
		header.Set("Content-Length", strconv.Itoa(a.body.Len()))
	}
	a.ResponseWriter.WriteHeader(a.status)
	_, err := a.ResponseWriter.Write(a.body.Bytes())
	if a.body.Cap() <= keepBuffer {
		a.body.Reset()
		buffers.Put(a.body)
	}
	a.body = nil
	return err
}

func headerOf(ctx huma.Context) http.Header {
	_, w := humachi.Unwrap(ctx)
	return w.Header()
}
