package wire

import (
	"bytes"
	"net/http"
	"strconv"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
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

// send lets the answer go.
func (a *answer) send() error {
	if a.sent {
		return nil
	}
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
