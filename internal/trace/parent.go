package trace

import (
	"context"
	"regexp"

	"go.opentelemetry.io/otel/propagation"
	api "go.opentelemetry.io/otel/trace"
)

// Parent is the span of another process that work came of, as W3C Trace Context
// writes it. The zero Parent is none.
type Parent struct{ Traceparent, Tracestate string }

// maxState is how much of a trace's state is taken (W3C Trace Context, 3.3.1.5).
const maxState = 512

// form is version 00 of the header. A later one is told by its number and read as
// this one; nobody sends one.
var form = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// Valid says whether a header traceparent has the form that the standard gives it.
func Valid(traceparent string) bool { return form.MatchString(traceparent) }

// extend is ctx with the parent, or ctx when there is none that is valid.
func (p Parent) extend(ctx context.Context) context.Context {
	if !Valid(p.Traceparent) {
		return ctx
	}
	carrier := propagation.MapCarrier{"traceparent": p.Traceparent}
	if len(p.Tracestate) <= maxState {
		carrier["tracestate"] = p.Tracestate
	}
	return propagation.TraceContext{}.Extract(ctx, carrier)
}

// ParentOf is the span that ctx carries, for another process; the zero Parent when it
// carries none.
func ParentOf(ctx context.Context) Parent {
	if !api.SpanContextFromContext(ctx).IsValid() {
		return Parent{}
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return Parent{carrier["traceparent"], carrier["tracestate"]}
}
