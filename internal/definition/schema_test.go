package definition

import (
	"strings"
	"testing"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

func TestSchema(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"items":`, n) + `{}` + strings.Repeat(`}`, n) }
	for text, want := range map[string]string{
		`{}`: "",
		`{"type":"object","properties":{},"additionalProperties":false,"x-zui":{"def":{"type":1}}}`: "",
		`{"$ref":"interface:hitl/entities/session"}`:                                                "",
		`{"properties":{"type":{"type":"string"},"properties":{"items":true}}}`:                     "",
		`{"type":["string","null"],"required":["a"],"enum":[1,null],"default":{"type":2}}`:          "",
		`{"items":[{"type":"string"},false],"anyOf":[{},true],"not":{"oneOf":[{"$ref":"entity"}]}}`: "",
		`{"type":null}`:                   "/type is null and must be a string or an array of strings",
		`{"type":["string",1]}`:           "/type/1 is a number and must be a string",
		`{"properties":{"a":"string"}}`:   "/properties/a is a string and must be a schema",
		`{"properties":{"a":{"type":1}}}`: "/properties/a/type is a number",
		`{"required":true}`:               "/required is a boolean and must be an array of strings",
		`{"enum":"x"}`:                    "/enum is a string and must be an array",
		`{"items":3}`:                     "/items is a number and must be a schema",
		`{"allOf":{}}`:                    "/allOf is an object and must be an array of schemas",
		`{"anyOf":[{},[]]}`:               "/anyOf/1 is an array and must be a schema",
		`{"$ref":{}}`:                     "/$ref is an object and must be a string",
		deep(maxSchemaDepth):              "",
		deep(maxSchemaDepth + 1):          "more than 100 levels deep",
	} {
		err := checkSchema("states.s.schema", wire.Object(text))
		switch {
		case want == "" && err != nil:
			t.Errorf("%.80s: %v", text, err)
		case want != "" && (!fault.Is(err, fault.InvalidJSONSchema) || !strings.Contains(err.Error(), want)):
			t.Errorf("%.80s: %v, want %q", text, err, want)
		}
	}
}
