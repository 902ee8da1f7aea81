package validate_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/test/validate"
)

// document30 and document31 declare the same API in the two versions of OpenAPI.
const document30 = `{
	"openapi": "3.0.3", "info": {"title": "t", "version": "1"},
	"paths": {
		"/v1/bots": {"get": {"operationId": "listBots", "responses": {"200": {"description": "", "content": {"application/json": {"schema": {
			"type": "object", "required": ["bots", "meta"],
			"properties": {
				"bots": {"type": "array", "items": {"$ref": "#/components/schemas/Bot"}},
				"meta": {"type": "object", "properties": {"nextToken": {"type": "string"}}}
			}}}}}}}},
		"/v1/bots/{id}": {
			"get": {"operationId": "getBot",
				"parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
				"responses": {
					"200": {"description": "", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Bot"}}}},
					"4XX": {"$ref": "#/components/responses/Refusal"}}},
			"delete": {"operationId": "deleteBot",
				"parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
				"responses": {"200": {"description": "", "content": {"application/json": {"schema": {"type": "object", "additionalProperties": false}}}}}}},
		"/v1/bots/baks": {"get": {"operationId": "listKeys", "responses": {"200": {"description": "", "content": {"application/json": {"schema": {
			"type": "object", "additionalProperties": {"type": "integer", "minimum": 0, "exclusiveMinimum": true}}}}}}}}
	},
	"components": {
		"responses": {"Refusal": {"description": "", "content": {"application/json": {"schema": {
			"type": "object", "required": ["message"],
			"properties": {"id": {"type": "string"}, "code": {"type": "integer"}, "type": {"type": "string"}, "message": {"type": "string", "maxLength": 20}}}}}}},
		"schemas": {"Bot": {"type": "object", "required": ["id", "createdAt", "handle"],
			"properties": {
				"id": {"type": "string", "minLength": 3},
				"createdAt": {"type": "string", "format": "date-time"},
				"owner": {"type": "string", "format": "uuid"},
				"handle": {"type": "string", "nullable": true, "enum": ["a", "b"]},
				"definition": {"type": "object", "additionalProperties": true}
			}}}
	}
}`

var document31 = strings.NewReplacer(
	`"3.0.3"`, `"3.1.0"`,
	`{"type": "string", "nullable": true, "enum": ["a", "b"]}`, `{"type": ["string", "null"], "enum": ["a", "b", null]}`,
	`"minimum": 0, "exclusiveMinimum": true`, `"exclusiveMinimum": 0`,
).Replace(document30)

const bot = `{"id":"bot_1","createdAt":"2024-05-06T07:08:09.010Z","handle":"a"}`

func failure(code, kind string) string {
	return `{"id":"err_20240506070809x0A1B2C3D","code":` + code + `,"type":"` + kind + `","message":"No such bot."}`
}

