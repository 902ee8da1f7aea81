package config

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// schemaProperty is what the schema says of one setting.
type schemaProperty struct {
	Description string         `json:"description"`
	Type        any            `json:"type"`
	Enum        []string       `json:"enum,omitempty"`
	Pattern     string         `json:"pattern,omitempty"`
	Minimum     *int           `json:"minimum,omitempty"`
	Default     jsontext.Value `json:"default,omitempty"`
}

// schemaProperties keep the order of declaration.
type schemaProperties []setting

// MarshalJSONTo writes an object with one property for each setting, and the one
// that names the schema.
func (p schemaProperties) MarshalJSONTo(to *jsontext.Encoder) error {
	if err := to.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	write := func(key string, property schemaProperty) error {
		if err := to.WriteToken(jsontext.String(key)); err != nil {
			return err
		}
		return json.MarshalEncode(to, property)
	}
	if err := write(schemaKey, schemaProperty{Description: "The schema of this file.", Type: "string"}); err != nil {
		return err
	}
	for _, s := range p {
		if err := write(s.key(), describe(s)); err != nil {
			return err
		}
	}
	return to.WriteToken(jsontext.EndObject)
}

func describe(s setting) schemaProperty {
	p := schemaProperty{Description: s.help, Type: "string", Enum: s.enum}
	zero, text := 0, true
	switch s.kind {
	case bytesKind:
		p.Type, p.Pattern, p.Minimum = []string{"string", "integer"}, `^[0-9]+ ?(B|[KMG]iB|kB|MB|GB)?$`, &zero
	case durationKind:
		p.Pattern = `^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$`
	case boolKind:
		p.Type, text = "boolean", false
	case intKind:
		p.Type, p.Minimum, text = "integer", &zero, false
	}
	switch {
	case s.standard == "":
	case text:
		quoted, err := jsontext.AppendQuote(nil, s.standard)
		if err != nil {
			panic(fmt.Sprintf("the default of %s is not UTF-8", s.flag))
		}
		p.Default = quoted
	default:
		p.Default = jsontext.Value(s.standard)
	}
	return p
}

// Schema is the JSON schema of the settings file, for editors and checks before
// a deployment.
func Schema() ([]byte, error) {
	document := struct {
		Schema      string           `json:"$schema"`
		Title       string           `json:"title"`
		Description string           `json:"description"`
		Type        string           `json:"type"`
		Properties  schemaProperties `json:"properties"`
		Additional  bool             `json:"additionalProperties"`
	}{
		Schema:      "https://json-schema.org/draft/2020-12/schema",
		Title:       "botyard configuration",
		Description: "The settings of botyard. A flag or an environment variable of the same setting wins over this file.",
		Type:        "object",
		Properties:  fileSettings(),
		Additional:  false,
	}
	text, err := json.Marshal(document, jsontext.WithIndent("  "))
	return append(text, '\n'), err
}
