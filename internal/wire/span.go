package wire

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/botyard/botyard/internal/trace"
)

// begin starts the span of a request, within the trace that the caller names. Probes have no
// spans: they would make up most of the export.
//
// The caller's headers are trusted no further: they give a trace id, and whether it is
// sampled, which the operator's OTEL_TRACES_SAMPLER may ignore.
func (m *Mux) begin(ctx context.Context, r *http.Request) (context.Context, trace.Span) {
	if !m.tracer.On() || m.isProbe(r) {
		return ctx, trace.Span{}
	}
	parent := trace.Parent{Traceparent: r.Header.Get("Traceparent"), Tracestate: r.Header.Get("Tracestate")}
	return m.tracer.Begin(ctx, "request", trace.Server, parent)
}

// isProbe reports whether a request is for one of the fixed addresses beside the operations:
// probes, metrics, the document.
func (m *Mux) isProbe(r *http.Request) bool { return slices.Contains(m.probes, r.URL.Path) }

// end ends the span of a request. It does not record path and query: those of downloads and
// webhooks are secrets.
func (x *exchange) end(r *http.Request, status int) {
	if !x.span.On() {
		return
	}
	span := x.span
	span.Text("http.request.method", methodOf(r))
	span.Number("http.response.status_code", int64(status))
	span.Text("botyard.request.id", x.id)
	if x.operation != nil {
		span.Rename(x.operation.ID)
		span.Text("http.route", x.operation.Path)
	}
	span.Text("botyard.actor.kind", string(x.actor.Kind))
	span.Text("botyard.workspace.id", string(x.actor.Workspace))
	failure := ""
	if x.fault != nil {
		failure = string(x.fault.Type)
	} else if status >= 500 {
		failure = strconv.Itoa(status) // relayed from an integration
	}
	switch {
	case status >= 500:
		span.Fail(failure)
	case failure != "":
		span.Type(failure)
	}
	span.End()
}

// methodOf is the method, or _OTHER for a non-standard one, as OpenTelemetry's conventions
// require.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return r.Method
	}
	return "_OTHER"
}
