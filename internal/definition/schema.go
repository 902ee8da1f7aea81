package definition

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

// mostSchemaDepth bounds how deep schemas stand in schemas.
const mostSchemaDepth = 100

// checkSchema says whether text has the form of a JSON schema: its keywords hold
// values of the right kind. References are not resolved and unknown keywords not
// looked at. InvalidJsonSchema names the place, LimitExceeded the size.
func checkSchema(path string, text wire.Object) error {
	if size := len(text); size > mostSchema {
		return tooLarge(path, mostSchema, size)
	}
	if len(text) == 0 {
		return nil // written as {}
	}
	s := schemaReader{jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowInvalidUTF8(true))}
	if err := s.schema(0); err != nil {
		return fault.New(fault.InvalidJSONSchema, "%s is not a JSON schema: %s.", path, err)
	}
	return nil
}

// schemaReader walks a schema token by token: nothing is kept.
type schemaReader struct{ *jsontext.Decoder }

var kindNames = map[jsontext.Kind]string{
	'n': "null", 't': "a boolean", 'f': "a boolean", '"': "a string", '0': "a number", '{': "an object", '[': "an array",
}

// refuse names the next value and what it should have been.
func (s schemaReader) refuse(want string) error {
	got := kindNames[s.PeekKind()]
	if err := s.SkipValue(); err != nil {
		return err
	}
	pointer := fault.Bounded(string(s.StackPointer()))
	if pointer == "" {
		return fmt.Errorf("it is %s and must be %s", got, want)
	}
	return fmt.Errorf("%s is %s and must be %s", pointer, got, want)
}

// schema reads an object of keywords, or a boolean: all or nothing is valid.
func (s schemaReader) schema(depth int) error {
	if depth > mostSchemaDepth {
		return fmt.Errorf("schemas stand more than %d deep in each other", mostSchemaDepth)
	}
	switch s.PeekKind() {
	case 't', 'f':
		return s.SkipValue()
	case '{':
		return s.members(func(keyword string) error { return s.keyword(keyword, depth+1) })
	}
	return s.refuse("a schema, which is an object or a boolean")
}

func (s schemaReader) keyword(name string, depth int) error {
	kind := s.PeekKind()
	switch name {
	case "type":
		if kind == '[' {
			return s.elements(func() error { return s.text() })
		}
		if kind != '"' {
			return s.refuse("a string or an array of strings")
		}
	case "$ref", "pattern":
		return s.text()
	case "required":
		if kind != '[' {
			return s.refuse("an array of strings")
		}
		return s.elements(func() error { return s.text() })
	case "enum":
		if kind != '[' {
			return s.refuse("an array")
		}
	case "properties", "patternProperties", "definitions", "$defs", "dependentSchemas":
		if kind != '{' {
			return s.refuse("an object of schemas")
		}
		return s.members(func(string) error { return s.schema(depth) })
	case "allOf", "anyOf", "oneOf":
		if kind != '[' {
			return s.refuse("an array of schemas")
		}
		return s.elements(func() error { return s.schema(depth) })
	case "items":
		if kind == '[' {
			return s.elements(func() error { return s.schema(depth) })
		}
		return s.schema(depth)
	case "additionalProperties", "additionalItems", "propertyNames", "contains", "not", "if", "then", "else":
		return s.schema(depth)
	}
	return s.SkipValue()
}

func (s schemaReader) text() error {
	if s.PeekKind() != '"' {
		return s.refuse("a string")
	}
	return s.SkipValue()
}

func (s schemaReader) members(read func(name string) error) error {
	if _, err := s.ReadToken(); err != nil {
		return err
	}
	for s.PeekKind() != '}' {
		name, err := s.ReadToken()
		if err != nil {
			return err
		}
		if err := read(name.String()); err != nil {
			return err
		}
	}
	_, err := s.ReadToken()
	return err
}

func (s schemaReader) elements(read func() error) error {
	if _, err := s.ReadToken(); err != nil {
		return err
	}
	for s.PeekKind() != ']' {
		if err := read(); err != nil {
			return err
		}
	}
	_, err := s.ReadToken()
	return err
}
