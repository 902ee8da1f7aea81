// Package trace makes spans of OpenTelemetry: how long a request, a job, a transaction or an
// outgoing call took, and which of them caused which.
//
// It owns the export, set up by the standard OTEL_ variables and off without them,
// the trace context that crosses processes (W3C), and the trace of log lines. It does
// not own what is worth a span: packages wire, jobs, db and dispatch begin their own.
//
// Spans hold ids, counts and types of faults. They never hold tokens, bodies,
// addresses with signatures or webhooks in them, e-mail addresses or statements.
package trace
