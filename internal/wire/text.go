package wire

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/fault"
)

// refuseNUL refuses a typed string, or a map's key, that holds U+0000: PostgreSQL
// cannot keep it, and no name, tag or secret needs it. Free-form JSON may hold it,
// since that is kept with its escapes.
func refuseNUL(body []byte, v any) error {
	if !bytes.Contains(body, []byte(`\u0000`)) {
		return nil
	}
	if path, found := findNUL(reflect.ValueOf(v), "body"); found {
		return fmt.Errorf("%s holds the character U+0000, which no text can hold here", fault.BoundedTo(path, 200))
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

// AppendText writes a JSON string. AppendQuote fails only on bytes that are no UTF-8,
// and then has written the string with U+FFFD in their place.
func AppendText[T ~[]byte | ~string](out []byte, s T) []byte {
	out, _ = jsontext.AppendQuote(out, s)
	return out
}
