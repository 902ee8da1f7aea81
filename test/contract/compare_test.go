package contract_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/test/contract"
)

const declared = `{"openapi": "3.0.3", "paths": {"/v1/bots/{id}": {"put": {
	"operationId": "updateBot",
	"parameters": [
		{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}},
		{"name": "X-Workspace-Id", "in": "header", "required": true, "schema": {"type": "string"}},
		{"name": "tags", "in": "query", "schema": {"type": "object", "additionalProperties": {"type": "string"}}},
		{"name": "names", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}}
	],
	"requestBody": {"content": {"application/json": {"schema": {"type": "object", "required": ["name"], "properties": {
		"name": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^a"},
		"size": {"type": "number", "minimum": 1},
		"data": {"type": "object", "additionalProperties": true},
		"url": {"type": "string", "nullable": true}
	}, "additionalProperties": false}}}},
	"responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Bot"}}}}}
}}},
"components": {"schemas": {
	"Bot": {"type": "object", "required": ["id", "at"], "properties": {
		"id": {"type": "string"},
		"at": {"type": "string", "format": "date-time"},
		"size": {"type": "number"},
		"status": {"type": "string", "enum": ["a", "b"]},
		"parts": {"type": "array", "items": {"$ref": "#/components/schemas/Part"}}
	}, "additionalProperties": false},
	"Part": {"type": "object", "properties": {"weight": {"type": "integer"}}}
}}}`

func TestCompare(t *testing.T) {
	tests := []struct {
		name, old, new string
		want           string // the difference; empty: none
	}{
		{"itself", "", "", ""},
		{"path", `/v1/bots/{id}`, `/v1/bots/{bot}`, " : is PUT /v1/bots/{bot}, the contract says PUT /v1/bots/{id}"},
		{"method", `"put"`, `"post"`, " : is POST /v1/bots/{id}, the contract says PUT /v1/bots/{id}"},
		{"header in another case", `X-Workspace-Id`, `x-workspace-id`, ""},
		{"parameter missing", `{"name": "tags", "in": "query", "schema": {"type": "object", "additionalProperties": {"type": "string"}}},`, ``, " query.tags: is missing"},
		{"parameter in another place", `"name": "id", "in": "path"`, `"name": "id", "in": "query"`, " path.id: is missing"},
		{"parameter optional", `"in": "path", "required": true`, `"in": "path"`, " path.id: required is false, the contract says true"},
		{"parameter not an array", `{"type": "array", "items": {"type": "string"}}`, `{"type": "string"}`, " query.names: type is string, the contract says array"},
		{"field missing in a request", `"url": {"type": "string", "nullable": true}`, `"url2": {"type": "string", "nullable": true}`, " request.url: is missing"},
		{"nullability", `"nullable": true`, `"nullable": false`, " request.url: nullable is false, the contract says true"},
		{"required in a request", `"required": ["name"]`, `"required": []`, " request.name: required is false, the contract says true"},
		{"length", `"maxLength": 64`, `"maxLength": 63`, " request.name: maxLength is 63, the contract says 64"},
		{"a limit gone", `"minLength": 1, `, ``, " request.name: minLength is none, the contract says 1"},
		{"a limit more", `"minimum": 1`, `"minimum": 1, "maximum": 5`, " request.size: maximum is 5, the contract says none"},
		{"pattern", `"pattern": "^a"`, `"pattern": "^b"`, " request.name: pattern is ^b, the contract says ^a"},
		{"an integer is read for a number", `"size": {"type": "number", "minimum": 1}`, `"size": {"type": "integer", "minimum": 1}`, " request.size: type is integer, the contract says number"},
		{"an integer is answered for a number", `"size": {"type": "number"}`, `"size": {"type": "integer", "format": "int64"}`, ""},
		{"a closed object for an open one", `"additionalProperties": true`, `"additionalProperties": false`, " request.data: open is false, the contract says true"},
		{"an open object with properties", `"name": {"type": "string", "minLength"`, `"name": {"type": "string", "minLength"`, ""},
		{"a format read", `"url": {"type": "string"`, `"url": {"type": "string", "format": "uri"`, " request.url: format is uri, the contract says none"},
		{"a format answered", `"id": {"type": "string"}`, `"id": {"type": "string", "format": "uuid"}`, ""},
		{"a format not kept", `, "format": "date-time"`, ``, " answer.at: format is none, the contract says date-time"},
		{"enum", `["a", "b"]`, `["a", "c"]`, ` answer.status: enum is ["a" "c"], the contract says ["a" "b"]`},
		{"enum in another order", `["a", "b"]`, `["b", "a"]`, ""},
		{"required in an answer", `["id", "at"]`, `["id"]`, " answer.at: required is false, the contract says true"},
		{"deep in a reference", `"weight": {"type": "integer"}`, `"weight": {"type": "number"}`, " answer.parts.[].weight: type is number, the contract says integer"},
		{"an undeclared field", `"weight": {"type": "integer"}`, `"weight": {"type": "integer"}, "height": {}`, " answer.parts.[].height: is not in the contract"},
	}
	want := one(t, declared)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(declared, tt.old) {
				t.Fatalf("the document has no %s", tt.old)
			}
			found := contract.Compare(want, one(t, strings.Replace(declared, tt.old, tt.new, 1)))
			switch {
			case tt.want == "" && len(found) > 0:
				t.Errorf("found %v, want none", found)
			case tt.want != "" && (len(found) == 0 || fmt.Sprint(found[0]) != "updateBot"+tt.want):
				t.Errorf("found %v, want%s", found, tt.want)
			}
		})
	}
}

func one(t *testing.T, document string) contract.Operation {
	t.Helper()
	operations, err := contract.ReadDocument([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	if len(operations) != 1 {
		t.Fatalf("%d operations, want one", len(operations))
	}
	return operations[0]
}

func TestFactsRoundTrip(t *testing.T) {
	want := []contract.Operation{one(t, declared)}
	text, err := contract.WriteFacts(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := contract.ReadFacts(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("facts read back differ:\n%s", diff)
	}
}

func TestReadDocumentRefuses(t *testing.T) {
	for name, change := range map[string][2]string{
		"a reference to nothing":      {"#/components/schemas/Part", "#/components/schemas/Port"},
		"a schema that holds itself":  {`"weight": {"type": "integer"}`, `"weight": {"$ref": "#/components/schemas/Bot"}`},
		"a parameter without schema":  {`"required": true, "schema": {"type": "string"}`, `"required": true`},
		"text that is not a document": {declared, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := contract.ReadDocument([]byte(strings.Replace(declared, change[0], change[1], 1))); err == nil {
				t.Error("was read without an error")
			}
		})
	}
}
