package wire

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEachQuery(t *testing.T) {
	tests := []struct {
		raw  string
		want []string
	}{
		{"", nil},
		{"a=1&b=2&a=3", []string{"a=1", "b=2", "a=3"}},
		{"a&b=", []string{"a=", "b="}},
		{"=1&&&", nil},
		{"tags.a%2Eb=c%20d+e", []string{"tags.a.b=c d e"}},
		{"a=%zz&b=1&%=2", []string{"b=1"}},
		{"a=b=c", []string{"a=b=c"}},
		{"a=%00%ff", []string{"a=\x00\xff"}},
	}
	for _, tt := range tests {
		var got []string
		eachQuery(tt.raw, func(key, value string) { got = append(got, key+"="+value) })
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.raw, diff)
		}
	}
}

// FuzzEachQuery holds eachQuery against net/url, which differs only in keys that
// are empty and in semicolons.
func FuzzEachQuery(f *testing.F) {
	for _, raw := range []string{"a=1&a=2", "tags.a.b=%20", "%zz=1&b", "&&=&a", "a=%"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if strings.Contains(raw, ";") {
			t.Skip()
		}
		want, _ := url.ParseQuery(raw) // what it could not read, neither can we
		delete(want, "")
		got := url.Values{}
		eachQuery(raw, func(key, value string) { got[key] = append(got[key], value) })
		delete(got, "") // an escaped empty key, such as none is
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-net/url +ours):\n%s", raw, diff)
		}
	})
}

type dottedInput struct {
	PageQuery
	Tags       Map `dotted:"tags" doc:"Tags."`
	Interfaces Map `dotted:"interfaces" doc:"Interfaces."`
}

func TestReadDotted(t *testing.T) {
	fields := dottedFields(reflect.TypeFor[dottedInput]())
	var names []string
	for _, f := range fields {
		names = append(names, f.name+": "+f.doc)
	}
	if want := []string{"tags: Tags.", "interfaces: Interfaces."}; !slices.Equal(names, want) {
		t.Fatalf("found %q, want %q", names, want)
	}
	tests := []struct {
		raw  string
		want dottedInput
	}{
		{"", dottedInput{}},
		{"tags=a&tags.=b&tagsx.a=1&xtags.a=1&Tags.a=1", dottedInput{}},
		{"tags.a=1&interfaces.b=2", dottedInput{Tags: Map{"a": "1"}, Interfaces: Map{"b": "2"}}},
		{"tags.a.b.c=1", dottedInput{Tags: Map{"a.b.c": "1"}}},
		{"tags.a=1&tags.a=2", dottedInput{Tags: Map{"a": "2"}}},
		{"tags.a", dottedInput{Tags: Map{"a": ""}}},
		{"tags.%F0%9F%91%8B=%26", dottedInput{Tags: Map{"👋": "&"}}},
	}
	for _, tt := range tests {
		var got dottedInput
		readDotted(reflect.ValueOf(&got).Elem(), fields, tt.raw)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.raw, diff)
		}
	}
}

func FuzzReadDotted(f *testing.F) {
	f.Add("tags.a.b=1&tags.=2&interfaces.x=%zz")
	fields := dottedFields(reflect.TypeFor[dottedInput]())
	f.Fuzz(func(t *testing.T, raw string) {
		var got dottedInput
		readDotted(reflect.ValueOf(&got).Elem(), fields, raw)
		for key := range got.Tags {
			if key == "" || !strings.Contains(raw, "=") && got.Tags[key] != "" {
				t.Errorf("%q gave tag %q", raw, key)
			}
		}
	})
}
