package exercise_test

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/botyard/botyard/test/harness"
)

// collector takes traces as a collector of OpenTelemetry does, over OTLP/HTTP.
type collector struct {
	*httptest.Server
	mu       sync.Mutex
	spans    []*tracepb.Span
	services []string
	text     bytes.Buffer // all that was sent
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			unpacked, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = unpacked
		}
		text, err := io.ReadAll(body)
		var sent collectorpb.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(text, &sent)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("the collector was sent %d bytes to %s: %v", len(text), r.URL.Path, err)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.text.Write(text)
		for _, resource := range sent.ResourceSpans {
			c.services = append(c.services, attributeOf(resource.Resource.Attributes, "service.name"))
			for _, scope := range resource.ScopeSpans {
				c.spans = append(c.spans, scope.Spans...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(c.Close)
	return c
}

func attributeOf(attributes []*commonpb.KeyValue, key string) string {
	for _, a := range attributes {
		if a.Key == key {
			if text, is := a.Value.Value.(*commonpb.AnyValue_StringValue); is {
				return text.StringValue
			}
			return a.Value.String()
		}
	}
	return ""
}

// named are the spans of a name, of one trace when one is given.
func (c *collector) named(name, trace string) (found []*tracepb.Span) {
	for _, s := range c.spans {
		if s.Name == name && (trace == "" || hex.EncodeToString(s.TraceId) == trace) {
			found = append(found, s)
		}
	}
	return found
}

// one is the only span of a name in a trace, whose parent and attributes, by key and
// value, must be those.
func (c *collector) one(t *testing.T, name, trace string, parent []byte, kind tracepb.Span_SpanKind, attributes ...string) *tracepb.Span {
	t.Helper()
	found := c.named(name, trace)
	if len(found) != 1 {
		t.Fatalf("%d spans are named %q in trace %s, want one", len(found), name, trace)
	}
	s := found[0]
	if !bytes.Equal(s.ParentSpanId, parent) {
		t.Errorf("%s has the parent %x, want %x", name, s.ParentSpanId, parent)
	}
	if s.Kind != kind {
		t.Errorf("%s is a %s, want %s", name, s.Kind, kind)
	}
	if s.EndTimeUnixNano < s.StartTimeUnixNano {
		t.Errorf("%s ends before it begins", name)
	}
	for i := 0; i < len(attributes); i += 2 {
		if got := attributeOf(s.Attributes, attributes[i]); !strings.Contains(got, attributes[i+1]) || got == "" {
			t.Errorf("%s of %s is %q, want %q", attributes[i], name, got, attributes[i+1])
		}
	}
	return s
}

// await waits until a span of a name was sent, so that the server has come to it.
func (c *collector) await(t *testing.T, name string) {
	t.Helper()
	harness.Eventually(t, "the span "+name, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.named(name, "")) > 0
	})
}

// startTraced starts a server that sends its traces to c, the last when it ends.
func startTraced(t *testing.T, c *collector, dir, url string, flags ...string) *harness.Process {
	t.Helper()
	return harness.StartBinaryUnder(t, []string{"env", "OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL, "OTEL_BSP_SCHEDULE_DELAY=50", "OTEL_SERVICE_NAME=yard",
		"OTEL_EXPORTER_OTLP_TIMEOUT=60000"}, dir, url, append(flags, "--dev")...)
}

const (
	callersTrace  = "0af7651916cd43dd8448eb211c80319c"
	callersSpan   = "b7ad6b7169203331"
	callersParent = "00-" + callersTrace + "-" + callersSpan + "-01"
)

