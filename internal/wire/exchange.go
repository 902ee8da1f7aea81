package wire

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/trace"
)

// exchange is what is known of a request while it is answered, for its log line and its
// metrics.
type exchange struct {
	id        string
	started   clock.Started
	operation *Operation
	actor     access.Actor
	path      string // escaped
	query     string // raw
	fault     *Fault
	cause     error
	replayed  bool
	span      trace.Span
}

type exchangeKey struct{}

// stray serves code that runs outside of a request, such as tests of handlers.
var stray = &exchange{}

func exchangeOf(ctx context.Context) *exchange {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x
	}
	return stray
}

// finish logs a request that has been answered. This is the only place where the cause of an
// error appears; credentials and bodies appear nowhere.
func (m *Mux) finish(ctx context.Context, x *exchange, r *http.Request, a *answer) {
	elapsed := x.started.Elapsed()
	name := "none"
	if x.operation != nil {
		name = x.operation.ID
	}
	m.metrics.observe(name, a.status, elapsed)
	x.end(r, a.status)

	level := slog.LevelInfo
	switch {
	case a.status >= 500:
		level = slog.LevelError
	case a.status >= 400:
		level = slog.LevelWarn
	case x.operation == nil && m.isProbe(r):
		level = slog.LevelDebug // they are frequent, and of no interest
	}
	if !m.log.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs,
		slog.String("request", x.id),
		slog.String("operation", name),
		slog.Int("status", a.status),
		slog.Duration("took", elapsed),
	)
	if x.operation == nil {
		attrs = append(attrs, slog.String("method", fault.BoundedTo(r.Method, 20)), slog.String("path", fault.BoundedTo(r.URL.Path, 200)))
	}
	if x.actor.Kind != "" {
		attrs = append(attrs, slog.String("actor", x.actor.ID()))
	}
	if x.actor.Workspace != "" {
		attrs = append(attrs, slog.String("workspace", string(x.actor.Workspace)))
	}
	if x.replayed {
		attrs = append(attrs, slog.Bool("replayed", true))
	}
	if x.fault != nil {
		attrs = append(attrs, slog.String("error_id", x.fault.ID), slog.String("error_type", string(x.fault.Type)))
		// For the caller's mistakes the public message is enough; our own failures need
		// their cause.
		if a.status >= 500 {
			attrs = append(attrs, slog.Any("cause", x.cause))
		}
	}
	m.log.LogAttrs(ctx, level, "request", attrs...)
}

// eachQuery calls visit with every parameter of a raw query, in order. It skips pairs that
// cannot be unescaped, as net/url does.
func eachQuery(raw string, visit func(key, value string)) {
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		key, value, _ := strings.Cut(pair, "=")
		if key == "" {
			continue
		}
		key, err := url.QueryUnescape(key)
		if err != nil {
			continue
		}
		if value, err = url.QueryUnescape(value); err != nil {
			continue
		}
		visit(key, value)
	}
}
