package bot

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

func TestConfigurationAgainstItsSchema(t *testing.T) {
	const person = `{"type":"object","properties":{"token":{"type":"string","minLength":3},"port":{"type":"integer"},"list":{"type":"array","items":{"type":"object","properties":{"b":{"enum":["x","y"]}}}}},"required":["token"],"additionalProperties":false}`
	for name, test := range map[string]struct {
		schema, configuration string
		incomplete            bool
		words                 []string // of the message; none: it fits
	}{
		"fits":                      {person, `{"token":"abc","port":1,"list":[{"b":"x"}]}`, false, nil},
		"nothing to fit":            {``, `{"a":1}`, false, nil},
		"lacks":                     {person, `{}`, false, []string{"at.configuration", `lacks "token"`}},
		"may lack":                  {person, `{}`, true, nil},
		"nothing lacks":             {person, ``, false, []string{`lacks "token"`}},
		"type":                      {person, `{"token":"abc","port":"1"}`, false, []string{"at.configuration.port", "it is string and must be integer"}},
		"type, incomplete":          {person, `{"port":"1"}`, true, []string{"at.configuration.port"}},
		"inside":                    {person, `{"token":"abc","list":[{"b":"x"},{"b":"z"}]}`, false, []string{"at.configuration.list.1.b", "'x', 'y'"}},
		"unknown":                   {person, `{"token":"abc","toke":1}`, false, []string{`"toke"`}},
		"short":                     {person, `{"token":"ab"}`, false, []string{"configuration.token", "2 characters"}},
		"one of several":            {`{"oneOf":[{"properties":{"a":{"const":1}},"required":["a"]},{"properties":{"b":{"const":1}},"required":["b"]}]}`, `{"a":2}`, false, []string{"configuration"}},
		"one of several, not there": {`{"oneOf":[{"required":["a"]},{"required":["b"]}]}`, `{}`, true, nil},
		"format":                    {`{"properties":{"u":{"format":"uri"}}}`, `{"u":"://"}`, false, []string{"configuration.u", `"uri"`}},
		"unresolved reference":      {`{"properties":{"a":{"$ref":"item"},"b":{"$ref":"interface:x/entities/y"},"c":{"type":"string"}}}`, `{"a":1,"b":2}`, false, nil},
		"beside a reference":        {`{"properties":{"a":{"$ref":"item"},"c":{"type":"string"}}}`, `{"c":1}`, false, []string{"configuration.c"}},
		"file":                      {`{"$ref":"file:///etc/passwd"}`, `{"a":1}`, false, nil},
		"no such definition":        {`{"properties":{"a":{"$ref":"#/definitions/none"}}}`, `{"a":1}`, false, nil},
		"its own definition":        {`{"definitions":{"d":{"type":"string"}},"properties":{"a":{"$ref":"#/definitions/d"}}}`, `{"a":1}`, false, []string{"configuration.a"}},
		"no schema at all":          {`{"type":7}`, `{"a":1}`, false, nil},
		"looks ahead":               {`{"properties":{"a":{"pattern":"^(?!x)"}}}`, `{"a":"x"}`, false, nil},
		"pattern":                   {`{"properties":{"a":{"pattern":"^y"}}}`, `{"a":"x"}`, false, []string{`"^y"`}},
		"newer draft":               {`{"$schema":"https://json-schema.org/draft/2020-12/schema","properties":{"a":{"type":"string"}}}`, `{"a":1}`, false, []string{"configuration.a"}},
		"unknown draft":             {`{"$schema":"https://example.com/draft","properties":{"a":{"type":"string"}}}`, `{"a":1}`, false, []string{"configuration.a"}},
		"too deep":                  {person, strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33), false, []string{"32 levels deep"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := newChecker().check("at.configuration", wire.Object(test.schema), wire.Object(test.configuration), !test.incomplete)
			if test.words == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !fault.Is(err, fault.InvalidDataFormat) {
				t.Fatalf("%v, want InvalidDataFormat", err)
			}
			for _, word := range test.words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
		})
	}
}

func TestConfigurationIsNotRepeated(t *testing.T) {
	const schema = `{"properties":{"a":{"pattern":"^y"},"b":{"const":"x"},"c":{"format":"email"},"d":{"enum":["x"]},"e":{"maximum":3},"f":{"type":"string"}}}`
	for _, member := range []string{`{"a":"hunter2"}`, `{"b":"hunter2"}`, `{"c":"hunter2"}`, `{"d":"hunter2"}`, `{"e":77777777}`, `{"f":77777777}`} {
		err := newChecker().check("configuration", wire.Object(schema), wire.Object(member), true)
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "7777") {
			t.Errorf("%s: %v", member, err)
		}
	}
}

