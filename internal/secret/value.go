package secret

import (
	"fmt"
	"log/slog"
)

// hidden is what a Value prints and logs.
const hidden = "[hidden]"

// Value is a secret in the form of text: a password, a token, a URL with credentials. It
// prints, logs and marshals as [hidden], or as nothing if it is empty; only Reveal returns
// it.
type Value string

// Reveal is the secret itself.
func (v Value) Reveal() string { return string(v) }

// Format prints [hidden] whatever the verb.
func (v Value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(v.redacted())) }

// LogValue logs [hidden].
func (v Value) LogValue() slog.Value { return slog.StringValue(v.redacted()) }

// MarshalText marshals [hidden]. There is no UnmarshalText: nothing that was
// hidden is ever read back.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.redacted()), nil }

func (v Value) redacted() string {
	if v == "" {
		return ""
	}
	return hidden
}

var _ slog.LogValuer = Value("")
