package fault

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Type is the public type of an error. Clients choose their error class by it alone, so a
// value outside of this list reaches them as Unknown.
type Type string

// The error types of the public API, with the statuses of Type.Status.
const (
	Unknown                Type = "Unknown"
	Internal               Type = "Internal"
	Unauthorized           Type = "Unauthorized"
	Forbidden              Type = "Forbidden"
	PayloadTooLarge        Type = "PayloadTooLarge"
	InvalidPayload         Type = "InvalidPayload"
	UnsupportedMediaType   Type = "UnsupportedMediaType"
	MethodNotFound         Type = "MethodNotFound"
	ResourceNotFound       Type = "ResourceNotFound"
	InvalidJSONSchema      Type = "InvalidJsonSchema"
	InvalidDataFormat      Type = "InvalidDataFormat"
	InvalidIdentifier      Type = "InvalidIdentifier"
	RelationConflict       Type = "RelationConflict"
	ReferenceConstraint    Type = "ReferenceConstraint"
	ResourceLockedConflict Type = "ResourceLockedConflict"
	ResourceGone           Type = "ResourceGone"
	ReferenceNotFound      Type = "ReferenceNotFound"
	InvalidQuery           Type = "InvalidQuery"
	Runtime                Type = "Runtime"
	AlreadyExists          Type = "AlreadyExists"
	RateLimited            Type = "RateLimited"
	PaymentRequired        Type = "PaymentRequired"
	QuotaExceeded          Type = "QuotaExceeded"
	LimitExceeded          Type = "LimitExceeded"
	BreakingChanges        Type = "BreakingChanges"
	OperationTimeout       Type = "OperationTimeout"
)

var statuses = map[Type]int{
	Unknown: 500, Internal: 500, Unauthorized: 401, Forbidden: 403,
	PayloadTooLarge: 413, InvalidPayload: 400, UnsupportedMediaType: 415,
	MethodNotFound: 405, ResourceNotFound: 404, InvalidJSONSchema: 400,
	InvalidDataFormat: 400, InvalidIdentifier: 400, RelationConflict: 409,
	ReferenceConstraint: 409, ResourceLockedConflict: 409, ResourceGone: 410,
	ReferenceNotFound: 400, InvalidQuery: 400, Runtime: 400, AlreadyExists: 409,
	RateLimited: 429, PaymentRequired: 402, QuotaExceeded: 403,
	LimitExceeded: 413, BreakingChanges: 400, OperationTimeout: 504,
}

// Status is the HTTP status of the type, and 500 for an unknown one.
func (t Type) Status() int {
	if s, ok := statuses[t]; ok {
		return s
	}
	return 500
}

// Known reports whether t is in the list.
func (t Type) Known() bool { _, ok := statuses[t]; return ok }

// Error is the error that every layer returns to its caller.
type Error struct {
	Type Type
	// Message is public: it says what is wrong, with which value, and what would be
	// right. It never contains a cause, a secret or a whole body.
	Message string
	// Metadata is public and optional; its keys are part of the API.
	Metadata map[string]any
	// RetryAfter is how long the caller should wait, if positive.
	RetryAfter time.Duration
	cause      error
}

// New creates an error of type t with a public message.
func New(t Type, format string, args ...any) *Error {
	return &Error{Type: t, Message: fmt.Sprintf(format, args...)}
}

// Because adds the cause, for the log; callers never see it.
func (e *Error) Because(cause error) *Error {
	e.cause = cause
	return e
}

// With adds one public metadata entry.
func (e *Error) With(key string, value any) *Error {
	if e.Metadata == nil {
		e.Metadata = map[string]any{}
	}
	e.Metadata[key] = value
	return e
}

// After sets how long the caller should wait before trying again.
func (e *Error) After(d time.Duration) *Error {
	e.RetryAfter = d
	return e
}

// Error includes the cause: it is for the log, not for an answer.
func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Type, e.Message, e.cause)
	}
	return fmt.Sprintf("%s: %s", e.Type, e.Message)
}

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.cause }

// internalMessage is all that a caller learns of an unexpected failure. By the id of the
// answer, the operator finds the cause in the log.
const internalMessage = "Something went wrong on our side. Nothing was changed. Quote the id of this error to the operator of this server."

// From turns any error into an *Error. An *Error, wrapped or not, is returned as it is; any
// other error becomes the cause of an Internal one. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Type: Internal, Message: internalMessage, cause: err}
}

// Is reports whether err is, or wraps, an *Error of type t.
func Is(err error, t Type) bool {
	var e *Error
	return errors.As(err, &e) && e.Type == t
}

// Bounded shortens what a caller sent to 100 bytes, for a message.
func Bounded(s string) string { return BoundedTo(s, 100) }

// BoundedTo cuts text to most bytes, on a rune's boundary, and says that it did.
func BoundedTo(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
