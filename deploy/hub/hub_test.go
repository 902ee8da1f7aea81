package hub_test

import (
	"io/fs"
	"reflect"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/deploy/hub"
	"github.com/botyard/botyard/internal/catalog"
)

// TestFiles holds every definition against the body of createInterface, and its
// references against its entities.
func TestFiles(t *testing.T) {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	schema := registry.Schema(reflect.TypeFor[catalog.CreateInterfaceBody](), true, "")
	files, err := fs.Glob(hub.Files, "*.json")
	if err != nil || len(files) != 10 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			text, err := fs.ReadFile(hub.Files, file)
			if err != nil {
				t.Fatal(err)
			}
			var body map[string]any
			if err := json.Unmarshal(text, &body); err != nil {
				t.Fatal(err)
			}
			path, result := huma.NewPathBuffer(nil, 0), huma.ValidateResult{}
			huma.Validate(registry, schema, path, huma.ModeWriteToServer, body, &result)
			for _, err := range result.Errors {
				t.Error(err)
			}
			if body["name"] != strings.TrimSuffix(file, ".json") || body["public"] != true {
				t.Errorf("%v is public: %v", body["name"], body["public"])
			}
			entities := body["entities"].(map[string]any)
			used := map[string]bool{}
			eachReference(body, func(reference string) {
				used[reference] = true
				if _, declared := entities[reference]; !declared {
					t.Errorf("the reference %q is to no entity", reference)
				}
			})
			if len(used) != len(entities) && file != "deletable.json" {
				t.Errorf("of the entities %v only %v are used", entities, used)
			}
		})
	}
}

func eachReference(v any, visit func(string)) {
	switch v := v.(type) {
	case map[string]any:
		if reference, is := v["$ref"].(string); is {
			visit(reference)
		}
		for _, inner := range v {
			eachReference(inner, visit)
		}
	case []any:
		for _, inner := range v {
			eachReference(inner, visit)
		}
	}
}
