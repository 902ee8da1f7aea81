package definition

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

// maxSchemaDepth is how deep schemas may be nested.
const maxSchemaDepth = 100

// checkSchema checks that text has the form of a JSON schema: that the values of its keywords are
// of the right kind. References are not resolved, and unknown keywords are ignored.
// InvalidJsonSchema names the place, LimitExceeded the size.
func checkSchema(path string, text wire.Object) error {
	if size := len(text); size > maxSchema {
		return tooLarge(path, maxSchema, size)
	}
	if len(text) == 0 {
		return nil // written as {}
	}
	reader := schemaReaders.Get().(*jsontext.Decoder)
	defer schemaReaders.Put(reader)
	s := schemaReader{reader}
	s.Reset(bytes.NewBuffer(text), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	if err := s.schema(0); err != nil {
		return fault.New(fault.InvalidJSONSchema, "%s is not a JSON schema: %s.", path, err)
	}
	return nil
}

// schemaReader reads a schema token by token and keeps nothing, because a definition can have
// hundreds of schemas. Duplicate names were already ruled out when the request was decoded.
type schemaReader struct{ *jsontext.Decoder }

var schemaReaders = sync.Pool{New: func() any { return new(jsontext.Decoder) }}

// form is what the value of a keyword must be; zero is anything.
type form byte

const (
	aText form = iota + 1
	aTextOrList
	textList
	anArray
	aSchema
	aSchemaOrList
	schemaList
	schemaMap
)

// forms are the forms by keyword, in quotes as in the text.
var forms = map[string]form{
	`"$ref"`: aText, `"pattern"`: aText,
	`"type"`: aTextOrList, `"required"`: textList, `"enum"`: anArray,
	`"properties"`: schemaMap, `"patternProperties"`: schemaMap, `"definitions"`: schemaMap, `"$defs"`: schemaMap,
	`"dependentSchemas"`: schemaMap,
	`"allOf"`:            schemaList, `"anyOf"`: schemaList, `"oneOf"`: schemaList, `"items"`: aSchemaOrList,
	`"additionalProperties"`: aSchema, `"additionalItems"`: aSchema, `"propertyNames"`: aSchema, `"contains"`: aSchema, `"not"`: aSchema,
	`"if"`: aSchema, `"then"`: aSchema, `"else"`: aSchema,
}

// formOf is the form of the value of a keyword, which may be written with escapes.
func formOf(quoted jsontext.Value) form {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return forms[string(quoted)]
	}
	name, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		return 0
	}
	return forms[`"`+string(name)+`"`]
}

var kindNames = map[jsontext.Kind]string{
	'n': "null", 't': "a boolean", 'f': "a boolean", '"': "a string", '0': "a number", '{': "an object", '[': "an array",
}

// refuse is the error about the next value, which should have been what want says.
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

// schema reads a schema: an object of keywords, or a boolean.
func (s schemaReader) schema(depth int) error {
	if depth > maxSchemaDepth {
		return fmt.Errorf("schemas are nested more than %d levels deep", maxSchemaDepth)
	}
	switch s.PeekKind() {
	case 't', 'f':
		return s.SkipValue()
	case '{':
		return s.members(func(f form) error { return s.value(f, depth+1) })
	}
	return s.refuse("a schema, which is an object or a boolean")
}

// value reads the value of a keyword.
func (s schemaReader) value(f form, depth int) error {
	kind := s.PeekKind()
	switch f {
	case aText:
		return s.text()
	case aTextOrList:
		if kind == '[' {
			return s.elements(s.text)
		}
		if kind != '"' {
			return s.refuse("a string or an array of strings")
		}
	case textList:
		if kind != '[' {
			return s.refuse("an array of strings")
		}
		return s.elements(s.text)
	case anArray:
		if kind != '[' {
			return s.refuse("an array")
		}
	case schemaMap:
		if kind != '{' {
			return s.refuse("an object of schemas")
		}
		return s.members(func(form) error { return s.schema(depth) })
	case schemaList:
		if kind != '[' {
			return s.refuse("an array of schemas")
		}
		return s.elements(func() error { return s.schema(depth) })
	case aSchemaOrList:
		if kind == '[' {
			return s.elements(func() error { return s.schema(depth) })
		}
		return s.schema(depth)
	case aSchema:
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

// members reads an object, and has read read each value, given the form for its name.
func (s schemaReader) members(read func(f form) error) error {
	if _, err := s.ReadToken(); err != nil {
		return err
	}
	for s.PeekKind() != '}' {
		name, err := s.ReadValue()
		if err != nil {
			return err
		}
		if err := read(formOf(name)); err != nil {
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
