package dispatch

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/secret"
	"github.com/botyard/botyard/internal/trace"
)

// Options are what the service needs.
type Options struct {
	Egress *Egress
	Clock  clock.Clock
	// CallTime is the longest that a call may take, whatever was chosen for it.
	CallTime time.Duration
	// Traced says that those called are told of the span of their call.
	Traced bool
	// PublicURL is the address that callers reach this installation by, without a
	// slash at its end. It is known once the server listens.
	PublicURL func() string
	// Load bounds what relays hold.
	Load Load
	// Instances, Shared, Scripts and Quota are what relays need. Calls do not.
	Instances instances
	Shared    shared
	Scripts   scripts
	Quota     quota
}

// Service calls integrations and bots, and relays to them.
type Service struct {
	Options
	load    *load
	metrics metrics
	tunnels tunnels
}

// New makes the service.
func New(o Options) *Service {
	return &Service{Options: o, load: newLoad(o.Load), metrics: newMetrics()}
}

// WebhookURL is where the outside calls the instance of a webhook.
func (s *Service) WebhookURL(w id.Webhook) string { return s.PublicURL() + webhookPath + string(w) }

// Operations that the SDK's servers know.
const (
	operationRegister   = "register"
	operationUnregister = "unregister"
	operationPing       = "ping"
	operationWebhook    = "webhook_received"
)

// defaultTime is how long a call may take for which nothing was chosen.
const defaultTime = time.Minute

// maxAnswer bounds the answer to a call that is not relayed, in bytes: it is empty
// or an error.
const maxAnswer = 64 << 10

// Register tells an integration of an instance, or a bot that it was deployed. Its
// error is public and says why it failed: Runtime has the words of the one called;
// one with RetryAfter may be tried again.
func (s *Service) Register(ctx context.Context, c definition.Callee) error {
	return s.tell(ctx, c, operationRegister)
}

// Unregister tells an integration that an instance is no more. Errors are those of
// Register.
func (s *Service) Unregister(ctx context.Context, c definition.Callee) error {
	return s.tell(ctx, c, operationUnregister)
}

// Ping asks whether somebody is there. Errors are those of Register.
func (s *Service) Ping(ctx context.Context, c definition.Callee) error {
	return s.tell(ctx, c, operationPing)
}

func (s *Service) tell(ctx context.Context, c definition.Callee, operation string) error {
	call := call{callee: c, operation: operation, kind: operation}
	if c.Integration != "" && operation != operationPing {
		body, err := jsontext.AppendQuote([]byte(`{"webhookUrl":`), s.WebhookURL(c.Webhook))
		if err != nil {
			return err
		}
		call.body = append(body, '}')
	}
	started := clock.Start()
	ctx, span := s.begin(ctx, &call)
	answer, err := s.send(ctx, call)
	status := 0
	if err != nil {
		err = s.failed(c, err)
	} else {
		status = answer.StatusCode
		var text []byte
		text, err = readAll(answer.Body, answer.ContentLength, maxAnswer, nil)
		_ = answer.Body.Close() // it was read as far as it is wanted
		if err == nil {
			err = refused(c, answer, text)
		} else {
			err = s.failed(c, err)
		}
	}
	s.metrics.observe(operation, err, started.Elapsed())
	endCall(span, status, err)
	return err
}

// call is one call to be made.
type call struct {
	callee    definition.Callee
	operation string
	// kind is what a bot gets as the type of the call.
	kind string
	body []byte
	// trace is what the caller sent of its trace; nil: it starts here.
	trace http.Header
}

// send makes a call, and answers when the headers of its answer are there. ctx bounds
// the whole call, what is read of the body included: see timed.
func (s *Service) send(ctx context.Context, c call) (*http.Response, error) {
	address, err := url.Parse(c.callee.Endpoint.URL)
	if err != nil || address.Host == "" {
		return nil, &Refused{Host: "the url", Reason: "no http:// or https:// address"}
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeOf(c.callee))
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), bytes.NewReader(c.body))
	if err != nil {
		cancel()
		return nil, err
	}
	if len(c.body) == 0 {
		r.Body, r.GetBody, r.ContentLength = http.NoBody, nil, 0
	}
	c.setHeaders(r.Header)
	sign(r.Header, c.callee.Endpoint.SigningSecrets, s.Clock.Now(), c.body)
	answer, err := s.Egress.Do(ctx, r)
	if err != nil {
		cancel()
		return nil, err
	}
	answer.Body = &timed{answer.Body, cancel}
	return answer, nil
}

// timed ends the time of a call when its answer's body is closed.
type timed struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (t *timed) Close() error {
	err := t.ReadCloser.Close()
	t.cancel()
	return err
}

// timeOf is how long a call may take.
func (s *Service) timeOf(c definition.Callee) time.Duration {
	switch seconds := c.Endpoint.MaxExecutionTime; {
	case seconds <= 0:
		return min(defaultTime, s.CallTime)
	case seconds < int64(s.CallTime/time.Second):
		return time.Duration(seconds) * time.Second
	}
	return s.CallTime
}

// setHeaders sets what the SDK's servers take a call's context from. They refuse a
// call in which one is missing or empty, but for the type of the configuration,
// which must be missing when it is the unnamed one.
func (c call) setHeaders(header http.Header) {
	set := func(name, value string) { header[name] = []string{value} }
	set("Content-Type", "application/json")
	set("User-Agent", "botyard")
	set("X-Bot-Id", string(c.callee.Bot))
	set("X-Bp-Operation", c.operation)
	configuration := c.callee.Configuration
	if len(configuration) == 0 {
		configuration = []byte("{}")
	}
	set("X-Bp-Configuration", base64.StdEncoding.EncodeToString(configuration))
	if c.callee.Integration == "" {
		set("X-Bp-Type", c.kind)
	} else {
		// Users are the runtime's. Until one keeps them, a bot is its own user.
		set("X-Bot-User-Id", string(c.callee.Bot))
		set("X-Integration-Id", string(c.callee.Integration))
		set("X-Integration-Alias", c.callee.Alias)
		set("X-Webhook-Id", string(c.callee.Webhook))
		if c.callee.ConfigurationType != nil {
			set("X-Bp-Configuration-Type", *c.callee.ConfigurationType)
		}
	}
	parent := c.trace.Get("Traceparent")
	if !trace.Valid(parent) {
		set("Traceparent", newTraceparent())
		return
	}
	set("Traceparent", parent)
	if state := c.trace.Get("Tracestate"); state != "" && len(state) <= maxTracestate {
		set("Tracestate", state)
	}
}

// maxTracestate is how much of a trace's state is passed on (W3C Trace Context).
const maxTracestate = 512

// headerOf is a trace as headers.
func headerOf(traceparent, tracestate string) http.Header {
	header := http.Header{}
	header.Set("Traceparent", traceparent)
	header.Set("Tracestate", tracestate)
	return header
}

func newTraceparent() string {
	const traceBytes, spanBytes = 16, 8
	random := secret.Random(traceBytes + spanBytes)
	return "00-" + hex.EncodeToString(random[:traceBytes]) + "-" + hex.EncodeToString(random[traceBytes:]) + "-01"
}

// named is what a message calls the one that is called.
func named(c definition.Callee) string {
	if c.Integration == "" {
		return "bot"
	}
	return "integration"
}

// nowhere is the fault of a call to what nothing runs.
func nowhere(c definition.Callee) error {
	return fault.New(fault.Runtime, "Nothing runs this %s: it has no url. Deploy it with one.", named(c))
}
