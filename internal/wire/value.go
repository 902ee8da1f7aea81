package wire

import (
	"bytes"
	"fmt"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// JSON is free-form JSON kept as it came: numbers, escapes and the order of keys
// are those of the sender; only white space between tokens is dropped.
type JSON jsontext.Value

// MarshalJSONTo writes the value as it came; an empty one is null.
func (j JSON) MarshalJSONTo(enc *jsontext.Encoder) error {
	if len(j) == 0 {
		return enc.WriteToken(jsontext.Null)
	}
	return enc.WriteValue(jsontext.Value(j))
}

// UnmarshalJSONFrom keeps the next value.
func (j *JSON) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	v, err := keep(dec)
	*j = JSON(v)
	return err
}

func keep(dec *jsontext.Decoder) (jsontext.Value, error) {
	v, err := dec.ReadValue()
	if err != nil {
		return nil, err
	}
	v = v.Clone()
	if !spaced(v) {
		return v, nil
	}
	return v, v.Compact(jsontext.PreserveRawStrings(true), jsontext.AllowInvalidUTF8(true))
}

// spaced says whether JSON has white space between tokens: most has none, as
// programs write it, and then there is nothing to drop.
func spaced(v jsontext.Value) bool {
	quoted := false
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case !quoted && c <= ' ':
			return true
		}
	}
	return false
}

// Schema is that of any value.
func (JSON) Schema(huma.Registry) *huma.Schema { return &huma.Schema{} }

// Object is JSON that must be an object.
type Object jsontext.Value

// MarshalJSONTo writes the object as it came; an empty one is {}.
func (o Object) MarshalJSONTo(enc *jsontext.Encoder) error {
	if len(o) == 0 {
		return enc.WriteValue(jsontext.Value("{}"))
	}
	return enc.WriteValue(jsontext.Value(o))
}

// UnmarshalJSONFrom keeps the next value; anything but an object is an error.
func (o *Object) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if kind := dec.PeekKind(); kind != '{' {
		return fmt.Errorf("expected object, got %s", kind)
	}
	v, err := keep(dec)
	*o = Object(v)
	return err
}

// Schema is that of an object with any keys.
func (Object) Schema(huma.Registry) *huma.Schema { return &huma.Schema{Type: huma.TypeObject} }

// Patch is a value of an update: absent (the zero Patch) keeps what is there,
// null removes it, a value replaces it. As a struct field it needs omitzero; as
// a map's value it is never absent.
type Patch[T any] struct {
	value T
	state patchState
}

type patchState byte

const (
	patchAbsent patchState = iota
	patchNull
	patchValue
)

// Set is the patch that replaces by v.
func Set[T any](v T) Patch[T] { return Patch[T]{value: v, state: patchValue} }

// Clear is the patch that removes.
func Clear[T any]() Patch[T] { return Patch[T]{state: patchNull} }

// IsZero says that the patch is absent.
func (p Patch[T]) IsZero() bool { return p.state == patchAbsent }

// IsNull says that the patch removes.
func (p Patch[T]) IsNull() bool { return p.state == patchNull }

// Get is the new value; ok is false when the patch is absent or removes.
func (p Patch[T]) Get() (value T, ok bool) { return p.value, p.state == patchValue }

// MarshalJSONTo writes the value, or null.
func (p Patch[T]) MarshalJSONTo(enc *jsontext.Encoder) error {
	if p.state != patchValue {
		return enc.WriteToken(jsontext.Null)
	}
	return json.MarshalEncode(enc, p.value)
}

