package wire

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// aJSON draws JSON text without white space, with numbers and escapes that a
// decoder into Go values would change.
func aJSON(depth int) *rapid.Generator[string] {
	scalars := []*rapid.Generator[string]{
		rapid.SampledFrom([]string{
			"null", "true", "false", "0", "-0", "1.0", "1e21", "12345678901234567890", "1E-400", "0.10",
			`""`, `"é"`, `"\u00e9"`, `"\u00E9"`, `"\/"`, `"/"`, `"\ud83d\ude00"`, `"\ud800"`, `"<&>"`, "\"\u2028\"", `"\n"`, `"\u000a"`, `"\u0000"`, `[]`, `{}`,
		}),
	}
	if depth == 0 {
		return scalars[0]
	}
	return rapid.OneOf(scalars[0],
		rapid.Map(rapid.SliceOfN(aJSON(depth-1), 0, 4), func(items []string) string { return "[" + strings.Join(items, ",") + "]" }),
		rapid.Map(rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"z", "a", "", "a.b", `\u00e9x`, "__proto__"}), 0, 4, rapid.ID), func(keys []string) string {
			var members []string
			for i, key := range keys {
				members = append(members, `"`+key+`":`+[]string{`1.0`, `"\u00e9"`, `{"b":1,"a":2}`, `null`}[i])
			}
			return "{" + strings.Join(members, ",") + "}"
		}))
}

// TestJSONAsItCame: free-form JSON goes out byte for byte as it came in.
func TestJSONAsItCame(t *testing.T) {
	type body struct {
		Value JSON            `json:"value"`
		Map   map[string]JSON `json:"map"`
	}
	rapid.Check(t, func(t *rapid.T) {
		one, two := aJSON(3).Draw(t, "one"), aJSON(1).Draw(t, "two")
		want := `{"value":` + one + `,"map":{"k":` + two + `}}`
		var b body
		if err := decode([]byte(want), &b); err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		var got bytes.Buffer
		if err := encode(&got, b); err != nil {
			t.Fatal(err)
		}
		if got.String() != want {
			t.Fatalf("came as %s, went as %s", want, got.String())
		}
	})
}

func TestJSONSpacing(t *testing.T) {
	var j JSON
	if err := decode([]byte("\t{ \"b\" : [1.0,\n \"a b\" ] }\r\n"), &j); err != nil {
		t.Fatal(err)
	}
	if string(j) != `{"b":[1.0,"a b"]}` {
		t.Errorf("kept %s; only white space between tokens is dropped", j)
	}
	var got bytes.Buffer
	if err := encode(&got, struct {
		Value  JSON   `json:"value"`
		Object Object `json:"object"`
	}{}); err != nil || got.String() != `{"value":null,"object":{}}` {
		t.Errorf("empty values are %s, %v", got.String(), err)
	}
}

func TestObject(t *testing.T) {
	for _, text := range []string{`null`, `1`, `"{}"`, `[]`, `true`} {
		var b struct {
			Data Object `json:"data"`
		}
		told := refusal(decode([]byte(`{"data":`+text+`}`), &b))
		if told == nil || !strings.Contains(told.Message, "expected object") || !strings.Contains(told.Message, "/data") {
			t.Errorf("%s: told %v, want where an object is expected", text, told)
		}
	}
	var o Object
	if err := decode([]byte(`{"a" : 1.00}`), &o); err != nil || string(o) != `{"a":1.00}` {
		t.Errorf("kept %s, %v", o, err)
	}
}

