package wire

import (
	"context"
	"net/http"
	"time"

	"github.com/botyard/botyard/internal/clock"
)

// Route is an address beside the operations that everybody may call: there is no
// token, and the body is the handler's to read and to bound.
type Route struct {
	// Name is what the log and the metrics call it.
	Name string
	// Pattern is the router's: every method of a path, or of all below one that
	// ends in "/*".
	Pattern string
	// Time is how long it may take, and the body to arrive.
	Time time.Duration
}

// Open adds a route. Its calls are counted by the caller's address against the rate
// of tokens, its answer is held back until it is whole, and an error or panic of the
// handler is answered as every other one, whatever it had written before.
func (m *Mux) Open(route Route, handler func(w http.ResponseWriter, r *http.Request) error) {
	named := &Operation{ID: route.Name}
	m.router.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
		x, a := exchangeOf(r.Context()), w.(*answer)
		x.operation = named
		err := m.rates.address(r, a.Header())
		if err == nil {
			ctx, cancel := context.WithTimeout(r.Context(), route.Time)
			defer cancel()
			// Not every connection knows deadlines; those of tests do without.
			_ = http.NewResponseController(a).SetReadDeadline(clock.Deadline(route.Time))
			err = handler(a, r.WithContext(ctx))
		}
		if err != nil {
			m.refuse(x, a, err)
		}
	})
}

// Take gives a handler of an open route the connection's own writer, for what is no
// answer that could be held back, such as a web socket. The Mux answers nothing more;
// status is what the log and the metrics say.
func Take(w http.ResponseWriter, status int) http.ResponseWriter {
	a := w.(*answer)
	a.status, a.sent = status, true
	return a.ResponseWriter
}
