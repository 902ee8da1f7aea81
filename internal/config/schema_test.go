package config

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write docs/config.schema.json")

func TestSchemaIsCurrent(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "config.schema.json")
	want, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/config.schema.json is not current; write it with: go test ./internal/config -update\n%s", diff)
	}
}

func TestSchemaAndParserAgree(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("config.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("config.json")
	if err != nil {
		t.Fatal(err)
	}
	for text, right := range map[string]bool{
		`{}`: true,
		`{"$schema":"config.schema.json","listen":":0","dev":true,"max_body":"2MiB","shutdown_timeout":"1m30s"}`: true,
		`{"max_body":2097152,"database_max_connections":5,"log_level":"warn"}`:                                   true,
		`{"listn":":0"}`:            false,
		`{"log_level":"loud"}`:      false,
		`{"max_body":"2 TiB"}`:      false,
		`{"shutdown_timeout":"20"}`: false,
		`{"rate_limit_token":-1}`:   false,
		`{"dev":"perhaps"}`:         false,
		`{"listen":[]}`:             false,
	} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); (err == nil) != right {
			t.Errorf("the schema on %s: %v", text, err)
		}
		if _, err := parse(t, "serve", "--config", write(t, "c.json", text)); (err == nil) != right {
			t.Errorf("the parser on %s: %v", text, err)
		}
	}
}
