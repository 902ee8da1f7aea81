package validate

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// documentURL names the document to the schema compiler; nothing is fetched.
const documentURL = "mem:///openapi.json"

// envelopeURL names the schema of an error.
const envelopeURL = "mem:///error.json"

// statuses are the error types that the clients know and the status of each. It
// is a second copy of the server's own table, so that neither checks itself.
var statuses = map[string]int{
	"Unknown": 500, "Internal": 500, "Unauthorized": 401, "Forbidden": 403,
	"PayloadTooLarge": 413, "InvalidPayload": 400, "UnsupportedMediaType": 415,
	"MethodNotFound": 405, "ResourceNotFound": 404, "InvalidJsonSchema": 400,
	"InvalidDataFormat": 400, "InvalidIdentifier": 400, "RelationConflict": 409,
	"ReferenceConstraint": 409, "ResourceLockedConflict": 409, "ResourceGone": 410,
	"ReferenceNotFound": 400, "InvalidQuery": 400, "Runtime": 400, "AlreadyExists": 409,
	"RateLimited": 429, "PaymentRequired": 402, "QuotaExceeded": 403,
	"LimitExceeded": 413, "BreakingChanges": 400, "OperationTimeout": 504,
}

// dateTime is RFC 3339 as the API writes it: UTC, milliseconds, Z.
var dateTime = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$`)

// schemas compiles the schemas of one document.
type schemas struct {
	compiler *jsonschema.Compiler
	document map[string]any
}

func newSchemas(doc []byte) (*schemas, error) {
	var document map[string]any
	if err := json.Unmarshal(doc, &document); err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	tighten(document)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	compiler.RegisterFormat(&jsonschema.Format{Name: "date-time", Validate: func(value any) error {
		if text, ok := value.(string); ok && !dateTime.MatchString(text) {
			return fmt.Errorf("%q is not a time like 2006-01-02T15:04:05.000Z", text)
		}
		return nil
	}})
	if err := compiler.AddResource(documentURL, document); err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	return &schemas{compiler, document}, nil
}

// response compiles the schema of one response's JSON body. It is nil when the
// response declares no content at all.
func (s *schemas) response(path, method, status string, response *openapi3.ResponseRef) (*jsonschema.Schema, error) {
	if len(response.Value.Content) == 0 {
		return nil, nil
	}
	content := response.Value.Content[jsonType]
	if content == nil || content.Schema == nil {
		return nil, fmt.Errorf("no schema for %s", jsonType)
	}
	at := strings.TrimPrefix(response.Ref, "#")
	if response.Ref == "" {
		at = pointer("paths", path, strings.ToLower(method), "responses", status)
	}
	return s.compiler.Compile(documentURL + "#" + at + pointer("content", jsonType, "schema"))
}

// pointer is a JSON pointer, written so that it can stand in a URL.
func pointer(names ...string) string {
	var b strings.Builder
	for _, name := range names {
		b.WriteString("/" + pointerEscapes.Replace(name))
	}
	return b.String()
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1", "%", "%25", "{", "%7B", "}", "%7D")

// envelope compiles the schema of an error.
func (s *schemas) envelope() (*jsonschema.Schema, error) {
	types := make([]any, 0, len(statuses))
	for name := range statuses {
		types = append(types, name)
	}
	err := s.compiler.AddResource(envelopeURL, map[string]any{
		"type":                 "object",
		"required":             []any{"id", "code", "type", "message"},
		"additionalProperties": false,
		"properties": map[string]any{
			"id":       map[string]any{"type": "string", "pattern": `^err_[0-9]{14}x[0-9A-F]{8}$`},
			"code":     map[string]any{"type": "integer"},
			"type":     map[string]any{"enum": types},
			"message":  map[string]any{"type": "string", "minLength": float64(1)},
			"metadata": map[string]any{"type": "object"},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("the schema of an error: %w", err)
	}
	return s.compiler.Compile(envelopeURL)
}

// tighten rewrites every schema of the document as JSON Schema 2020-12 and
// closes its objects.
func tighten(document map[string]any) {
	if components, ok := document["components"].(map[string]any); ok {
		each(components["schemas"], tightenSchema)
		each(components["responses"], tightenResponse)
	}
	each(document["paths"], func(item map[string]any) {
		each(item, func(op map[string]any) {
			each(op["responses"], tightenResponse)
		})
	})
}

func tightenResponse(response map[string]any) {
	each(response["content"], func(media map[string]any) {
		if schema, ok := media["schema"].(map[string]any); ok {
			tightenSchema(schema)
		}
	})
}

// tightenSchema closes an object that has properties and says nothing of others,
// and turns what OpenAPI 3.0 writes in its own way into JSON Schema.
func tightenSchema(schema map[string]any) {
	_, hasProperties := schema["properties"]
	if _, said := schema["additionalProperties"]; hasProperties && !said {
		schema["unevaluatedProperties"] = false
	}
	for _, key := range []string{"properties", "patternProperties", "$defs", "dependentSchemas"} {
		each(schema[key], tightenSchema)
	}
	for _, key := range []string{"items", "additionalProperties", "contains", "propertyNames"} {
		if inner, ok := schema[key].(map[string]any); ok {
			tightenSchema(inner)
		}
	}
	for _, key := range []string{"anyOf", "oneOf", "prefixItems"} {
		for _, inner := range list(schema[key]) {
			tightenSchema(inner)
		}
	}
	for _, inner := range list(schema["allOf"]) {
		tightenSchema(inner)
		// The members of allOf describe one object together: only the whole can
		// be closed.
		if inner["unevaluatedProperties"] == false {
			delete(inner, "unevaluatedProperties")
			schema["unevaluatedProperties"] = false
		}
	}
	for _, bound := range []string{"Minimum", "Maximum"} {
		if exclusive, ok := schema["exclusive"+bound].(bool); ok {
			delete(schema, "exclusive"+bound)
			if plain := strings.ToLower(bound); exclusive {
				schema["exclusive"+bound] = schema[plain]
				delete(schema, plain)
			}
		}
	}
	if schema["nullable"] == true {
		inner := map[string]any{}
		for key, value := range schema {
			if key != "nullable" {
				inner[key] = value
			}
			delete(schema, key)
		}
		schema["anyOf"] = []any{map[string]any{"type": "null"}, inner}
	}
}

// each calls visit with every object among the values of a map.
func each(values any, visit func(map[string]any)) {
	object, _ := values.(map[string]any)
	for _, value := range object {
		if inner, ok := value.(map[string]any); ok {
			visit(inner)
		}
	}
}

// list is the objects of a list.
func list(values any) []map[string]any {
	array, _ := values.([]any)
	objects := make([]map[string]any, 0, len(array))
	for _, value := range array {
		if inner, ok := value.(map[string]any); ok {
			objects = append(objects, inner)
		}
	}
	return objects
}
