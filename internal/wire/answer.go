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

// answer buffers status and body until the request is done, so that an error while encoding,
// or a transaction that does not commit, can still become a clean error.
type answer struct {
	http.ResponseWriter
	status int
	body   *bytes.Buffer
	// sent reports that the answer is written otherwise; see Stream and Take.
	sent bool
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// keepBuffer is the capacity of the largest buffer that returns to the pool, so that a large
// answer does not pin its memory.
const keepBuffer = 256 << 10

func newAnswer(w http.ResponseWriter) *answer {
	return &answer{ResponseWriter: w, body: buffers.Get().(*bytes.Buffer)}
}

// WriteHeader sets the status; the last call counts.
func (a *answer) WriteHeader(status int) { a.status = status }

// Write appends to the buffered body.
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// Unwrap gives http.ResponseController the writer of the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// reset discards what was answered so far, except for headers.
func (a *answer) reset() {
	a.status = 0
	a.body.Reset()
}

// How long a caller may take to read an answer. Otherwise one that reads nothing would keep
// the answer in memory for as long as it likes.
const (
	sendTime = 30 * time.Second
	sendRate = 64 << 10 // bytes per second, for large answers
)

// send sends the answer, within a time that grows with its size.
func (a *answer) send(within time.Duration) error {
	if a.sent {
		return nil
	}
	within += time.Duration(a.body.Len()) * time.Second / sendRate
	// The connections of some tests have no deadlines. The server's WriteTimeout sets the
	// deadline again for the next request.
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
