package bot

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/botyard/botyard/internal/wire"
)

func TestSecrecy(t *testing.T) {
	const marked = `{"type":"string","x-zui":{"secret":true}}`
	for name, test := range map[string]struct{ schema, configuration, want string }{
		"nothing marked":                {`{"properties":{"a":{"type":"string"}}}`, `{"b":1.0,"a":"x"}`, `{"b":1.0,"a":"x"}`},
		"no schema":                     {``, `{"a":"x"}`, `{"a":"x"}`},
		"anything goes":                 {`true`, `{"a":"x"}`, `{"a":"x"}`},
		"the SDK's mark":                {`{"properties":{"a":` + marked + `,"b":{}}}`, `{"b":1.0,"a":"x"}`, `{"b":1.0}`},
		"not secret":                    {`{"properties":{"a":{"x-zui":{"secret":false}}}}`, `{"a":"x"}`, `{"a":"x"}`},
		"another mark of the SDK":       {`{"properties":{"a":{"x-zui":{"title":"secret"}}}}`, `{"a":"x"}`, `{"a":"x"}`},
		"writeOnly":                     {`{"properties":{"a":{"writeOnly":true}}}`, `{"a":"x"}`, `{}`},
		"a password":                    {`{"properties":{"a":{"format":"password"}}}`, `{"a":"x"}`, `{}`},
		"another format":                {`{"properties":{"a":{"format":"email"}}}`, `{"a":"x"}`, `{"a":"x"}`},
		"nested":                        {`{"properties":{"a":{"properties":{"b":` + marked + `,"c":{}}}}}`, `{"a":{"b":"x","c":1}}`, `{"a":{"c":1}}`},
		"nested, and no object":         {`{"properties":{"a":{"properties":{"b":` + marked + `}}}}`, `{"a":7}`, `{"a":7}`},
		"a marked object":               {`{"properties":{"a":{"writeOnly":true,"properties":{"b":{}}}}}`, `{"a":{"b":1},"c":2}`, `{"c":2}`},
		"in a list":                     {`{"properties":{"a":{"type":"array","items":` + marked + `}}}`, `{"a":["x"],"c":2}`, `{"c":2}`},
		"in a list of objects":          {`{"properties":{"a":{"items":{"properties":{"k":` + marked + `}}}}}`, `{"a":[{"k":1}],"c":2}`, `{"c":2}`},
		"one of several choices":        {`{"properties":{"a":{"anyOf":[` + marked + `,{"type":"null"}]}}}`, `{"a":"x","c":2}`, `{"c":2}`},
		"any other member":              {`{"additionalProperties":` + marked + `}`, `{"a":"x"}`, ``},
		"a choice of whole objects":     {`{"oneOf":[{"properties":{"a":` + marked + `}},{}]}`, `{"a":"x"}`, ``},
		"behind a reference":            {`{"$defs":{"k":` + marked + `},"properties":{"a":{"$ref":"#/$defs/k"}}}`, `{"a":"x"}`, ``},
		"the whole":                     {`{"writeOnly":true}`, `{"a":"x"}`, ``},
		"a property called writeOnly":   {`{"properties":{"writeOnly":{"type":"boolean"},"format":{}}}`, `{"writeOnly":true,"format":"password"}`, `{"writeOnly":true,"format":"password"}`},
		"properties that are no object": {`{"properties":[` + marked + `]}`, `{"a":"x"}`, ``},
		"twice the same key":            {`{"properties":{"a":{}},"properties":{}}`, `{"a":"x"}`, ``},
		"deeper than is looked":         {strings.Repeat(`{"properties":{"a":`, 70) + `{}` + strings.Repeat(`}}`, 70), `{"a":{"a":1}}`, `{"a":{"a":1}}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := secrecyOf([]byte(test.schema), 0).strip(wire.Object(test.configuration)); string(got) != test.want {
				t.Errorf("left is %s, want %s", got, test.want)
			}
		})
	}
}

func TestSecrecyFill(t *testing.T) {
	const schema = `{"properties":{"key":{"writeOnly":true},"open":{},"in":{"properties":{"key":{"writeOnly":true},"open":{}}}}}`
	for name, test := range map[string]struct{ schema, configuration, from, want string }{
		"lacks them":          {schema, `{"in":{"open":2},"open":1}`, `{"key":"k","open":9,"in":{"key":"l"}}`, `{"in":{"key":"l","open":2},"key":"k","open":1}`},
		"has its own":         {schema, `{"key":"own","in":{"key":"own"}}`, `{"key":"k","in":{"key":"l"}}`, `{"in":{"key":"own"},"key":"own"}`},
		"nothing to take":     {schema, `{"open":1}`, `{"open":2}`, `{"open":1}`},
		"from nothing":        {schema, `{"open":1}`, ``, `{"open":1}`},
		"no object any more":  {schema, `{"in":3}`, `{"in":{"key":"l"}}`, `{"in":3}`},
		"the object is gone":  {schema, `{"open":1}`, `{"in":{"key":"l"}}`, `{"open":1}`},
		"the whole is secret": {`{"writeOnly":true}`, ``, `{"a":1}`, `{"a":1}`},
		"the whole, given":    {`{"writeOnly":true}`, `{"b":1}`, `{"a":1}`, `{"b":1}`},
		"nothing is secret":   {`{}`, `{"b":1}`, `{"a":1}`, `{"b":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := secrecyOf([]byte(test.schema), 0).fill(wire.Object(test.configuration), wire.Object(test.from)); string(got) != test.want {
				t.Errorf("filled it is %s, want %s", got, test.want)
			}
		})
	}
}

// Whatever is marked, it never leaves; what left and came back to where it was is
// the same, and anywhere else it leaves as the same again.
func TestSecrecyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		schema, here, there := aSecretive(t, 3)
		s := secrecyOf([]byte(schema), 0)
		out := s.strip(wire.Object(here))
		if strings.Contains(string(out), "hidden") {
			t.Fatalf("%s lets %s out as %s", schema, here, out)
		}
		if diff := cmp.Diff(value(t, here), value(t, string(s.fill(out, wire.Object(here))))); diff != "" {
			t.Fatalf("%s does not come back: %s", here, diff)
		}
		if again := s.strip(s.fill(out, wire.Object(there))); string(again) != string(out) {
			t.Fatalf("%s, filled from %s, leaves as %s", out, there, again)
		}
	})
}

func value(t *rapid.T, text string) (v any) {
	if err := wire.ParseJSON([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// aSecretive draws the schema of an object and two objects that fit it; what is
// secret says hidden.
func aSecretive(t *rapid.T, depth int) (schema, one, other string) {
	var schemas, ones, others []string
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"z", "a", "é", "0"}), 0, 3, rapid.ID).Draw(t, "names") {
		of, in, out := `{"type":"string"}`, `"open"`, `"open too"`
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			of, in, out = `{"x-zui":{"secret":true}}`, `"hidden"`, `"hidden too"`
		case 1:
			of, in, out = `{"items":{"format":"password"}}`, `["hidden"]`, `[]`
		case 2:
			if depth > 0 {
				of, in, out = aSecretive(t, depth-1)
			}
		}
		schemas = append(schemas, `"`+name+`":`+of)
		if rapid.Bool().Draw(t, "given") {
			ones = append(ones, `"`+name+`":`+in)
		}
		if rapid.Bool().Draw(t, "given there") {
			others = append(others, `"`+name+`":`+out)
		}
	}
	object := func(members []string) string { return "{" + strings.Join(members, ",") + "}" }
	return `{"properties":` + object(schemas) + `}`, object(ones), object(others)
}