func TestResponse(t *testing.T) {
	for name, document := range map[string]string{"3.0": document30, "3.1": document31} {
		t.Run(name, func(t *testing.T) {
			v, err := validate.New([]byte(document))
			if err != nil {
				t.Fatal(err)
			}
			tests := []struct {
				name         string
				method, path string
				status       int
				body         string
				// wrong is a part of the expected error; empty: the answer is right.
				wrong string
			}{
				{"a bot", "GET", "/v1/bots/bot_1", 200, bot, ""},
				{"a bot by a name with a slash", "GET", "/v1/bots/a%2Fb", 200, bot, ""},
				{"free-form JSON", "GET", "/v1/bots/bot_1", 200, `{"id":"bot_1","createdAt":"2024-05-06T07:08:09.010Z","handle":null,"definition":{"a":1,"a":{"\ud800":2}}}`, ""},
				{"a page", "GET", "/v1/bots", 200, `{"bots":[` + bot + `],"meta":{}}`, ""},
				{"an empty page", "GET", "/v1/bots", 200, `{"bots":[],"meta":{"nextToken":"x"}}`, ""},
				{"a literal route wins", "GET", "/v1/bots/baks", 200, `{"a":1}`, ""},
				{"a parameter's route where the literal has no such method", "DELETE", "/v1/bots/baks", 200, `{}`, ""},
				{"a declared error", "GET", "/v1/bots/bot_1", 404, failure("404", "ResourceNotFound"), ""},
				{"an undeclared error", "GET", "/v1/bots", 401, failure("401", "Unauthorized"), ""},
				{"a preflight", "OPTIONS", "/v1/bots", 204, "", ""},

				{"an undeclared field", "GET", "/v1/bots/bot_1", 200, bot[:len(bot)-1] + `,"code":""}`, "code"},
				{"an undeclared field in a list", "GET", "/v1/bots", 200, `{"bots":[` + bot[:len(bot)-1] + `,"code":""}],"meta":{}}`, "code"},
				{"an undeclared field in an empty object", "DELETE", "/v1/bots/x", 200, `{"ok":true}`, "ok"},
				{"a missing field", "GET", "/v1/bots/bot_1", 200, `{"id":"bot_1","createdAt":"2024-05-06T07:08:09.010Z"}`, "handle"},
				{"a missing meta", "GET", "/v1/bots", 200, `{"bots":[]}`, "meta"},
				{"null for a list", "GET", "/v1/bots", 200, `{"bots":null,"meta":{}}`, "null"},
				{"null for what is not nullable", "GET", "/v1/bots", 200, `{"bots":[],"meta":{"nextToken":null}}`, "null"},
				{"a value outside an enum", "GET", "/v1/bots/bot_1", 200, strings.Replace(bot, `"a"`, `"c"`, 1), "handle"},
				{"too short", "GET", "/v1/bots/bot_1", 200, strings.Replace(bot, "bot_1", "b", 1), "minLength"},
				{"not above an exclusive bound", "GET", "/v1/bots/baks", 200, `{"a":0}`, "'/a'"},
				{"a time without milliseconds", "GET", "/v1/bots/bot_1", 200, strings.Replace(bot, ".010Z", "Z", 1), "2006-01-02T15:04:05.000Z"},
				{"a time in another zone", "GET", "/v1/bots/bot_1", 200, strings.Replace(bot, "Z", "+02:00", 1), "2006-01-02T15:04:05.000Z"},
				{"not a UUID", "GET", "/v1/bots/bot_1", 200, bot[:len(bot)-1] + `,"owner":"me"}`, "uuid"},
				{"an unknown route", "GET", "/v1/robots", 200, `{}`, "declares no such operation"},
				{"a route with a final slash", "GET", "/v1/bots/", 200, `{}`, "declares no such operation"},
				{"an unknown method", "PATCH", "/v1/bots", 200, `{}`, "declares no such operation"},
				{"an undeclared status", "GET", "/v1/bots", 201, `{"bots":[],"meta":{}}`, "declares no such status"},
				{"not JSON", "GET", "/v1/bots", 200, `{"bots":[`, "not JSON"},
				{"an empty body", "DELETE", "/v1/bots/x", 200, ``, "not JSON"},
				{"an error without an id", "GET", "/v1/bots", 401, `{"code":401,"type":"Unauthorized","message":"No."}`, "id"},
				{"an error with another id", "GET", "/v1/bots", 401, strings.Replace(failure("401", "Unauthorized"), "err_", "req_", 1), "/id"},
				{"an error of an unknown type", "GET", "/v1/bots", 401, failure("401", "Nope"), "type"},
				{"an error with another code", "GET", "/v1/bots", 401, failure("403", "Unauthorized"), "code is 403"},
				{"an error with another type's status", "GET", "/v1/bots", 401, failure("401", "Forbidden"), "status is 403"},
				{"an error against its declaration", "GET", "/v1/bots/x", 404, strings.Replace(failure("404", "ResourceNotFound"), "No such bot.", strings.Repeat("x", 21), 1), "maxLength"},
			}
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					expect(t, v.Response(tt.method, tt.path, tt.status, answerHeader(), []byte(tt.body)), tt.wrong)
				})
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	v, err := validate.New([]byte(document31))
	if err != nil {
		t.Fatal(err)
	}
	list := `{"bots":[],"meta":{}}`
	tests := []struct {
		name   string
		change func(http.Header)
		status int
		body   string
		wrong  string
	}{
		{"a charset", func(h http.Header) { h.Set("Content-Type", "application/json; charset=utf-8") }, 200, list, ""},
		{"gzip", func(h http.Header) { h.Set("Content-Encoding", "gzip") }, 200, zipped(list), ""},
		{"not gzip", func(h http.Header) { h.Set("Content-Encoding", "gzip") }, 200, list, "not gzip"},
		{"an unknown encoding", func(h http.Header) { h.Set("Content-Encoding", "br") }, 200, list, "cannot be checked"},
		{"no content type", func(h http.Header) { h.Del("Content-Type") }, 200, list, "content type"},
		{"text", func(h http.Header) { h.Set("Content-Type", "text/plain") }, 401, failure("401", "Unauthorized"), "content type"},
		{"no rate limit", func(h http.Header) { h.Del("RateLimit-Remaining") }, 200, list, "RateLimit-Remaining"},
		{"too many requests", func(h http.Header) { h.Set("Retry-After", "1") }, 429, failure("429", "RateLimited"), ""},
		{"too many requests, no delay", func(http.Header) {}, 429, failure("429", "RateLimited"), "Retry-After"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := answerHeader()
			tt.change(header)
			expect(t, v.Response("GET", "/v1/bots", tt.status, header, []byte(tt.body)), tt.wrong)
		})
	}
}

