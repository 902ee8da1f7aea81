package wire

import (
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// Fault is the body of every error. The official clients recognise an error by these members
// and choose its class by type.
type Fault struct {
	ID       string         `json:"id" doc:"The id of this response; the server's log has the cause under it."`
	Code     int            `json:"code" doc:"The HTTP status."`
	Type     fault.Type     `json:"type" doc:"The type of the error; clients choose their error class by it."`
	Message  string         `json:"message" doc:"What is wrong, with which value, and what would be right."`
	Metadata map[string]any `json:"metadata,omitempty" doc:"Details for programs."`
}

// Error makes the envelope an error for huma.
func (f *Fault) Error() string { return f.Message }

// GetStatus implements huma.StatusError.
func (f *Fault) GetStatus() int { return f.Code }

// ContentType keeps huma from answering with problem+json.
func (f *Fault) ContentType(string) string { return "application/json" }

// envelope turns an error into its answer: it assigns an id, records the error for the log
// line and sets Retry-After.
func (m *Mux) envelope(x *exchange, header http.Header, err error) *Fault {
	e := fault.From(err)
	f := &Fault{ID: id.NewError(m.clock.Now()), Code: e.Type.Status(), Type: e.Type, Message: e.Message, Metadata: e.Metadata}
	if e.RetryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(seconds(e.RetryAfter)))
	}
	x.fault, x.cause = f, err
	return f
}

// seconds rounds up, so that nobody who waits as told comes too early.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// refuse answers a request with an error.
func (m *Mux) refuse(x *exchange, w *answer, err error) {
	f := m.envelope(x, w.Header(), err)
	w.reset()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.Code)
	// An envelope of strings and numbers always encodes.
	_ = json.MarshalWrite(w, f, writing)
}

// Refuse answers with an error in the form of the API, for handlers beside the operations;
// see Handle.
func (m *Mux) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	m.refuse(exchangeOf(r.Context()), w.(*answer), err)
}

// hook turns huma's own errors into faults. huma knows only HTTP statuses; the details name
// the field and what was expected of it.
func (m *Mux) hook(ctx huma.Context, status int, message string, details ...error) huma.StatusError {
	x := exchangeOf(ctx.Context())
	header := headerOf(ctx)
	for _, detail := range details {
		var e *fault.Error
		if errors.As(detail, &e) {
			return m.envelope(x, header, e)
		}
	}
	return m.envelope(x, header, m.translate(status, message, details))
}

func (m *Mux) translate(status int, message string, details []error) error {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return fault.New(fault.PayloadTooLarge, "The request body is too large for this operation. Bodies up to %s are accepted where code is sent, %s elsewhere.", size(m.limits.CodeBody), size(m.limits.Body))
	case http.StatusRequestTimeout:
		return lateBody()
	case http.StatusUnsupportedMediaType:
		return fault.New(fault.UnsupportedMediaType, "The body must be JSON: send it with content-type application/json.")
	}
	if status >= 500 {
		if message == "cannot read request body" {
			return brokenBody(errors.Join(details...))
		}
		return fault.From(errors.Join(details...))
	}
	if len(details) == 0 {
		return fault.New(fault.InvalidPayload, "The request is not valid: %s.", message)
	}
	kind := fault.InvalidQuery
	var lines []string
	for _, detail := range details {
		var d *huma.ErrorDetail
		if !errors.As(detail, &d) {
			d = &huma.ErrorDetail{Message: detail.Error(), Location: "body"}
		}
		if !strings.HasPrefix(d.Location, "query") {
			kind = fault.InvalidPayload
		}
		lines = append(lines, fault.BoundedTo(d.Location, 200)+": "+fault.BoundedTo(d.Message, 300))
	}
	const most = 5
	if more := len(lines) - most; more > 0 {
		lines = append(lines[:most], "and "+strconv.Itoa(more)+" more")
	}
	return fault.New(kind, "The request is not valid. %s.", strings.Join(lines, "; "))
}

// lateBody is the fault of a body that did not arrive in time.
func lateBody() *fault.Error {
	return fault.New(fault.OperationTimeout, "The request body did not arrive in time. Nothing was changed; send it again.")
}

// brokenBody is the fault of a body that could not be read completely.
func brokenBody(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return fault.New(fault.PayloadTooLarge, "The request body is larger than the %s that this operation accepts.", size(tooLarge.Limit))
	}
	var e *fault.Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return lateBody().Because(err)
	}
	return fault.New(fault.InvalidPayload, "The request body ended prematurely. Nothing was changed; send it again.").Because(err)
}

func size(n int64) string {
	if n >= 1<<20 {
		return strconv.FormatInt(n>>20, 10) + " MiB"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}