func TestConfigurationIsBounded(t *testing.T) {
	err := newChecker().check("configuration", nil, wire.Object(`{"a":"`+strings.Repeat("x", maxConfiguration)+`"}`), false)
	if !fault.Is(err, fault.LimitExceeded) {
		t.Error(err)
	}
	// Forty definitions, each of which asks for the next one twice.
	var doubling strings.Builder
	doubling.WriteString(`{"$ref":"#/definitions/d0","definitions":{`)
	for i := range 40 {
		fmt.Fprintf(&doubling, `"d%d":{"anyOf":[{"$ref":"#/definitions/d%d"},{"$ref":"#/definitions/d%d"}]},`, i, i+1, i+1)
	}
	doubling.WriteString(`"d40":{"required":["none"]}}}`)
	// One that asks for itself twice at every depth.
	const tree = `{"properties":{"a":{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}},"required":["b"]}`
	for name, test := range map[string]struct{ schema, configuration string }{
		"definitions": {doubling.String(), `{}`},
		"depth":       {tree, strings.Repeat(`{"b":1,"a":`, 31) + "{}" + strings.Repeat("}", 31)},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			err := newChecker().check("configuration", wire.Object(test.schema), wire.Object(test.configuration), true)
			if !fault.Is(err, fault.InvalidDataFormat) || !strings.Contains(err.Error(), "too long") {
				t.Error(err)
			}
			if took := time.Since(start); took > time.Minute { // without a bound it takes years
				t.Errorf("it took %s", took)
			} else {
				t.Log(took)
			}
		})
	}
}

// A long way of references at every depth of a configuration is walked without
// exhausting the stack, which no program survives.
func TestConfigurationOfALongWay(t *testing.T) {
	var way strings.Builder
	way.WriteString(`{"$ref":"#/definitions/d0","definitions":{`)
	const steps = 2000
	for i := range steps {
		fmt.Fprintf(&way, `"d%d":{"allOf":[{"$ref":"#/definitions/d%d"}]},`, i, i+1)
	}
	fmt.Fprintf(&way, `"d%d":{"properties":{"a":{"$ref":"#/definitions/d0"}}}}}`, steps)
	configuration := strings.Repeat(`{"a":`, 31) + "{}" + strings.Repeat("}", 31)
	if err := newChecker().check("configuration", wire.Object(way.String()), wire.Object(configuration), true); err != nil {
		t.Error(err)
	}
}

func TestCheckerIsOfOneUpdate(t *testing.T) {
	const schema = `{"properties":{"a":{"type":"string"}},"required":["b"]}`
	c := newChecker()
	ask := func(configuration string, complete bool) error {
		return c.check("configuration", wire.Object(schema), wire.Object(configuration), complete)
	}
	if err := ask(`{"a":"x"}`, false); err != nil {
		t.Fatal(err)
	}
	left := c.left
	if err := ask(`{"a":"x"}`, false); err != nil || c.left != left {
		t.Errorf("asked again it looks again (%v)", err)
	}
	if ask(`{"a":"x"}`, true) == nil || ask(`{"a":1}`, false) == nil || ask(`{"a":1}`, false) == nil {
		t.Error("another question has the same answer")
	}
	if c.left >= left {
		t.Error("nothing was counted")
	}
}

func FuzzConfiguration(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"$ref":"#/definitions/b"}},"definitions":{"b":{"type":["string","null"]}}}`, `{"a":1}`)
	f.Add(`{"$id":"x:y","$ref":"z","if":{"required":["a"]},"then":{"not":{}},"patternProperties":{"^(?!a)":false}}`, `{"a":[{}]}`)
	f.Add(`{"$schema":"http://json-schema.org/draft-04/schema#","dependencies":{"a":["b"]},"oneOf":[true,{"minimum":1e400}]}`, `{"a":1e400}`)
	f.Fuzz(func(t *testing.T, schema, configuration string) {
		if _, err := parse(wire.Object(configuration)); err != nil || len(schema) > 10_000 {
			t.Skip()
		}
		err := newChecker().check("configuration", wire.Object(schema), wire.Object(configuration), true)
		if err == nil {
			return
		}
		if !fault.Is(err, fault.InvalidDataFormat) && !fault.Is(err, fault.LimitExceeded) {
			t.Error(err)
		}
	})
}
