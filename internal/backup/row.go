package backup

import (
	"encoding/base64"
	"fmt"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/db"
)

// Rows are lines of JSON: one array per row, in the order of the table's columns. Bytes
// are base64. Text is a string, or an array of its bytes in base64 if it is not UTF-8.

// maxChunk is roughly how many bytes of rows one part holds. The size of a part precedes
// it, so a part is assembled in memory.
const maxChunk = 4 << 20

var encoding = base64.StdEncoding

// appendRow writes a row.
func appendRow(to *jsontext.Encoder, values []any) error {
	if err := to.WriteToken(jsontext.BeginArray); err != nil {
		return err
	}
	for _, value := range values {
		if err := appendValue(to, value); err != nil {
			return err
		}
	}
	return to.WriteToken(jsontext.EndArray)
}

func appendValue(to *jsontext.Encoder, value any) error {
	switch v := value.(type) {
	case nil:
		return to.WriteToken(jsontext.Null)
	case string:
		if utf8.ValidString(v) {
			return to.WriteToken(jsontext.String(v))
		}
		for _, token := range []jsontext.Token{jsontext.BeginArray, jsontext.String(encoding.EncodeToString([]byte(v))), jsontext.EndArray} {
			if err := to.WriteToken(token); err != nil {
				return err
			}
		}
		return nil
	case int64:
		return to.WriteToken(jsontext.Int(v))
	case bool:
		return to.WriteToken(jsontext.Bool(v))
	case float64:
		return to.WriteToken(jsontext.Float(v))
	case []byte:
		return to.WriteToken(jsontext.String(encoding.EncodeToString(v)))
	}
	return fmt.Errorf("a column holds a %T, which a backup cannot represent", value)
}

// readRow reads one row of a table; io.EOF at the end.
func readRow(from *jsontext.Decoder, t db.Table) ([]any, error) {
	token, err := from.ReadToken()
	if err != nil {
		return nil, err
	}
	if token.Kind() != '[' {
		return nil, fmt.Errorf("a row is a %s instead of an array", token.Kind())
	}
	row := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		if row[i], err = readValue(from, c); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	if token, err = from.ReadToken(); err == nil && token.Kind() != ']' {
		err = fmt.Errorf("a row has more than %d columns", len(t.Columns))
	}
	return row, err
}

func readValue(from *jsontext.Decoder, c db.Column) (any, error) {
	token, err := from.ReadToken()
	if err != nil {
		return nil, err
	}
	switch kind := token.Kind(); {
	case kind == 'n':
		return nil, nil
	case kind == '"' && c.Type == db.TextColumn:
		return token.String(), nil
	case kind == '[' && c.Type == db.TextColumn:
		return readBytesAsText(from)
	case kind == '"' && c.Type == db.BytesColumn:
		return encoding.DecodeString(token.String())
	case kind == '0' && c.Type == db.IntegerColumn:
		return number(token.Int())
	case kind == '0' && c.Type == db.RealColumn:
		return number(token.Float())
	case (kind == 't' || kind == 'f') && c.Type == db.BooleanColumn:
		return token.Bool(), nil
	default:
		return nil, fmt.Errorf("a %s stands in place of %s", kind, c.Type)
	}
}

// number is a number that a column can hold.
func number[N int64 | float64](n N, err error) (any, error) { return n, err }

func readBytesAsText(from *jsontext.Decoder) (any, error) {
	token, err := from.ReadToken()
	if err != nil {
		return nil, err
	}
	text, err := encoding.DecodeString(token.String())
	if err != nil {
		return nil, err
	}
	_, err = from.ReadToken() // the array's end
	return string(text), err
}
