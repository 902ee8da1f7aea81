package wire

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// Form returns a function that reads free-form JSON of a request as a T. The JSON is
// validated against the tags of T like a body, and unknown members are ignored. path is its
// place in the request, for errors, which are InvalidPayload. Forms are created during
// set-up; the schema of T becomes part of the document.
func Form[T any](m *Mux, path string) func(Object) (T, error) {
	registry := m.api.OpenAPI().Components.Schemas
	schema := registry.Schema(reflect.TypeFor[T](), true, "")
	d := &decoder{registry: registry, schema: schema}
	return func(text Object) (v T, err error) {
		var generic any
		if err := d.decode(text, &generic); err != nil {
			return v, m.translate(http.StatusUnprocessableEntity, "", []error{&huma.ErrorDetail{Message: err.Error(), Location: path}})
		}
		at := huma.NewPathBuffer(nil, 0)
		at.Push(path)
		var result huma.ValidateResult
		huma.Validate(registry, schema, at, huma.ModeWriteToServer, generic, &result)
		if len(result.Errors) > 0 {
			return v, m.translate(http.StatusUnprocessableEntity, "", result.Errors)
		}
		if err := decode(text, &v); err != nil {
			return v, m.translate(http.StatusUnprocessableEntity, "", []error{&huma.ErrorDetail{Message: err.Error(), Location: path}})
		}
		return v, nil
	}
}