// TestTraces follows one update of a bot: the request, its transaction, the job that
// the transaction promised, and the call that the job makes.
func TestTraces(t *testing.T) {
	for _, engine := range harness.Engines {
		t.Run(string(engine), func(t *testing.T) {
			c, far := newCollector(t), harness.NewFarSide(t)
			p := startTraced(t, c, t.TempDir(), harness.DatabaseURL(t, engine))
			a := p.Owner(t)
			integration := publish(t, a, "integration", object{"name": "traced", "url": far.URL + "/pathofthefarside?key=itskey"})
			bot := createBot(t, a, object{})["id"].(string)
			var answer struct{ Bot object }
			a.Do(t, "PUT", "/v1/admin/bots/"+bot, object{"integrations": object{"one": object{
				"integrationId": integration["id"], "configuration": object{"token": "theconfigurationsecret"},
			}}}, &answer, "x-multiple-integrations", "true", "Traceparent", callersParent, "Tracestate", "vendor=1")
			instance := under(answer.Bot, "integrations", "one").(object)
			stands(t, instance, "registered")
			webhook := instance["webhookId"].(string)
			if sent := far.Calls()[0].Header.Get("Traceparent"); strings.Contains(sent, callersTrace) {
				t.Errorf("the far side was told of the trace, %s, and nobody asked for that", sent)
			}

			if status, _, _ := knock(t, "POST", p.Base+"/webhook/"+webhook+"/where?state=thequerysecret", "thebodysecret", "Traceparent", callersParent); status != http.StatusOK {
				t.Errorf("the webhook answered %d", status)
			}
			if sent := last(far.Calls()).Header.Get("Traceparent"); sent != callersParent {
				t.Errorf("the far side got the trace %s, want the caller's", sent)
			}

			a.Ask(t, "GET", "/v1/admin/bots/none", nil, "Traceparent", callersParent+"0")
			stranger := *a
			stranger.Token = "bp_pat_thetokenofnobodyatall0123456789abcdefgh"
			stranger.Ask(t, "GET", "/v1/admin/account/me", nil, "Traceparent", strings.ToUpper(callersParent))
			knock(t, "BREW", p.Base+"/v1/nowhere/thepathsecret", "")
			knock(t, "GET", p.Base+"/livez", "")
			c.await(t, "job collect-blobs")
			p.Stop(t)

			span := func(name, trace string, parent []byte, kind tracepb.Span_SpanKind, attributes ...string) *tracepb.Span {
				t.Helper()
				return c.one(t, name, trace, parent, kind, attributes...)
			}
			caller, _ := hex.DecodeString(callersSpan)
			request := span("updateBot", callersTrace, caller, tracepb.Span_SPAN_KIND_SERVER,
				"http.request.method", "PUT", "http.route", "/v1/admin/bots/{id}", "http.response.status_code", "200",
				"botyard.actor.kind", "account", "botyard.workspace.id", a.Workspace, "botyard.request.id", "req_")
			if request.TraceState != "vendor=1" {
				t.Errorf("the state of the trace is %q", request.TraceState)
			}
			var changes [][]byte
			for _, s := range c.named("transaction", callersTrace) {
				if bytes.Equal(s.ParentSpanId, request.SpanId) {
					changes = append(changes, s.SpanId)
				}
				if system := attributeOf(s.Attributes, "db.system.name"); !strings.HasPrefix(system, string(engine)) {
					t.Errorf("a transaction ran on %q", system)
				}
				if len(s.Events) == 0 || s.Events[0].Name != "run" || attributeOf(s.Attributes, "botyard.transaction.runs") == "" {
					t.Errorf("a transaction does not tell of its runs: %v", s)
				}
			}
			if len(changes) != 1 {
				t.Errorf("the update has %d transactions, want one", len(changes))
			}
			call := c.named("call register", callersTrace)
			if len(call) != 1 {
				t.Fatalf("%d calls in the trace, want one", len(call))
			}
			var jobs int
			for _, s := range c.spans {
				if !strings.HasPrefix(s.Name, "job ") || hex.EncodeToString(s.TraceId) != callersTrace {
					continue
				}
				if !slices.ContainsFunc(changes, func(id []byte) bool { return bytes.Equal(id, s.ParentSpanId) }) || s.Kind != tracepb.Span_SPAN_KIND_CONSUMER {
					t.Errorf("%s is a %s with the parent %x, want the transaction that promised it", s.Name, s.Kind, s.ParentSpanId)
				}
				if bytes.Equal(call[0].ParentSpanId, s.SpanId) {
					jobs++
				}
			}
			if jobs != 1 {
				t.Errorf("the call is part of %d jobs, want one", jobs)
			}
			span("call register", callersTrace, call[0].ParentSpanId, tracepb.Span_SPAN_KIND_CLIENT,
				"server.address", "127.0.0.1", "http.response.status_code", "200", "botyard.bot.id", bot, "botyard.integration.id", integration["id"].(string))

			relayed := span("webhook", callersTrace, caller, tracepb.Span_SPAN_KIND_SERVER, "http.response.status_code", "200")
			span("call webhook_received", callersTrace, relayed.SpanId, tracepb.Span_SPAN_KIND_CLIENT, "http.response.status_code", "200")

			missing := span("getBot", "", nil, tracepb.Span_SPAN_KIND_SERVER, "http.response.status_code", "404", "error.type", "ResourceNotFound")
			refused := span("getAccount", "", nil, tracepb.Span_SPAN_KIND_SERVER, "error.type", "Unauthorized")
			stray := span("request", "", nil, tracepb.Span_SPAN_KIND_SERVER, "http.request.method", "_OTHER", "http.response.status_code", "40")
			for _, s := range []*tracepb.Span{missing, refused, stray} {
				if s.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR {
					t.Errorf("%s is a failure of the server, and was the caller's", s.Name)
				}
			}
			if !slices.Contains(c.services, "yard") || len(c.named("job collect-blobs", "")) == 0 {
				t.Errorf("services are %v, and periodic jobs are there %d times", c.services, len(c.named("job collect-blobs", "")))
			}
			for _, secret := range []string{
				"theconfigurationsecret", "thequerysecret", "thebodysecret", "thetokenofnobody", "thepathsecret", "pathofthefarside", "itskey",
				webhook, harness.OwnerToken, harness.OwnerEmail, integration["signingSecret"].(string), "SELECT", "INSERT",
			} {
				if bytes.Contains(c.text.Bytes(), []byte(secret)) {
					t.Errorf("%q was exported", secret)
				}
			}
		})
	}
}

