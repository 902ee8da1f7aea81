package fault_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
)

// published is the public API's own table of error types and statuses.
const published = `Unknown 500, Internal 500, Unauthorized 401, Forbidden 403, PayloadTooLarge 413,
InvalidPayload 400, UnsupportedMediaType 415, MethodNotFound 405, ResourceNotFound 404,
InvalidJsonSchema 400, InvalidDataFormat 400, InvalidIdentifier 400, RelationConflict 409,
ReferenceConstraint 409, ResourceLockedConflict 409, ResourceGone 410, ReferenceNotFound 400,
InvalidQuery 400, Runtime 400, AlreadyExists 409, RateLimited 429, PaymentRequired 402,
QuotaExceeded 403, LimitExceeded 413, BreakingChanges 400, OperationTimeout 504`

var types = []fault.Type{
	fault.Unknown, fault.Internal, fault.Unauthorized, fault.Forbidden, fault.PayloadTooLarge,
	fault.InvalidPayload, fault.UnsupportedMediaType, fault.MethodNotFound, fault.ResourceNotFound,
	fault.InvalidJSONSchema, fault.InvalidDataFormat, fault.InvalidIdentifier, fault.RelationConflict,
	fault.ReferenceConstraint, fault.ResourceLockedConflict, fault.ResourceGone, fault.ReferenceNotFound,
	fault.InvalidQuery, fault.Runtime, fault.AlreadyExists, fault.RateLimited, fault.PaymentRequired,
	fault.QuotaExceeded, fault.LimitExceeded, fault.BreakingChanges, fault.OperationTimeout,
}

func TestStatuses(t *testing.T) {
	var got []string
	for _, kind := range types {
		got = append(got, fmt.Sprintf("%s %d", kind, kind.Status()))
	}
	want := strings.Split(strings.ReplaceAll(published, "\n", " "), ", ")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("types and statuses (-published +ours):\n%s", diff)
	}
	if got := fault.Type("Teapot").Status(); got != 500 {
		t.Errorf("the status of a type that is none is %d, want 500", got)
	}
}

func TestCauseStaysInside(t *testing.T) {
	e := fault.New(fault.AlreadyExists, "Handle %q is taken.", "acme").Because(io.ErrUnexpectedEOF).
		With("handle", "acme").After(time.Second)
	if e.Message != `Handle "acme" is taken.` {
		t.Errorf("the public message is %q", e.Message)
	}
	if got := e.Error(); got != `AlreadyExists: Handle "acme" is taken.: unexpected EOF` {
		t.Errorf("the log reads %q", got)
	}
	if !errors.Is(e, io.ErrUnexpectedEOF) {
		t.Error("the cause cannot be found by errors.Is")
	}
	if e.RetryAfter != time.Second || e.Metadata["handle"] != "acme" {
		t.Errorf("wait %s, metadata %v", e.RetryAfter, e.Metadata)
	}
	if got := fault.New(fault.Forbidden, "No.").Error(); got != "Forbidden: No." {
		t.Errorf("without a cause the log reads %q", got)
	}
}

func TestFrom(t *testing.T) {
	known := fault.New(fault.Forbidden, "No.")
	if got := fault.From(fmt.Errorf("while asking: %w", known)); got != known {
		t.Errorf("a wrapped fault became %v", got)
	}
	unexpected := fault.From(errors.New("password=hunter2"))
	if unexpected.Type != fault.Internal || strings.Contains(unexpected.Message, "hunter2") {
		t.Errorf("an unexpected error is told as %s: %s", unexpected.Type, unexpected.Message)
	}
	if !strings.Contains(unexpected.Error(), "hunter2") {
		t.Error("the log does not hold the cause of an unexpected error")
	}
	if fault.From(nil) != nil {
		t.Error("no error became one")
	}
}

func TestIs(t *testing.T) {
	err := fmt.Errorf("while asking: %w", fault.New(fault.Forbidden, "No."))
	if !fault.Is(err, fault.Forbidden) || fault.Is(err, fault.Internal) || fault.Is(io.EOF, fault.Internal) || fault.Is(nil, fault.Internal) {
		t.Error("Is does not tell the types of wrapped faults apart")
	}
}
