package catalog

import (
	"github.com/go-json-experiment/json/jsontext"
)

// appendMembers writes the members of an object that is never empty behind those of
// another one, and its brace.
func appendMembers(out []byte, object JSON) []byte {
	return append(append(out, ','), object[1:]...)
}

// appendText writes a string. AppendQuote fails only on bytes that are no UTF-8,
// and then has written the string with U+FFFD in their place.
func appendText(out []byte, s string) []byte {
	out, _ = jsontext.AppendQuote(out, s)
	return out
}
