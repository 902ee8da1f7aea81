package wire

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

type shape struct {
	Text   string                        `json:"text" minLength:"2" maxLength:"4"`
	Kind   string                        `json:"kind,omitempty" enum:"a,b"`
	Count  *int                          `json:"count,omitempty" minimum:"1"`
	Flag   bool                          `json:"flag,omitempty"`
	Free   Object                        `json:"free,omitempty"`
	Any    JSON                          `json:"any,omitempty"`
	Must   JSON                          `json:"must"`
	Named  map[string]shapeInside        `json:"named,omitempty"`
	Patch  map[string]Patch[shapeInside] `json:"patch,omitempty"`
	List   []shapeInside                 `json:"list,omitempty" maxItems:"2"`
	Texts  []string                      `json:"texts,omitempty"`
	Unset  Patch[string]                 `json:"unset,omitzero"`
	Inside *shapeInside                  `json:"inside,omitempty"`
}

type shapeInside struct {
	Schema Object            `json:"schema"`
	Title  string            `json:"title,omitempty" maxLength:"3"`
	Tags   map[string]string `json:"tags,omitempty"`
}

// shapeText draws JSON that is about a shape: often right, often not, with members
// that nobody knows, white space and escapes.
func shapeText(t *rapid.T, deep int) string {
	space := rapid.SampledFrom([]string{"", "", " ", "\n\t"}).Draw(t, "space")
	scalars := []string{"null", "true", "0", "1", "1.5", "-2", `""`, `"a"`, `"abc"`, `"é\n😀"`, `"too long a text"`, `"\\\""`}
	switch pick := rapid.IntRange(0, 9).Draw(t, "kind"); {
	case deep == 0 || pick < 3:
		return space + rapid.SampledFrom(scalars).Draw(t, "scalar") + space
	case pick < 5:
		items := make([]string, rapid.IntRange(0, 3).Draw(t, "items"))
		for i := range items {
			items[i] = shapeText(t, deep-1)
		}
		return space + "[" + strings.Join(items, ",") + "]"
	}
	names := rapid.SliceOfDistinct(rapid.SampledFrom([]string{
		"text", "kind", "count", "flag", "free", "any", "must", "named", "patch", "list", "texts", "unset", "inside", "schema", "title", "tags", "x", "Text",
	}), rapid.ID[string]).Draw(t, "names")
	members := make([]string, len(names))
	for i, name := range names {
		members[i] = space + strconv.Quote(name) + ":" + shapeText(t, deep-1)
	}
	return "{" + strings.Join(members, ",") + space + "}"
}

// TestDecoderJudgesAlike: what a decoder passes over changes nothing: a body is found
// wrong in the same places and words as one that is decoded whole.
func TestDecoderJudgesAlike(t *testing.T) {
	registry := signing().api.OpenAPI().Components.Schemas
	schema := registry.Schema(reflect.TypeFor[shape](), true, "")
	d := &decoder{registry: registry, schema: schema}
	judge := func(decode func([]byte, any) error, body string) []string {
		var v any
		if err := decode([]byte(body), &v); err != nil {
			return []string{err.Error()}
		}
		var result huma.ValidateResult
		huma.Validate(registry, schema, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, v, &result)
		var found []string
		for _, err := range result.Errors {
			detail := err.(*huma.ErrorDetail)
			found = append(found, detail.Location+": "+detail.Message)
		}
		slices.Sort(found) // of maps, the order is chance
		return found
	}
	alike := func(t interface{ Fatalf(string, ...any) }, body string) {
		if diff := cmp.Diff(judge(decode, body), judge(d.decode, body)); diff != "" {
			t.Fatalf("%s\n%s", body, diff)
		}
	}
	rapid.Check(t, func(t *rapid.T) { alike(t, shapeText(t, 4)) })
	for _, body := range []string{
		"", " ", "{", `{"free":{"a":}}`, `{"free":{"a":1,"a":2}}`, `{"text":"ab","text":"cd"}`, `{}{}`, `{} x`, `{"x":"\ud800"}`, `{"any":[1,}`,
		`{"list":[{"schema":{}},null]}`, `[]`, "null", `{"free":null,"named":{"a":null},"patch":{"a":null,"b":{}}}`, "\xff", `{"x":"` + "\xff" + `"}`,
		strings.Repeat(`{"free":`, 3) + "1" + strings.Repeat("}", 3), fmt.Sprintf(`{"any":%s1%s}`, strings.Repeat("[", MaxDepth-1), strings.Repeat("]", MaxDepth-1)),
	} {
		alike(t, body)
	}
}

func TestSpaced(t *testing.T) {
	for text, want := range map[string]bool{
		`{}`: false, `{"a b":"c d\" e","n":[1,2]}`: false, `"\\"`: false, `{"a": 1}`: true, "[1,\n2]": true, `{"a":"\\" }`: true, "": false,
	} {
		if got := spaced([]byte(text)); got != want {
			t.Errorf("%s: %t, want %t", text, got, want)
		}
	}
}
