package dispatch

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// incoming is a call from outside as the integration sees it.
type incoming struct {
	method string
	// path is what follows the webhook in the url, escaped as it came, with its slash.
	path string
	// query is without its question mark.
	query   string
	headers map[string]string // names in lower case
	body    []byte
	hasBody bool
}

// appendJSON writes the call as the member req of a webhook_received, or as the data
// of a script.
func (in incoming) appendJSON(out []byte) []byte {
	out = wire.AppendText(append(out, `"method":`...), in.method)
	out = wire.AppendText(append(out, `,"path":`...), in.path)
	out = wire.AppendText(append(out, `,"query":`...), in.query)
	out = append(out, `,"headers":`...)
	out = appendTexts(out, in.headers)
	if in.hasBody {
		out = wire.AppendText(append(out, `,"body":`...), in.body)
	}
	return out
}

func appendTexts(out []byte, texts map[string]string) []byte {
	out = append(out, '{')
	comma := false
	for name, value := range texts {
		if comma {
			out = append(out, ',')
		}
		comma = true
		out = wire.AppendText(append(wire.AppendText(out, name), ':'), value)
	}
	return append(out, '}')
}

// quotedSize is the most bytes that a text takes as a JSON string, quotes included: a
// control character becomes six.
func quotedSize(text []byte) int {
	size := len(text) + 2
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			size++
		case c < ' ':
			size += len(`\u0000`) - 1
		}
	}
	return size
}

// answered is what a relay returns to the outside caller.
type answered struct {
	status int
	header http.Header
	body   []byte
}

// noSuchWebhook is the one answer for a webhook that never was and for one of an
// instance that was removed.
func noSuchWebhook(w id.Webhook) error {
	return fault.New(fault.ResourceNotFound, "There is no webhook %q: no installed integration has it, or it has it no more.", fault.Bounded(string(w)))
}

// instance reads the instance that a call is for, and says why it cannot have it.
// The registration does not matter: an external service may call the webhook while the
// integration registers, to verify that it is its own.
func (s *Service) instance(ctx context.Context, w id.Webhook) (definition.Instance, error) {
	if len(w) > maxWebhook || !isText(string(w)) {
		return definition.Instance{}, noSuchWebhook(w)
	}
	i, found, err := s.Instances.Called(ctx, w)
	switch {
	case err != nil:
		return i, err
	case !found:
		return i, noSuchWebhook(w)
	case i.Unpaid:
		// Which workspace it is, and how it pays, is none of an outside caller's business.
		return i, fault.New(fault.PaymentRequired, "The workspace of the bot behind this webhook is blocked until its invoices are paid. Its bots take no calls; send it again when they are.").
			Because(access.Unpaid(i.Workspace))
	case i.Blocked:
		return i, fault.New(fault.Forbidden, "The bot behind this webhook is blocked and takes no calls.")
	case !i.Enabled:
		return i, fault.New(fault.Forbidden, "The integration behind this webhook is switched off. Its owner can enable it in the bot.")
	case i.Endpoint.URL == "":
		return i, nowhere(i.Callee)
	}
	err = s.Quota.MayAnswer(ctx, i.Workspace)
	if fault.Is(err, fault.QuotaExceeded) {
		// The numbers are none of an outside caller's business.
		return i, fault.New(fault.QuotaExceeded, "The bot behind this webhook has no incoming messages left this month and takes no calls. Its owner can raise the quota.").Because(err)
	}
	return i, err
}

// isText says that a database could hold s. PostgreSQL refuses to compare the rest, so
// what is not text is not there.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// maxWebhook is more than a webhook's id has, in bytes.
const maxWebhook = 100

// relay passes a call on to the instance of a webhook and answers what it answers.
// body reads the call's body, with the memory of the lease. Errors: ResourceNotFound,
// Forbidden, PaymentRequired and Runtime when there is nobody to relay to, RateLimited when too much is
// under way, PayloadTooLarge and UnsupportedMediaType for bodies that cannot be
// relayed, OperationTimeout and Internal when the integration does not answer.
func (s *Service) relay(ctx context.Context, w id.Webhook, in incoming, read func(*lease) ([]byte, error)) (answered, error) {
	i, err := s.instance(ctx, w)
	if err != nil {
		return answered{}, err
	}
	memory, err := s.load.begin(w)
	if err != nil {
		return answered{}, err
	}
	defer memory.end()
	if in.body, err = read(memory); err != nil {
		return answered{}, err
	}
	in.hasBody = len(in.body) > 0
	out, err := s.pass(ctx, i, in, memory)
	if err != nil {
		return answered{}, err
	}
	if identifier, given := identifierOf(out.header); given {
		if err := s.identify(ctx, i, identifier); err != nil {
			return answered{}, err
		}
	}
	return out, nil
}

