package trace

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
)

// env is an environment of the variables given, name and value.
func env(variables ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(variables); i += 2 {
			if variables[i] == name {
				return variables[i+1]
			}
		}
		return ""
	}
}

func TestFromEnv(t *testing.T) {
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	for _, tt := range []struct {
		name, fails string
		env         []string
		on          bool
	}{
		{name: "nothing is set"},
		{name: "an endpoint", env: []string{endpoint, "http://127.0.0.1:1"}, on: true},
		{name: "an endpoint of traces", env: []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1"}, on: true},
		{name: "the exporter alone", env: []string{"OTEL_TRACES_EXPORTER", "otlp"}, on: true},
		{name: "none, with an endpoint", env: []string{endpoint, "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER", "none"}},
		{name: "switched off", env: []string{endpoint, "http://127.0.0.1:1", "OTEL_SDK_DISABLED", "TRUE"}},
		{name: "another exporter", env: []string{"OTEL_TRACES_EXPORTER", "zipkin"}, fails: `"zipkin"; it must be otlp or none`},
		{name: "gRPC", env: []string{endpoint, "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, fails: `"grpc"; botyard sends http/protobuf`},
		{name: "the protocol of traces wins", env: []string{endpoint, "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"}, on: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tracer, err := FromEnv(t.Context(), env(tt.env...), "1", slog.New(slog.DiscardHandler))
			switch {
			case tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)):
				t.Fatalf("the error is %v, want one that says %s", err, tt.fails)
			case tt.fails == "" && err != nil:
				t.Fatal(err)
			}
			if tracer.On() != tt.on {
				t.Errorf("it is on: %t", tracer.On())
			}
			if err := tracer.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func tracing(t *testing.T) *Tracer {
	t.Helper()
	tracer, err := FromEnv(t.Context(), env("OTEL_TRACES_EXPORTER", "otlp"), "1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

func TestLogLinesCarryTheirTrace(t *testing.T) {
	var out bytes.Buffer
	plain := slog.New(slog.NewTextHandler(&out, nil))
	var none *Tracer
	if none.Log(plain) != plain {
		t.Error("without a tracer the log is another one")
	}
	log := tracing(t).Log(plain).With("a", 1)
	log.InfoContext(t.Context(), "before")
	ctx, span := tracing(t).Begin(t.Context(), "x", Internal, Parent{Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
	log.InfoContext(ctx, "within")
	span.End()
	lines := strings.Split(out.String(), "\n")
	if strings.Contains(lines[0], "trace_id") || !strings.Contains(lines[1], "a=1 trace_id=0af7651916cd43dd8448eb211c80319c span_id=") {
		t.Errorf("the lines are %q", lines)
	}
}

func TestParents(t *testing.T) {
	const trace = "0af7651916cd43dd8448eb211c80319c"
	tracer := tracing(t)
	for traceparent, taken := range map[string]bool{
		"00-" + trace + "-b7ad6b7169203331-01": true,
		"00-" + trace + "-b7ad6b7169203331-00": true,
		"":                                     false,
		"00-" + trace + "-b7ad6b7169203331-01-more":                     false,
		"01-" + trace + "-b7ad6b7169203331-01":                          false,
		"00-" + strings.ToUpper(trace) + "-b7ad6b7169203331-01":         false,
		"00-" + strings.Repeat("0", 32) + "-b7ad6b7169203331-01":        false,
		"00-" + trace + "-0000000000000000-01":                          false,
		strings.Repeat("00-"+trace+"-b7ad6b7169203331-01", 100):         false,
		"00-" + trace + "-b7ad6b7169203331-01\r\nAuthorization: hidden": false,
	} {
		ctx, span := tracer.Begin(t.Context(), "x", Server, Parent{Traceparent: traceparent, Tracestate: strings.Repeat("a=1,", 200)})
		within := ParentOf(ctx)
		if strings.Contains(within.Traceparent, trace) != taken || !Valid(within.Traceparent) {
			t.Errorf("with the parent %q the span is %s", traceparent, within.Traceparent)
		}
		if strings.HasSuffix(traceparent, "-00") == span.On() {
			t.Errorf("with the parent %q the span is recorded: %t", traceparent, span.On())
		}
		if within.Tracestate != "" {
			t.Errorf("a state of 800 bytes went on: %q", within.Tracestate)
		}
		span.End()
	}
	if p := ParentOf(t.Context()); p != (Parent{}) {
		t.Errorf("without a span the parent is %v", p)
	}
}

// Without a tracer nothing is allocated, whatever is asked of the spans.
func TestOffCostsNothing(t *testing.T) {
	var none *Tracer
	ctx := context.WithValue(t.Context(), scopeKey{}, 1)
	if n := testing.AllocsPerRun(100, func() {
		ctx, span := none.Begin(ctx, "request", Server, Parent{Traceparent: "x"})
		_, inner := Begin(ctx, "transaction", Internal)
		inner.Text("key", "value")
		inner.Number("key", 1)
		inner.Event("run", "key", "value")
		inner.Fail("Internal")
		inner.End()
		span.End()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

type scopeKey struct{}
