package validate

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// jsonType is the only content type of the API.
const jsonType = "application/json"

// everywhere lists the headers that every answer of an operation carries.
var everywhere = []string{"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"}

// Validator checks answers against one document. It is built once and may be
// used by any number of goroutines.
type Validator struct {
	routes   *route
	envelope *jsonschema.Schema
}

// operation is one declared operation: what it may answer with.
type operation struct {
	id string
	// answers is keyed by a status ("200"), a class ("4XX") or "default". A
	// missing schema means that nothing is declared about the body.
	answers map[string]*jsonschema.Schema
}

// New reads an OpenAPI document, version 3.0 or 3.1, and compiles the schemas of
// its responses. It fails when the document itself is not valid.
func New(doc []byte) (*Validator, error) {
	spec, err := openapi3.NewLoader().LoadFromData(doc)
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	err = spec.Validate(context.Background(), openapi3.DisableExamplesValidation(),
		openapi3.EnableSchemaFormatValidation(), openapi3.DisableSchemaPatternValidation())
	if err != nil {
		return nil, fmt.Errorf("the document is not valid OpenAPI: %w", err)
	}
	schemas, err := newSchemas(doc)
	if err != nil {
		return nil, err
	}
	v := &Validator{routes: &route{}}
	if v.envelope, err = schemas.envelope(); err != nil {
		return nil, err
	}
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			declared := &operation{id: op.OperationID, answers: map[string]*jsonschema.Schema{}}
			for status, response := range op.Responses.Map() {
				declared.answers[status], err = schemas.response(path, method, status, response)
				if err != nil {
					return nil, fmt.Errorf("%s %s, response %s: %w", method, path, status, err)
				}
			}
			if err := v.routes.add(path, method, declared); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// Operation names the operation that answers method and path; path is escaped,
// as it was sent, and without a query. It is empty when none is declared.
func (v *Validator) Operation(method, path string) string {
	if op := v.routes.find(path, method); op != nil {
		return op.id
	}
	return ""
}

// Operations lists the ids of all declared operations below a path prefix.
func (v *Validator) Operations(prefix string) []string {
	return v.routes.ids(prefix)
}

// Response checks one answer. path is escaped, as it was sent, and without a
// query. The error says what differs and where; it repeats parts of the body, so
// it belongs in a test's output and nowhere else.
func (v *Validator) Response(method, path string, status int, header http.Header, body []byte) error {
	if method == http.MethodOptions {
		return nil // a preflight is answered before any operation is chosen
	}
	if err := v.response(method, path, status, header, body); err != nil {
		return fmt.Errorf("%s %s answered %d: %w", method, path, status, err)
	}
	return nil
}

func (v *Validator) response(method, path string, status int, header http.Header, body []byte) error {
	op := v.routes.find(path, method)
	if op == nil {
		return errors.New("the document declares no such operation")
	}
	for _, name := range everywhere {
		if _, err := strconv.ParseUint(header.Get(name), 10, 32); err != nil {
			return fmt.Errorf("header %s is %q, not a number", name, header.Get(name))
		}
	}
	if status == http.StatusTooManyRequests && header.Get("Retry-After") == "" {
		return errors.New("header Retry-After is missing")
	}
	if status >= 400 {
		if err := v.ErrorBody(status, header, body); err != nil {
			return err
		}
	}
	schema, declared := op.answer(status)
	switch {
	case !declared && status < 400:
		return fmt.Errorf("operation %s declares no such status", op.id)
	case schema == nil:
		return nil
	}
	value, err := decode(header, body)
	if err != nil {
		return err
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("operation %s: %w", op.id, err)
	}
	return nil
}

// ErrorBody checks that an answer is an error in the form that the official
// clients recognise, whatever its route: {id, code, type, message, metadata?},
// with the status as its code and as the status of its type.
func (v *Validator) ErrorBody(status int, header http.Header, body []byte) error {
	value, err := decode(header, body)
	if err != nil {
		return err
	}
	if err := v.envelope.Validate(value); err != nil {
		return fmt.Errorf("not an error the clients recognise: %w", err)
	}
	failure := value.(map[string]any)
	if failure["code"] != float64(status) {
		return fmt.Errorf("the error's code is %v", failure["code"])
	}
	name := failure["type"].(string)
	if statuses[name] != status {
		return fmt.Errorf("the error's type is %s, whose status is %d", name, statuses[name])
	}
	return nil
}

// answer is the schema for a status: its own, its class's or the default one.
func (o *operation) answer(status int) (schema *jsonschema.Schema, declared bool) {
	exact := strconv.Itoa(status)
	for _, key := range []string{exact, exact[:1] + "XX", "default"} {
		if schema, declared = o.answers[key]; declared {
			return schema, true
		}
	}
	return nil, false
}

// decode reads a JSON body. Duplicate names and lone surrogates pass: free-form
// JSON is handed back as it came in.
func decode(header http.Header, body []byte) (any, error) {
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || media != jsonType {
		return nil, fmt.Errorf("the content type is %q, not %s", header.Get("Content-Type"), jsonType)
	}
	switch encoding := header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		unzipped, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, fmt.Errorf("the body is not gzip: %w", err)
		}
		if body, err = io.ReadAll(unzipped); err != nil {
			return nil, fmt.Errorf("the body is not gzip: %w", err)
		}
	default:
		return nil, fmt.Errorf("content encoding %q cannot be checked, only gzip", encoding)
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return nil, fmt.Errorf("the body is not JSON: %w", err)
	}
	return value, nil
}

// RoundTripper checks every answer that passes through next. An answer that is
// not valid becomes the error of the round trip.
func (v *Validator) RoundTripper(next http.RoundTripper) http.RoundTripper {
	return roundTripper{v, next}
}

type roundTripper struct {
	*Validator
	next http.RoundTripper
}

// RoundTrip reads the body to its end before it returns.
func (t roundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s %s: %w", request.Method, request.URL.EscapedPath(), err)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	err = t.Response(request.Method, request.URL.EscapedPath(), response.StatusCode, response.Header, body)
	if err != nil {
		return nil, err
	}
	return response, nil
}
