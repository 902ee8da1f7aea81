package wire

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTooDeep(t *testing.T) {
	lists := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	objects := func(n int) string { return strings.Repeat(`{"a":`, n-1) + "{}" + strings.Repeat("}", n-1) }
	for _, tt := range []struct {
		name, text, at string
	}{
		{"as deep as may be", lists(MaxDepth), ""},
		{"one deeper", lists(MaxDepth + 1), "/0/0/0"},
		{"objects as deep as may be", objects(MaxDepth), ""},
		{"objects one deeper", objects(MaxDepth + 1), "/a/a/a"},
		{"deep in a member", `{"x":[1,{"y":` + lists(MaxDepth) + `}]}`, "/x/1/y/0/0"},
		{"many beside each other", "[" + strings.Repeat(lists(100)+",", 1000) + "1]", ""},
		{"brackets in texts", `{"a":"` + strings.Repeat(`[{\"\\`, 1000) + `"}`, ""},
		{"brackets in a name", `{"` + strings.Repeat(`[\"`, 1000) + `":{}}`, ""},
		{"names twice on the way", `{"a":1,"a":` + lists(MaxDepth) + `}`, "/a/0"},
		{"without end", strings.Repeat("[", 100_000), "/0/0"},
		{"no JSON on the way", `{"a":nothing,` + strings.Repeat("[", 1000), ""},
		{"a long way", strings.Repeat(`{"`+strings.Repeat("é", 500)+`":`, MaxDepth+1), "/éé"},
		{"bytes that are no text", strings.Repeat("{\"\xff\xfe\":", MaxDepth+1), "/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at, deep := TooDeep([]byte(tt.text))
			if deep != (tt.at != "") || !strings.HasPrefix(at, tt.at) {
				t.Fatalf("deep is %t at %q, want it at %q", deep, at, tt.at)
			}
			if len(at) > 210 || !utf8.ValidString(at) {
				t.Errorf("the pointer is %q", at)
			}
		})
	}
}
