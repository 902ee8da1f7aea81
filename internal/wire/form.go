package wire

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// Form reads free-form JSON of a request as a T: what the tags of T demand is held
// against it as against a body, and unknown members are ignored. path is where it
// stands in the request. InvalidPayload names what is wrong. Forms are made while
// the Mux is put together; the schema of T becomes a part of the document.
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
