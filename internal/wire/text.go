package wire

import (
	"bytes"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/fault"
)

// idHeaders are the headers that name what a request is about.
var idHeaders = []string{workspaceHeader, "x-bot-id", "x-integration-id", "x-integration-alias", "x-user-id"}

// checkTexts rejects queries and id headers that are not valid text: PostgreSQL would reject
// them too, while SQLite would find nothing. Paths are checked before routing, bodies when
// they are decoded.
func checkTexts(r *http.Request) error {
	for _, name := range idHeaders {
		if !utf8.ValidString(r.Header.Get(name)) {
			return fault.New(fault.InvalidPayload, "request/headers/%s must be UTF-8 text.", name)
		}
	}
	raw := r.URL.RawQuery
	if utf8.ValidString(raw) && !strings.Contains(raw, "%") {
		return nil
	}
	var err error
	eachQuery(raw, func(key, value string) {
		if !utf8.ValidString(key+value) || strings.ContainsRune(key+value, 0) {
			err = fault.New(fault.InvalidQuery, "The query parameter %q must be UTF-8 text without the character U+0000.", fault.Bounded(key))
		}
	})
	return err
}

// refuseNUL rejects typed strings and map keys that contain U+0000: PostgreSQL cannot store
// it, and no name, tag or secret needs it. Free-form JSON may contain it, because it is
// stored with its escapes.
func refuseNUL(body []byte, v any) error {
	if !bytes.Contains(body, []byte(`\u0000`)) {
		return nil
	}
	if path, found := findNUL(reflect.ValueOf(v), "body"); found {
		return fmt.Errorf("%s contains the character U+0000, which is not allowed here", fault.BoundedTo(path, 200))
	}
	return nil
}

func findNUL(v reflect.Value, path string) (string, bool) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return findNUL(v.Elem(), path)
		}
	case reflect.String:
		return path, strings.ContainsRune(v.String(), 0)
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if name != "" {
				name = "." + name
			}
			if found, ok := findNUL(v.Field(i), path+name); ok {
				return found, true
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if found, ok := findNUL(key, path); ok {
				return found, true
			}
			if found, ok := findNUL(v.MapIndex(key), path+"."+key.String()); ok {
				return found, true
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return "", false // free-form JSON
		}
		for i := range v.Len() {
			if found, ok := findNUL(v.Index(i), path+"[]"); ok {
				return found, true
			}
		}
	}
	return "", false
}

// AppendText appends a JSON string. Bytes that are not UTF-8 become U+FFFD: AppendQuote
// writes them so, besides returning an error.
func AppendText[T ~[]byte | ~string](out []byte, s T) []byte {
	out, _ = jsontext.AppendQuote(out, s)
	return out
}
