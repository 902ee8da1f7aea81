package wire

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/fault"
)

// MaxDepth is how many objects and lists may stand in each other in what callers
// send. A reader of JSON takes 10,000, the answer that a stored object stands in some
// levels below included: what is stored at the edge of that could not be answered.
//
// Schemas are the deepest that clients send: 100 of them in each other are accepted,
// two levels each, below at most ten of a definition.
const MaxDepth = 500

// TooDeep says whether a JSON text is nested deeper than MaxDepth, and where: a JSON
// pointer, cut to a length that a message can hold. Of what is no JSON it says no.
func TooDeep(text []byte) (pointer string, deep bool) {
	if !deeper(text) {
		return "", false
	}
	in := jsontext.NewDecoder(bytes.NewBuffer(text), reading, jsontext.AllowDuplicateNames(true))
	for in.StackDepth() <= MaxDepth {
		if _, err := in.ReadToken(); err != nil {
			return "", false
		}
	}
	return fault.BoundedTo(string(in.StackPointer()), 200), true
}

// deeper counts brackets, which takes no time beside reading the text.
func deeper(text []byte) bool {
	if len(text) <= MaxDepth {
		return false
	}
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// refuseDeep is what is wrong with a body that is nested too deep.
func refuseDeep(body []byte) error {
	pointer, deep := TooDeep(body)
	if !deep {
		return nil
	}
	return fmt.Errorf("it is nested more than %d levels deep, at %s", MaxDepth, pointer)
}