func TestPatch(t *testing.T) {
	type body struct {
		Name Patch[string]         `json:"name,omitzero"`
		Tags map[string]Patch[int] `json:"tags"`
	}
	tests := []struct {
		text  string
		state patchState
		value string
	}{
		{`{"tags":{"a":1,"b":null}}`, patchAbsent, ""},
		{`{"name":null,"tags":{"a":1,"b":null}}`, patchNull, ""},
		{`{"name":"","tags":{"a":1,"b":null}}`, patchValue, ""},
		{`{"name":"n","tags":{"a":1,"b":null}}`, patchValue, "n"},
	}
	for _, tt := range tests {
		var b body
		if err := decode([]byte(tt.text), &b); err != nil {
			t.Fatal(err)
		}
		value, ok := b.Name.Get()
		if b.Name.state != tt.state || value != tt.value || ok != (tt.state == patchValue) ||
			b.Name.IsNull() != (tt.state == patchNull) || b.Name.IsZero() != (tt.state == patchAbsent) {
			t.Errorf("%s: %+v", tt.text, b.Name)
		}
		if n, ok := b.Tags["a"].Get(); !ok || n != 1 || !b.Tags["b"].IsNull() || !b.Tags["c"].IsZero() {
			t.Errorf("%s: tags %+v", tt.text, b.Tags)
		}
		var again bytes.Buffer
		if err := encode(&again, b); err != nil || again.String() != tt.text {
			t.Errorf("%s went as %s, %v", tt.text, again.String(), err)
		}
	}
	if told := refusal(decode([]byte(`{"name":1}`), new(body))); told == nil || !strings.Contains(told.Message, "/name") {
		t.Errorf("a patch of another type: told %v", told)
	}
	if p := Set(3); p.IsZero() || p.IsNull() {
		t.Errorf("Set gave %+v", p)
	}
	if p := Clear[int](); !p.IsNull() || p.IsZero() {
		t.Errorf("Clear gave %+v", p)
	}
}

type namedThing struct {
	Name string `json:"name"`
}

// TestPatchSchema: null is allowed where the patch stands and nowhere else.
func TestPatchSchema(t *testing.T) {
	r := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	for _, s := range []*huma.Schema{Patch[namedThing]{}.Schema(r), Nullable[namedThing]{}.Schema(r), Patch[string]{}.Schema(r)} {
		if !s.Nullable {
			t.Errorf("%+v does not allow null", s)
		}
	}
	for name, s := range r.Map() {
		if s.Nullable {
			t.Errorf("the shared schema %s allows null", name)
		}
	}
}

func TestNullable(t *testing.T) {
	var got bytes.Buffer
	err := encode(&got, []Nullable[JSON]{{}, {Value: JSON(`1.0`), Valid: true}, {Valid: true}})
	if err != nil || got.String() != `[null,1.0,null]` {
		t.Errorf("%s, %v", got.String(), err)
	}
}

func TestTime(t *testing.T) {
	form := regexp.MustCompile(`^"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"$`)
	rapid.Check(t, func(t *rapid.T) {
		// The years that four digits can write.
		at := Time(rapid.Int64Range(-62135596800000, 253402300799999).Draw(t, "at"))
		var got bytes.Buffer
		if err := encode(&got, at); err != nil || !form.Match(got.Bytes()) {
			t.Fatalf("%d is %s, %v", at, got.String(), err)
		}
		back, err := time.Parse(time.RFC3339, strings.Trim(got.String(), `"`))
		if err != nil || TimeOf(back) != at || at.String() != strings.Trim(got.String(), `"`) {
			t.Fatalf("%d is %s, which reads %s, %v", at, got.String(), back, err)
		}
	})
	elsewhere := time.Date(2026, 1, 2, 3, 4, 5, 678_999_999, time.FixedZone("elsewhere", 3600))
	if got := TimeOf(elsewhere).String(); got != "2026-01-02T02:04:05.678Z" {
		t.Errorf("%s is %s", elsewhere, got)
	}
}

func TestDocument(t *testing.T) {
	stored := `{"a":1.00,"b":"\u00e9"}`
	var whole, part bytes.Buffer
	if err := encode(&whole, Document[namedThing]{[]byte(stored)}); err != nil || whole.String() != stored {
		t.Errorf("a stored document went as %s, %v", whole.String(), err)
	}
	if err := encode(&part, map[string]Document[namedThing]{"x": {[]byte(stored)}}); err != nil || part.String() != `{"x":`+stored+`}` {
		t.Errorf("within another it went as %s, %v", part.String(), err)
	}
}

func TestAppendJSON(t *testing.T) {
	b, err := AppendJSON([]byte("before "), map[string]any{"b": "<\u2028>", "a": []int{}, "c": []string(nil)})
	if err != nil || string(b) != "before {\"a\":[],\"b\":\"<\u2028>\",\"c\":[]}" {
		t.Errorf("%s, %v", b, err)
	}
	var back map[string]jsontext.Value
	if err := ParseJSON(b[len("before "):], &back); err != nil || len(back) != 3 {
		t.Errorf("read back %v, %v", back, err)
	}
}
