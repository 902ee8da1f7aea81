package dispatch

import (
	"context"
	"net/url"

	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/trace"
)

// begin begins the span of a call. Those called are not of this installation: they are
// told of the span only when the operator says so, and else get the trace of whoever
// called the webhook, or one that nobody else has.
func (s *Service) begin(ctx context.Context, c *call) (context.Context, trace.Span) {
	ctx, span := trace.Begin(ctx, "call "+c.operation, trace.Client)
	if !span.On() {
		return ctx, span
	}
	if s.Traced {
		parent := trace.ParentOf(ctx)
		c.trace = headerOf(parent.Traceparent, parent.Tracestate)
	}
	span.Text("botyard.operation", c.operation)
	describe(span, c.callee)
	return ctx, span
}

// describe says whom a call is for: ids, and of the address the host alone, since the
// rest may hold what only the owner knows.
func describe(span trace.Span, c definition.Callee) {
	span.Text("http.request.method", "POST")
	span.Text("botyard.bot.id", string(c.Bot))
	span.Text("botyard.integration.id", string(c.Integration))
	if u, err := url.Parse(c.Endpoint.URL); err == nil {
		span.Text("server.address", u.Hostname())
		span.Text("server.port", u.Port())
	}
}

// endCall ends the span of a call, with what the metrics call its outcome.
func endCall(span trace.Span, status int, err error) {
	if !span.On() {
		return
	}
	if status != 0 {
		span.Number("http.response.status_code", int64(status))
	}
	if err != nil {
		span.Fail(outcome(err))
	}
	span.End()
}
