package wire

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/fault"
)

// MaxDepth is how deeply objects and lists may be nested in what callers send. The JSON
// decoder accepts 10,000 levels, but an answer nests a stored object some levels deeper:
// what is stored close to that limit could not be answered.
//
// The deepest documents that clients send are schemas: 100 of them can be nested, at two
// levels each, below at most ten levels of a definition.
const MaxDepth = 500

// TooDeep reports whether a JSON text is nested deeper than MaxDepth, and where: pointer is a
// JSON pointer, shortened for a message. Text that is not JSON is not too deep.
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

// deeper counts brackets, which is cheap compared with decoding.
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

// refuseDeep returns an error for a body that is nested too deeply.
func refuseDeep(body []byte) error {
	pointer, deep := TooDeep(body)
	if !deep {
		return nil
	}
	return fmt.Errorf("it is nested more than %d levels deep, at %s", MaxDepth, pointer)
}
