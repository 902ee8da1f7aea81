package catalog

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/secret"
	"github.com/botyard/botyard/internal/wire"
)

// members are the names of a JSON object's members.
func members(t *testing.T, object []byte) map[string]bool {
	t.Helper()
	var all map[string]wire.JSON
	if err := wire.ParseJSON(object, &all); err != nil {
		t.Fatalf("%v in %s", err, object)
	}
	names := map[string]bool{}
	for name := range all {
		names[name] = true
	}
	return names
}

// fields are the names of the members that a wire struct has on the wire.
func fields(of reflect.Type) map[string]bool {
	names := map[string]bool{}
	for _, f := range reflect.VisibleFields(of) {
		if tag := f.Tag.Get("json"); tag != "" && !f.Anonymous {
			for n := range len(tag) {
				if tag[n] == ',' {
					tag = tag[:n]
					break
				}
			}
			names[tag] = true
		}
	}
	return names
}

// TestIntegrationAnswer holds the answer that is put together against the struct
// that describes it.
func TestIntegrationAnswer(t *testing.T) {
	s := New(Options{Keys: secret.New(), PublicURL: func() string { return "https://yard.example" }})
	d := definition.EmptyIntegration()
	d.Sandbox = &definition.IntegrationSandbox{MessageExtractScript: "s"}
	text, err := d.JSON()
	if err != nil {
		t.Fatal(err)
	}
	i := sampleIntegration("wkspace_x", `a/"quoted"`, "1.0.0", Public, 1)
	i.MaxExecutionTime, i.Attributes, i.SecretNames, i.URL = 5, `{"a":"b"}`, `["S"]`, "https://x"
	i.Icon, i.Readme, i.Definition = blob.Of([]byte("i")), blob.Of([]byte("r")), JSON(text)
	own, err := s.showIntegration(i, "shown once", nil)
	if err != nil {
		t.Fatal(err)
	}
	hub, err := s.showPublicIntegration(i, Publisher{"wkspace_x", "", "W"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, answer := range []struct {
		bytes []byte
		of    reflect.Type
	}{{own.Body.Bytes, reflect.TypeFor[IntegrationDetails]()}, {hub.Body.Bytes, reflect.TypeFor[PublicIntegrationDetails]()}} {
		var outer map[string]wire.JSON
		if err := wire.ParseJSON(answer.bytes, &outer); err != nil {
			t.Fatalf("%v in %s", err, answer.bytes)
		}
		if diff := cmp.Diff(fields(answer.of), members(t, outer["integration"])); diff != "" {
			t.Errorf("%s: %s", answer.of, diff)
		}
	}
}
