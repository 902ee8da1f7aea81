package contract

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Operation is all that a caller can see of one operation, without prose.
type Operation struct {
	ID         string      `json:"id"`
	Method     string      `json:"method"`
	Path       string      `json:"path"`
	Parameters []Parameter `json:"parameters"`
	Request    *Schema     `json:"request,omitempty"`
	Answer     *Schema     `json:"answer,omitempty"`
}

// Parameter is one parameter in a path, a query or a header.
type Parameter struct {
	Name     string  `json:"name"`
	In       string  `json:"in"`
	Required bool    `json:"required,omitempty"`
	Schema   *Schema `json:"schema"`
}

// Schema is the part of OpenAPI 3.0's schema that the contract uses. Defaults and
// marks of deprecation are left out: neither changes what is sent.
type Schema struct {
	Ref              string             `json:"$ref,omitempty"`
	Type             string             `json:"type,omitempty"`
	Format           string             `json:"format,omitempty"`
	Nullable         bool               `json:"nullable,omitempty"`
	Enum             []any              `json:"enum,omitempty"`
	Pattern          string             `json:"pattern,omitempty"`
	MinLength        *float64           `json:"minLength,omitempty"`
	MaxLength        *float64           `json:"maxLength,omitempty"`
	Minimum          *float64           `json:"minimum,omitempty"`
	Maximum          *float64           `json:"maximum,omitempty"`
	ExclusiveMinimum bool               `json:"exclusiveMinimum,omitempty"`
	ExclusiveMaximum bool               `json:"exclusiveMaximum,omitempty"`
	MinItems         *float64           `json:"minItems,omitempty"`
	MaxItems         *float64           `json:"maxItems,omitempty"`
	Items            *Schema            `json:"items,omitempty"`
	Properties       map[string]*Schema `json:"properties,omitempty"`
	Required         []string           `json:"required,omitempty"`
	Additional       *Additional        `json:"additionalProperties,omitempty"`
	OneOf            []*Schema          `json:"oneOf,omitempty"`
	AnyOf            []*Schema          `json:"anyOf,omitempty"`
	AllOf            []*Schema          `json:"allOf,omitempty"`
	Not              *Schema            `json:"not,omitempty"`
}

// Additional is what an object may hold beside its properties: nothing (the zero
// value), anything, or values of a schema.
type Additional struct {
	Any    bool
	Schema *Schema
}

// MarshalJSON writes a boolean or a schema.
func (a Additional) MarshalJSON() ([]byte, error) {
	if a.Schema != nil {
		return json.Marshal(a.Schema)
	}
	return json.Marshal(a.Any)
}

// UnmarshalJSON reads a boolean or a schema.
func (a *Additional) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &a.Any) == nil {
		return nil
	}
	return json.Unmarshal(b, &a.Schema)
}

// document is an OpenAPI document as far as it is compared.
type document struct {
	Paths      map[string]map[string]declaration `json:"paths"`
	Components struct {
		Schemas map[string]*Schema `json:"schemas"`
	} `json:"components"`
}

type declaration struct {
	ID          string             `json:"operationId"`
	Parameters  []Parameter        `json:"parameters"`
	RequestBody *content           `json:"requestBody"`
	Responses   map[string]content `json:"responses"`
}

type content struct {
	Content map[string]struct {
		Schema *Schema `json:"schema"`
	} `json:"content"`
}

// ReadDocument lists the operations of an OpenAPI document, by id, with every
// $ref replaced by what it points to.
func ReadDocument(text []byte) ([]Operation, error) {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, err
	}
	var operations []Operation
	for path, item := range d.Paths {
		for method, declared := range item {
			o := Operation{ID: declared.ID, Method: strings.ToUpper(method), Path: path}
			if declared.RequestBody != nil {
				o.Request = declared.RequestBody.Content["application/json"].Schema
			}
			o.Answer = declared.Responses["200"].Content["application/json"].Schema
			for _, p := range declared.Parameters {
				if p.Schema == nil {
					return nil, fmt.Errorf("%s: parameter %s has no schema", o.ID, p.Name)
				}
				o.Parameters = append(o.Parameters, p)
			}
			if err := d.resolve(&o); err != nil {
				return nil, fmt.Errorf("%s: %w", o.ID, err)
			}
			slices.SortFunc(o.Parameters, func(a, b Parameter) int { return strings.Compare(a.In+a.Name, b.In+b.Name) })
			operations = append(operations, o)
		}
	}
	slices.SortFunc(operations, func(a, b Operation) int { return strings.Compare(a.ID, b.ID) })
	return operations, nil
}

func (d *document) resolve(o *Operation) (err error) {
	if o.Request, err = d.resolved(o.Request, nil); err != nil {
		return err
	}
	if o.Answer, err = d.resolved(o.Answer, nil); err != nil {
		return err
	}
	for i, p := range o.Parameters {
		if o.Parameters[i].Schema, err = d.resolved(p.Schema, nil); err != nil {
			return err
		}
	}
	return nil
}

// resolved is a copy of s without references; within names those it stands in.
func (d *document) resolved(s *Schema, within []string) (*Schema, error) {
	if s == nil {
		return nil, nil
	}
	if s.Ref != "" {
		name := strings.TrimPrefix(s.Ref, "#/components/schemas/")
		target := d.Components.Schemas[name]
		if target == nil {
			return nil, fmt.Errorf("%s points nowhere", s.Ref)
		}
		if slices.Contains(within, name) {
			return nil, fmt.Errorf("%s contains itself", s.Ref)
		}
		return d.resolved(target, append(slices.Clone(within), name))
	}
	out := *s
	var err error
	one := func(in *Schema) (r *Schema) {
		if err == nil {
			r, err = d.resolved(in, within)
		}
		return r
	}
	list := func(in []*Schema) (all []*Schema) {
		for _, s := range in {
			all = append(all, one(s))
		}
		return all
	}
	out.Items, out.Not = one(s.Items), one(s.Not)
	out.OneOf, out.AnyOf, out.AllOf = list(s.OneOf), list(s.AnyOf), list(s.AllOf)
	if s.Additional != nil {
		out.Additional = &Additional{Any: s.Additional.Any, Schema: one(s.Additional.Schema)}
	}
	if s.Properties != nil {
		out.Properties = map[string]*Schema{}
		for name, p := range s.Properties {
			out.Properties[name] = one(p)
		}
	}
	return &out, err
}

// WriteFacts writes operations one a line, so that a change of the contract is a
// readable diff.
func WriteFacts(operations []Operation) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for _, o := range operations {
		if err := e.Encode(o); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// ReadFacts reads what WriteFacts wrote.
func ReadFacts(text []byte) ([]Operation, error) {
	var operations []Operation
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var o Operation
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return nil, err
		}
		operations = append(operations, o)
	}
	return operations, lines.Err()
}