func (s *Service) pass(ctx context.Context, i definition.Instance, in incoming, memory *lease) (answered, error) {
	const members = 512 // more than the JSON around the headers and the body
	quoted := quotedSize(in.body)
	if err := memory.grow(int64(quoted) + members); err != nil {
		return answered{}, full()
	}
	body := append(make([]byte, 0, quoted+2*members), `{"req":{`...)
	body = append(in.appendJSON(body), `}}`...)
	c := call{
		callee: i.Callee, operation: operationWebhook, kind: operationWebhook, body: body,
		trace: headerOf(in.headers["traceparent"], in.headers["tracestate"]),
	}

	started := clock.Start()
	ctx, span := s.begin(ctx, &c)
	out, err := s.exchange(ctx, c, memory)
	s.metrics.observe(operationWebhook, err, started.Elapsed())
	endCall(span, out.status, err)
	return out, err
}

func (s *Service) exchange(ctx context.Context, c call, memory *lease) (answered, error) {
	answer, err := s.send(ctx, c)
	if err != nil {
		return answered{}, s.failed(c.callee, err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read as far as it is wanted
	if answer.StatusCode < 200 {
		return answered{}, fault.New(fault.Internal, "The integration switched to another protocol (HTTP %d), which cannot be relayed.", answer.StatusCode)
	}
	text, err := readAll(answer.Body, answer.ContentLength, s.load.Body, memory)
	if errors.Is(err, errFull) {
		return answered{}, full()
	}
	if err != nil {
		return answered{}, s.failed(c.callee, err)
	}
	return answered{answer.StatusCode, answer.Header, text}, nil
}

func full() error {
	return fault.New(fault.RateLimited, "The webhook calls under way have used up the memory set aside for them. Send it again later.").After(retryAfter)
}

const (
	identifierHeader = "X-Bp-Integration-Identifier"
	// maxIdentifier bounds an identifier, in bytes.
	maxIdentifier = 1000
)

// identifierOf is the identifier that an integration gives its instance.
func identifierOf(header http.Header) (identifier string, given bool) {
	values := header[identifierHeader]
	if len(values) == 0 {
		return "", false
	}
	return strings.TrimSpace(values[0]), true
}

func (s *Service) identify(ctx context.Context, i definition.Instance, identifier string) error {
	if len(identifier) > maxIdentifier || !isText(identifier) {
		return fault.New(fault.Internal, "The integration answered with an identifier of more than %d bytes, or one that is not UTF-8. It was not stored.", maxIdentifier)
	}
	if identifier == "" || identifier == i.Identifier {
		return nil
	}
	return s.Instances.Identify(ctx, i.Webhook, i.Endpoint.Scope, identifier)
}

// kept are the headers of a call that its integration sees.
func kept(r *http.Request) map[string]string {
	headers := make(map[string]string, len(r.Header)+1)
	headers["host"] = r.Host
	named := connectionNames(r.Header)
	for name, values := range r.Header {
		lower := strings.ToLower(name)
		// Cookies belong to this server's origin, not to the integration.
		if lower == "cookie" || ofConnection(lower) || slices.Contains(named, lower) {
			continue
		}
		headers[lower] = strings.Join(values, ", ")
	}
	return headers
}

// connectionNames are the headers that a message itself declares to be hop-by-hop.
func connectionNames(header http.Header) (names []string) {
	for _, value := range header["Connection"] {
		for name := range strings.SplitSeq(value, ",") {
			names = append(names, strings.ToLower(strings.TrimSpace(name)))
		}
	}
	return names
}

// ofConnection says whether a header, in lower case, is hop-by-hop (RFC 9110, section
// 7.6.1).
func ofConnection(name string) bool {
	switch name {
	case "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade":
		return true
	}
	return false
}

// pageRules give a page that an integration returns an origin of its own, so that it
// cannot act as a page of this server.
const pageRules = "sandbox allow-forms allow-scripts allow-popups allow-modals allow-downloads"

// copyHeader copies the headers of an integration's answer except for hop-by-hop ones,
// those that this server sets itself, and those that would change how browsers treat
// its whole origin.
func copyHeader(to, from http.Header) {
	named := connectionNames(from)
	for name, values := range from {
		lower := strings.ToLower(name)
		if ofConnection(lower) || slices.Contains(named, lower) || ours(lower) {
			continue
		}
		to[name] = values
	}
	to.Add("Content-Security-Policy", pageRules)
	to.Set("X-Content-Type-Options", "nosniff")
}

func ours(name string) bool {
	switch name {
	case "content-length", "date", "server", "x-request-id", "vary", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset",
		"x-bp-integration-identifier", "x-bp-disable-interstitial",
		"set-cookie", "clear-site-data", "strict-transport-security", "service-worker-allowed", "public-key-pins", "expect-ct",
		"alt-svc", "nel", "report-to", "reporting-endpoints", "origin-agent-cluster", "accept-ch":
		return true
	}
	return strings.HasPrefix(name, "access-control-")
}
