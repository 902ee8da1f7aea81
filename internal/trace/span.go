package trace

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	api "go.opentelemetry.io/otel/trace"
)

// Kind is which part a span has in a trace.
type Kind api.SpanKind

// The kinds of spans.
const (
	Server   = Kind(api.SpanKindServer)   // answers a request
	Client   = Kind(api.SpanKindClient)   // calls another service
	Consumer = Kind(api.SpanKindConsumer) // does what was enqueued
	Internal = Kind(api.SpanKindInternal)
)

// Span is a piece of work that is timed. The zero Span is none: its methods do
// nothing.
type Span struct{ span api.Span }

// Begin starts a span within the one that ctx carries. Without one it starts none: work that
// nobody asked for, such as polling for jobs, makes no traces.
func Begin(ctx context.Context, name string, kind Kind) (context.Context, Span) {
	parent := api.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, Span{}
	}
	tracer := parent.TracerProvider().Tracer(scope)
	ctx, span := tracer.Start(ctx, name, api.WithSpanKind(api.SpanKind(kind)))
	return ctx, Span{span}
}

// On reports whether the span is recorded: otherwise its attributes need not be computed.
func (s Span) On() bool { return s.span != nil && s.span.IsRecording() }

// Rename names the span by what the work turned out to be.
func (s Span) Rename(name string) {
	if s.span != nil {
		s.span.SetName(name)
	}
}

// Text sets an attribute; an empty value sets none.
func (s Span) Text(key, value string) {
	if s.span != nil && value != "" {
		s.span.SetAttributes(attribute.String(key, value))
	}
}

// Number sets an attribute.
func (s Span) Number(key string, value int64) {
	if s.span != nil {
		s.span.SetAttributes(attribute.Int64(key, value))
	}
}

// Event notes a moment of the work; key names what value is, and is empty when there
// is nothing to say.
func (s Span) Event(name, key, value string) {
	switch {
	case s.span == nil:
	case key == "":
		s.span.AddEvent(name)
	default:
		s.span.AddEvent(name, api.WithAttributes(attribute.String(key, value)))
	}
}

// Type records the type of the error that the work ended with. That need not be a failure of
// the work: an invalid request is answered correctly by an error.
func (s Span) Type(errorType string) { s.Text("error.type", errorType) }

// Fail marks the work as failed, with the type of its error. The words of the error
// stand in the log and not here: they may hold what a caller sent.
func (s Span) Fail(errorType string) {
	if s.span != nil {
		s.Type(errorType)
		s.span.SetStatus(codes.Error, "")
	}
}

// End ends the span; it is exported some seconds later.
func (s Span) End() {
	if s.span != nil {
		s.span.End()
	}
}