// UnmarshalJSONFrom reads null or a value.
func (p *Patch[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == 'n' {
		p.state = patchNull
		return dec.SkipValue()
	}
	p.state = patchValue
	return json.UnmarshalDecode(dec, &p.value)
}

// Schema is the schema of T, and null.
func (Patch[T]) Schema(r huma.Registry) *huma.Schema {
	s := r.Schema(reflect.TypeFor[T](), true, "")
	if s.Ref != "" {
		s = r.SchemaFromRef(s.Ref)
	}
	nullable := *s
	nullable.Nullable = true
	return &nullable
}

// Time is a moment in milliseconds since 1970 UTC; on the wire it is ISO 8601
// with milliseconds and Z, and nothing else.
type Time int64

// TimeOf is t as it goes on the wire.
func TimeOf(t time.Time) Time { return Time(t.UnixMilli()) }

const timeFormat = "2006-01-02T15:04:05.000Z"

// String is the wire form.
func (t Time) String() string { return time.UnixMilli(int64(t)).UTC().Format(timeFormat) }

// AppendJSON appends the quoted wire form, for answers that are written by hand.
func (t Time) AppendJSON(b []byte) []byte {
	b = append(b, '"')
	b = time.UnixMilli(int64(t)).UTC().AppendFormat(b, timeFormat)
	return append(b, '"')
}

// MarshalJSONTo writes the wire form.
func (t Time) MarshalJSONTo(enc *jsontext.Encoder) error {
	return enc.WriteValue(t.AppendJSON(make([]byte, 0, len(timeFormat)+2)))
}

// Schema is that of a date-time.
func (Time) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time"}
}

// Nullable is a value of an answer that is null when it is not there.
type Nullable[T any] struct {
	Value T
	Valid bool
}

// MarshalJSONTo writes the value, or null.
func (n Nullable[T]) MarshalJSONTo(enc *jsontext.Encoder) error {
	if !n.Valid {
		return enc.WriteToken(jsontext.Null)
	}
	return json.MarshalEncode(enc, n.Value)
}

// Schema is the schema of T, and null.
func (Nullable[T]) Schema(r huma.Registry) *huma.Schema { return Patch[T]{}.Schema(r) }

// Document is an answer that is already JSON of type T. It is written as it is:
// a stored definition reaches the caller without being decoded and encoded.
type Document[T any] struct{ Bytes []byte }

func (d Document[T]) rendered() []byte { return d.Bytes }

// MarshalJSONTo writes the document.
func (d Document[T]) MarshalJSONTo(enc *jsontext.Encoder) error {
	return enc.WriteValue(jsontext.Value(d.Bytes))
}

// Schema is the schema of T.
func (Document[T]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

// Optional is a query parameter that can be told apart from its zero value.
type Optional[T any] struct {
	Value T
	Given bool
}

// Receiver is where huma puts the parsed value.
func (o *Optional[T]) Receiver() reflect.Value { return reflect.ValueOf(o).Elem().Field(0) }

// OnParamSet is huma's word that the parameter was in the request.
func (o *Optional[T]) OnParamSet(given bool, _ any) { o.Given = given }

// Schema is the schema of T.
func (Optional[T]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

// Map is a query parameter that is an object: tags.a=b is key a of parameter
// tags, and a key may hold dots itself. Declare it with a tag dotted:"tags".
type Map map[string]string

// Empty is the body of operations that answer nothing: {}.
type Empty struct{}

// Nothing is the output of operations that answer nothing.
type Nothing struct{ Body Empty }

// codec is the one way JSON is read and written. That no object has a name twice is
// looked at when it is read, and not again when it is written.
var (
	writing = json.JoinOptions(jsontext.PreserveRawStrings(true), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true), json.Deterministic(true))
	reading = json.JoinOptions(jsontext.AllowInvalidUTF8(true))
)

// AppendJSON appends v in the wire's form, for answers that are written by hand
// and for definitions that are stored in that form.
func AppendJSON(b []byte, v any) ([]byte, error) {
	buffer := bytes.NewBuffer(b)
	err := json.MarshalWrite(buffer, v, writing)
	return buffer.Bytes(), err
}

// ParseJSON reads what AppendJSON wrote.
func ParseJSON(b []byte, v any) error { return json.Unmarshal(b, v, reading) }
