package wire

import (
	"context"
	"net/http"
	"time"

	"github.com/botyard/botyard/internal/clock"
)

// Route is an address beside the operations that everybody may call, without a token. The
// handler reads and bounds the body itself.
type Route struct {
	// Name is what the log and the metrics call it.
	Name string
	// Pattern is a path, or ends in "/*" for all paths below one; it matches every method.
	Pattern string
	// Time is how long it may take, and the body to arrive.
	Time time.Duration
}

// Open adds a route. Its requests count against the rate limit of tokens by the caller's
// address. The answer is buffered, so an error or panic of the handler is answered like any
// other, whatever the handler has written before.
func (m *Mux) Open(route Route, handler func(w http.ResponseWriter, r *http.Request) error) {
	named := &Operation{ID: route.Name}
	m.router.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
		x, a := exchangeOf(r.Context()), w.(*answer)
		x.operation = named
		err := m.rates.address(r, a.Header())
		if err == nil {
			ctx, cancel := context.WithTimeout(r.Context(), route.Time)
			defer cancel()
			// The connections of some tests have no deadlines.
			_ = http.NewResponseController(a).SetReadDeadline(clock.Deadline(route.Time))
			err = handler(a, r.WithContext(ctx))
		}
		if err != nil {
			m.refuse(x, a, err)
		}
	})
}

// Take gives the handler of an open route the writer of the connection, for what cannot be
// buffered, such as a web socket. The Mux then writes no answer; status is for the log and
// the metrics.
func Take(w http.ResponseWriter, status int) http.ResponseWriter {
	a := w.(*answer)
	a.status, a.sent = status, true
	return a.ResponseWriter
}