func TestOperations(t *testing.T) {
	v, err := validate.New([]byte(document30))
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Operation("GET", "/v1/bots/baks"); got != "listKeys" {
		t.Errorf("GET /v1/bots/baks is %q", got)
	}
	if got := v.Operation("GET", "/v2/bots"); got != "" {
		t.Errorf("GET /v2/bots is %q", got)
	}
	want := []string{"deleteBot", "getBot", "listBots", "listKeys"}
	if diff := cmp.Diff(want, v.Operations("/v1/")); diff != "" {
		t.Error(diff)
	}
	if got := v.Operations("/v2/"); got != nil {
		t.Errorf("below /v2/: %v", got)
	}
}

func TestNewRefusesABrokenDocument(t *testing.T) {
	for name, document := range map[string]string{
		"not JSON":           `{`,
		"not OpenAPI":        `{"paths":{}}`,
		"a missing schema":   strings.Replace(document30, `"Bot": {`, `"Robot": {`, 1),
		"another media type": strings.Replace(document30, `"application/json"`, `"text/html"`, 1),
		"one route twice":    strings.Replace(document30, `"/v1/bots/baks"`, `"/v1/bots/{other}"`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := validate.New([]byte(document)); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestRoundTripper(t *testing.T) {
	v, err := validate.New([]byte(document31))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range answerHeader() {
			w.Header()[name] = values
		}
		if r.URL.Query().Has("broken") {
			io.WriteString(w, `{"bots":[]}`)
			return
		}
		io.WriteString(w, `{"bots":[],"meta":{}}`)
	}))
	defer server.Close()
	client := http.Client{Transport: v.RoundTripper(http.DefaultTransport)}

	answer, err := client.Get(server.URL + "/v1/bots?pageSize=2")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, _ := io.ReadAll(answer.Body); string(body) != `{"bots":[],"meta":{}}` {
		t.Errorf("the body became %s", body)
	}
	_, err = client.Get(server.URL + "/v1/bots?broken=yes")
	expect(t, err, "meta")
}

func answerHeader() http.Header {
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	header.Set("RateLimit-Limit", "100")
	header.Set("RateLimit-Remaining", "99")
	header.Set("RateLimit-Reset", "1")
	return header
}

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, text)
	w.Close()
	return b.String()
}

// expect fails unless err is nil when wrong is empty, or else contains wrong.
func expect(t *testing.T, err error, wrong string) {
	t.Helper()
	switch {
	case wrong == "" && err != nil:
		t.Error(err)
	case wrong != "" && err == nil:
		t.Errorf("no error, expected one about %q", wrong)
	case wrong != "" && !strings.Contains(err.Error(), wrong):
		t.Errorf("the error is %q, expected one about %q", err, wrong)
	}
}
