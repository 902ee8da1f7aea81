package wire

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// decoder decodes the bodies of one operation. huma decodes each body twice: into maps and
// lists, which it validates against the operation's schema, and into the input. The first
// is most of the work, and most of that goes into what the schema leaves free: the
// definitions of bots and packages. A decoder knows the schema, and skips what it does not
// constrain.
type decoder struct {
	registry huma.Registry
	schema   *huma.Schema // nil for operations without a body
}

func (d *decoder) decode(body []byte, v any) error {
	generic, ok := v.(*any)
	if ok {
		if err := refuseDeep(body); err != nil {
			return err
		}
	}
	if !ok || d.schema == nil || !utf8.Valid(body) {
		return decode(body, v)
	}
	in := jsontext.NewDecoder(bytes.NewBuffer(body), reading)
	value, err := d.read(in, d.schema)
	if err == nil {
		if _, end := in.ReadToken(); errors.Is(end, io.EOF) {
			*generic = value
			return nil
		}
	}
	return decode(body, v) // reports what is wrong
}

// read reads the next value as far as the schema constrains it: only the named members of an
// object, only the kind of a free value.
func (d *decoder) read(in *jsontext.Decoder, s *huma.Schema) (any, error) {
	for s.Ref != "" {
		s = d.registry.SchemaFromRef(s.Ref)
	}
	if len(s.OneOf)+len(s.AnyOf)+len(s.AllOf)+len(s.Enum) > 0 || s.Not != nil {
		return readAll(in)
	}
	if s.Type == "" {
		return nil, pass(in)
	}
	switch kind := in.PeekKind(); {
	case kind == '"':
		token, err := in.ReadToken()
		return token.String(), err
	case s.Type == huma.TypeObject && kind == '{':
		return d.readObject(in, s)
	case s.Type == huma.TypeArray && kind == '[' && s.Items != nil && !s.UniqueItems:
		return d.readArray(in, s)
	}
	return readAll(in)
}

// passedOver replaces every free object; nobody writes to it.
var passedOver = map[string]any{}

// pass skips a value. Reading it is faster than SkipValue, which goes token by token, and
// copies nothing: the body is in memory.
func pass(in *jsontext.Decoder) error {
	_, err := in.ReadValue()
	return err
}

func readAll(in *jsontext.Decoder) (v any, err error) {
	err = json.UnmarshalDecode(in, &v, reading)
	return v, err
}

func (d *decoder) readObject(in *jsontext.Decoder, s *huma.Schema) (any, error) {
	others, named := s.AdditionalProperties.(*huma.Schema)
	counted := s.MinProperties != nil || s.MaxProperties != nil || len(s.DependentRequired) > 0 || s.AdditionalProperties == false
	if len(s.Properties) == 0 && !named && !counted {
		return passedOver, pass(in)
	}
	if counted {
		return readAll(in)
	}
	members := map[string]any{}
	if _, err := in.ReadToken(); err != nil {
		return nil, err
	}
	for in.PeekKind() != '}' {
		token, err := in.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String()
		member := s.Properties[name]
		if member == nil && named {
			member = others
		}
		if member == nil {
			err = pass(in)
		} else {
			members[name], err = d.read(in, member)
		}
		if err != nil {
			return nil, err
		}
	}
	_, err := in.ReadToken()
	return members, err
}

func (d *decoder) readArray(in *jsontext.Decoder, s *huma.Schema) (any, error) {
	if _, err := in.ReadToken(); err != nil {
		return nil, err
	}
	items := []any{}
	for in.PeekKind() != ']' {
		item, err := d.read(in, s.Items)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := in.ReadToken()
	return items, err
}
