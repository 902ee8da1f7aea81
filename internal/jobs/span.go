package jobs

import (
	"context"

	"github.com/botyard/botyard/internal/trace"
)

// atWork is the key of what the context of a running job carries.
type atWork struct{}

// cause is the span of the request that enqueues a job. What a job enqueues starts a trace
// of its own: otherwise a job that keeps rescheduling itself would make an endless trace.
func cause(ctx context.Context) string {
	if ctx.Value(atWork{}) != nil {
		return ""
	}
	return trace.ParentOf(ctx).Traceparent
}

// begin starts the span of a run.
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