// TestTracesOfCalls: the far side is told of the trace when the operator says so.
func TestTracesOfCalls(t *testing.T) {
	c, far := newCollector(t), harness.NewFarSide(t)
	p := startTraced(t, c, t.TempDir(), "", "--trace-calls")
	a := p.Owner(t)
	integration := publish(t, a, "integration", object{"name": "traced", "url": far.URL})
	bot := createBot(t, a, object{})["id"].(string)
	one := installed(t, a, bot, "one", object{"integrationId": integration["id"]})
	knock(t, "POST", p.Base+"/webhook/"+one["webhookId"].(string), "{}", "Traceparent", callersParent)
	p.Stop(t)
	calls := far.Calls()
	for n, name := range []string{"call register", "call webhook_received"} {
		s := c.named(name, "")
		if len(s) != 1 || len(calls) != 2 {
			t.Fatalf("%d spans %s, %d calls", len(s), name, len(calls))
		}
		want := "00-" + hex.EncodeToString(s[0].TraceId) + "-" + hex.EncodeToString(s[0].SpanId) + "-01"
		if got := calls[n].Header.Get("Traceparent"); got != want {
			t.Errorf("%s was sent with %s, want %s", name, got, want)
		}
	}
}

// TestTracesWithoutCollector: a collector that is not there, or hangs, costs traces and
// a bounded time at the end, and no request.
func TestTracesWithoutCollector(t *testing.T) {
	release := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hangs.Close()
	defer close(release)
	for name, endpoint := range map[string]string{"hangs": hangs.URL, "is not there": "http://127.0.0.1:1"} {
		t.Run(name, func(t *testing.T) {
			p := harness.StartBinaryUnder(t, []string{"env", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=" + endpoint, "OTEL_BSP_SCHEDULE_DELAY=50"}, t.TempDir(), "")
			a := p.Owner(t)
			for range 50 {
				createBot(t, a, object{})
			}
			began := time.Now()
			p.Stop(t)
			if took := time.Since(began); took > time.Minute { // the collector never answers
				t.Errorf("the end took %s", took)
			}
		})
	}
}
