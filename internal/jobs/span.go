package jobs

import (
	"context"

	"github.com/botyard/botyard/internal/trace"
)

// atWork is the key of what the context of a running job carries.
type atWork struct{}

// cause is the span that a job which is enqueued now came of: that of a request. What
// a job enqueues begins a trace of its own, or one that goes on with itself for days
// would make a trace without end.
func cause(ctx context.Context) string {
	if ctx.Value(atWork{}) != nil {
		return ""
	}
	return trace.ParentOf(ctx).Traceparent
}

// begin begins the span of a run.
func (q *Queue) begin(ctx context.Context, job Job) (context.Context, trace.Span) {
	if !q.Tracer.On() {
		return ctx, trace.Span{}
	}
	ctx, span := q.Tracer.Begin(context.WithValue(ctx, atWork{}, true), "job "+job.Kind, trace.Consumer, job.cause)
	span.Text("botyard.job.id", string(job.ID))
	span.Text("botyard.job.kind", job.Kind)
	span.Number("botyard.job.attempt", int64(job.Attempts))
	return ctx, span
}
