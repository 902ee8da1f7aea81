package dispatch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
)

// maxReason bounds the words of a far side that are kept, in characters; it is the
// limit of a statusReason.
const maxReason = 2000

// retryAfter is when what may be tried again can be.
const retryAfter = time.Second

// failed is the public fault of a call that had no answer.
func (s *Service) failed(c definition.Callee, err error) error {
	who := named(c)
	var refused *Refused
	var netErr net.Error
	var tooLarge *tooLargeError
	switch {
	case errors.As(err, &refused):
		return fault.New(fault.Forbidden, "The %s was not called: %s. Give it a url on the public internet, or ask the operator to allow the address (setting egress_allow).", who, refused).Because(err)
	case errors.As(err, &tooLarge):
		return fault.New(fault.Internal, "The answer of the %s is larger than the limit of %d bytes.", who, tooLarge.most).Because(err)
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &netErr) && netErr.Timeout():
		return fault.New(fault.OperationTimeout, "The %s did not answer within %s.", who, s.timeOf(c)).Because(err)
	case errors.Is(err, context.Canceled):
		return err
	}
	return fault.New(fault.Internal, "The %s could not be reached at its url: %s.", who, unreachable(err)).Because(err).After(retryAfter)
}

// unreachable is why there was no connection, in words that tell nothing of this
// server's network.
func unreachable(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns):
		return "its host name was not found"
	case errors.As(err, &op) && op.Op == "dial":
		return "nobody takes connections there"
	}
	return "the connection broke before there was an answer"
}

// told is an error as the SDK's servers answer it.
type told struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

// refused is the public fault of an answer that is no success; nil for one that is.
// What a Runtime error says is meant for the owner of the bot and kept word for word;
// of every other answer only what kind it is.
func refused(c definition.Callee, answer *http.Response, body []byte) error {
	who, status := named(c), answer.StatusCode
	if status >= 200 && status < 300 {
		return nil
	}
	var t told
	// A body that is no JSON tells nothing.
	_ = json.Unmarshal(body, &t)
	var f *fault.Error
	switch {
	case t.Type == string(fault.Runtime) && strings.TrimSpace(t.Message) != "" && status >= 400:
		f = &fault.Error{Type: fault.Runtime, Message: storable(t.Message, maxReason)}
	case status >= 300 && status < 400:
		f = fault.New(fault.Internal, "The %s answered with a redirect (HTTP %d), and redirects are not followed. Give it the url that the redirect leads to.", who, status)
	case fault.Type(t.Type).Known():
		f = fault.New(fault.Internal, "The %s answered with an error (HTTP %d, %s). Its log has the cause.", who, status, t.Type)
	default:
		f = fault.New(fault.Internal, "The %s answered with an error (HTTP %d). Its log may have the cause.", who, status)
	}
	if transient(status) {
		f.RetryAfter = retryAfter
	}
	return f
}

// transient says whether a call may be tried again after a status. The SDK's servers
// answer 400 for what their code refuses, and 500 for what it did not expect, "so
// callers can consider it transient".
func transient(status int) bool { return status >= 500 || status == http.StatusTooManyRequests }

// storable is text as every database takes it, of at most so many characters.
func storable(text string, most int) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD")
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}

// tooLargeError is a body of which more came than is read.
type tooLargeError struct{ most int64 }

func (e *tooLargeError) Error() string { return fmt.Sprintf("the body has more than %d bytes", e.most) }
