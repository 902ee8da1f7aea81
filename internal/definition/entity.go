package definition

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

// EntityDefinition declares a kind of thing that actions and events deal with.
type EntityDefinition struct {
	Title       string      `json:"title,omitempty" maxLength:"64" doc:"The display name."`
	Description string      `json:"description,omitempty" maxLength:"256" doc:"The description of the entity."`
	Schema      wire.Object `json:"schema" doc:"The JSON schema of the entity."`
}

// EntityReference splits a $ref of the form interface:<alias>/entities/<entity>, by which a
// plugin refers to an entity of an interface that it depends on. ok is false for others.
func EntityReference(ref string) (alias, entity string, ok bool) {
	rest, ok := strings.CutPrefix(ref, interfaceReference)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/entities/")
}

const interfaceReference = "interface:"

// ResolveEntities is schema with references to entities replaced by their schemas; everything
// else stays byte for byte. A reference is an object with a member $ref that begins with
// "interface:", or that is a plain name, by which interfaces refer to their own entities.
// lookup answers the schema of an entity. When it finds none, a plain name stays as it is,
// and the other form is ReferenceNotFound. Other members of the object are kept. The
// inserted schemas are not resolved in turn, and their local references (#/…) are not
// adjusted. LimitExceeded when the result would be too large.
func ResolveEntities(schema wire.Object, lookup func(ref string) (wire.Object, bool)) (wire.Object, error) {
	return resolveEntities("The schema", schema, lookup)
}

func resolveEntities(path string, schema wire.Object, lookup func(ref string) (wire.Object, bool)) (wire.Object, error) {
	if !bytes.Contains(schema, []byte(`"$ref"`)) && !bytes.Contains(schema, []byte(`\u`)) {
		return schema, nil // no reference, not even one written with escapes
	}
	type object struct {
		start  int // in out
		entity wire.Object
	}
	var (
		open   []object
		out    = make([]byte, 0, len(schema))
		from   int64
		reread int
	)
	dec := jsontext.NewDecoder(bytes.NewBuffer(schema), jsontext.AllowInvalidUTF8(true))
	read := func() (jsontext.Token, error) {
		token, err := dec.ReadToken()
		if err != nil {
			return token, err
		}
		out = append(out, schema[from:dec.InputOffset()]...)
		from = dec.InputOffset()
		if len(out) > maxResolvedSchema {
			err = tooLarge(path+", with entities in place of the references to them,", maxResolvedSchema, len(out))
		}
		return token, err
	}
	for {
		token, err := read()
		if err != nil {
			return nil, err
		}
		switch token.Kind() {
		case '{':
			open = append(open, object{start: len(out) - 1})
		case '}':
			o := open[len(open)-1]
			open = open[:len(open)-1]
			if o.entity != nil {
				if reread += len(out) - o.start; reread > maxReread {
					return nil, fault.New(fault.LimitExceeded, "%s has too many references to entities inside of objects that are references themselves. Do not nest a $ref beside another $ref.", path).
						With("limit", maxReread).With("count", reread)
				}
				resolved, err := substitute(o.entity, out[o.start:])
				if err != nil {
					return nil, err
				}
				out = append(out[:o.start], resolved...)
			}
		case '"':
			in, n := dec.StackIndex(dec.StackDepth())
			if in != '{' || n%2 == 0 || token.String() != "$ref" || dec.PeekKind() != '"' {
				break
			}
			value, err := read()
			if err != nil {
				return nil, err
			}
			entity, err := referenced(path, value.String(), lookup)
			if err != nil {
				return nil, err
			}
			open[len(open)-1].entity = entity
		}
		if dec.StackDepth() == 0 {
			return out, nil
		}
	}
}

// referenced is the schema of the entity that ref names, or nil when it names none.
func referenced(path, ref string, lookup func(ref string) (wire.Object, bool)) (wire.Object, error) {
	ofInterface := strings.HasPrefix(ref, interfaceReference)
	if !ofInterface && (ref == "" || strings.ContainsAny(ref, "#/:")) {
		return nil, nil
	}
	entity, found := lookup(ref)
	switch {
	case found && len(entity) == 0:
		return wire.Object(`{}`), nil
	case found:
		return entity, nil
	case ofInterface:
		return nil, fault.New(fault.ReferenceNotFound, "%s refers to %q, but the integration that backs this interface has no such entity.", path, fault.Bounded(ref))
	}
	return nil, nil
}

// annotations are keywords that do not affect validity: those beside a reference override
// those of the entity.
var annotations = map[string]bool{
	"title": true, "description": true, "default": true, "examples": true, "deprecated": true,
	"readOnly": true, "writeOnly": true, "$comment": true, "x-zui": true,
}

// substitute is what replaces reference, an object with a member $ref: entity with the other
// members of the reference added. When both restrict values by the same keyword, the result
// is an allOf of both.
func substitute(entity wire.Object, reference []byte) ([]byte, error) {
	beside, err := membersOf(reference)
	if err != nil {
		return nil, err
	}
	own, err := membersOf(entity)
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool, len(beside))
	var rest []byte
	for _, m := range beside {
		if m.name == "$ref" {
			continue
		}
		names[m.name] = true
		rest = appendMember(rest, m)
	}
	if len(names) == 0 {
		return bytes.Clone(entity), nil
	}
	var all []byte
	for _, m := range own {
		switch {
		case !names[m.name]:
			all = appendMember(all, m)
		case !annotations[m.name]:
			both := append([]byte(`{"allOf":[`), entity...)
			both = append(append(both, ",{"...), rest...)
			return append(both, "}]}"...), nil
		}
	}
	if len(all) > 0 {
		all = append(all, ',')
	}
	return append(append(append([]byte{'{'}, all...), rest...), '}'), nil
}

type member struct {
	name string
	text []byte // "name":value, as it came
}

func membersOf(object []byte) (members []member, err error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(object), jsontext.AllowInvalidUTF8(true))
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	for dec.PeekKind() != '}' {
		from := dec.InputOffset()
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		if err := dec.SkipValue(); err != nil {
			return nil, err
		}
		text := bytes.TrimLeft(object[from:dec.InputOffset()], ", \t\r\n")
		members = append(members, member{key, text})
	}
	return members, nil
}

func appendMember(out []byte, m member) []byte {
	if len(out) > 0 {
		out = append(out, ',')
	}
	return append(out, m.text...)
}
