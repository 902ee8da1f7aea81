package script

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
)

// sample is a program of the kinds that integrations have.
type sample struct{ name, program, data string }

const request = `{"method":"POST","path":"/hook/7","query":"code=abc&state=wh_1%2F2&tags=a&tags=b","headers":{"x-signature":"8f","content-type":"application/json"},"secrets":{"KEY":"s3cret"},"body":"{\"team\":{\"id\":\"T1\"},\"events\":[{\"type\":\"message\",\"n\":3},{\"type\":\"join\"}]}"}`

var samples = []sample{
	{"empty", "", "{}"},
	{"link", `"{{ .webhookUrl }}/oauth?state=" + encode_percent(string!(.webhookId))`, `{"webhookId":"a b/c","webhookUrl":"https://w.example/1"}`},
	{"template", "id = to_string!(.webhookId)\nenv = to_string!(.env)\n\"https://{{ env }}.example/{{ id }}\"", `{"webhookId":"7","env":"production"}`},
	{"body's identifier", "body = parse_json!(.body)\nbody.team.id", request},
	{"index", "parse_json!(.body).events[1].type", request},
	{"query", "parse_query_string!(.query).state", request},
	{"repeated query", "parse_query_string!(.query)", request},
	{"first of a path", `parts = split(string!(.path), "/"); parts[2]`, request},
	{"fallback", `{ "status": 200, "headers": { "x-a": "b" }, "body": encode_json({ "ok": true, "n": 1.0 }) }`, request},
	{"challenge", `query = parse_query_string!(.query)
		if query.code == "abc" && .method == "POST" { { "status": 200, "body": query.code } } else { { "status": 403 } }`, request},
	{"signature", `encode_base16(hmac(string!(.body), string!(.secrets.KEY), algorithm: "SHA-256"))`, request},
	{"hmac's bytes", `encode_base64(hmac("a", "b"))`, "{}"},
	{"quoted keys", `.headers."x-signature"`, request},
	{"missing", `.headers."x-none" ?? "nothing"`, request},
	{"nullish", `is_nullish(.nothing) && !exists(.nothing) && is_nullish("")`, "{}"},
	{"get", `get!(parse_json!(.body), ["events", 0, "n"])`, request},
	{"booleans", `to_bool!("yes") && to_bool!("true") && !to_bool!("0")`, "{}"},
	{"prefix", `if starts_with!(.path, "/hook") { replace(string!(.path), "/hook", "", count: 1) }`, request},
	{"caught error", "n, err = to_int(.path)\n{ \"n\": n, \"err\": err }", request},
	{"default", `parse_json(.path) ?? { "a": [1, 2.5, -3] }`, request},
	{"join", `join!(["a", "b", to_string!(.n)], separator: "-")`, `{"n":4}`},
	{"lengths", `length("häß") - length([1, 2]) + length({"a": 1})`, "{}"},
	{"base64", `decode_base64!("aGVsbG8=")`, "{}"},
	{"percent", `decode_percent!("a%20b%2Fc")`, "{}"},
	{"assertion", `assert!(.a == 1, message: "a is not 1")`, `{"a":2}`},
	{"changes", `.a = .b; del(.b); .c.d[2] = true; .`, `{"b":{"x":null}}`},
	{"closures", `map_values(object!(.m)) -> |v| { to_int!(v) * 2 }`, `{"m":{"a":1,"b":"2"}}`},
	{"regular expression", `parse_regex!("user-42@x", r'^user-(?P<id>\d+)@(?P<host>.*)$')`, "{}"},
	{"time", `format_timestamp!(parse_timestamp!("2026-02-03T04:05:06.789Z", "%+"), "%s %A", timezone: "Asia/Tokyo")`, "{}"},
	{"hashes", `[md5("a"), sha1("a"), sha2("a"), crc("a")]`, "{}"},
	{"integers", `[9007199254740993, 9223372036854775807, .big, .big + 1 ?? 0]`, `{"big":9007199254740993}`},
	{"floats", `[1.0, .f, .f / 3 ?? 0, 1.0e10, -0.0, .e]`, `{"f":2.0,"e":1e21}`},
	{"numbers of sixteen digits", `[., .n == -917504.0009765625]`, `{"n":-917504.0009765625}`},
	{"unicode", `.t + "\n\t\"" ?? ""`, `{"t":"\u00e9😀\u0000\u2028"}`},
	{"key order", `.`, `{"b":1,"10":2,"a":{"z":1,"ä":2,"y":3},"9":4}`},
	{"no object", `. = [1, .]; .`, `{"a":1}`},
	{"return", `if .a == 1 { return "early" }; "late"`, `{"a":1}`},
	{"aborted", `abort`, "{}"},
	{"aborted with a message", `abort "because of {{ .a }}"`, `{"a":"this"}`},
	{"failing", `to_timestamp!(.a)`, `{"a":"no time"}`},
	{"syntax", "if .a { 1 } else {", "{}"},
	{"types", `.a + 1`, `{"a":1}`},
	{"unknown", `frobnicate(.a)`, "{}"},
	{"division", `1 / 0`, "{}"},
	{"metadata", `%a = 1; %a`, "{}"},
}

// nodeRuns runs each sample as the cloud does: by the package's own JavaScript.
const nodeRuns = `
const { execute } = require('@bpinternal/verel')
const samples = JSON.parse(require('fs').readFileSync(0, 'utf8'))
const outcomes = samples.map(({ program, data }) => {
  try {
    const { event, result } = execute(program, JSON.parse(data))
    return { event, result }
  } catch (thrown) {
    return { message: thrown.message }
  }
})
process.stdout.write(JSON.stringify(outcomes))
`

// outcome is what came of a sample.
type outcome struct {
	Event   jsontext.Value `json:"event"`
	Result  jsontext.Value `json:"result"`
	Message string         `json:"message"`
}

func inNode(t *testing.T) (outcomes []outcome) {
	t.Helper()
	type input struct {
		Program string `json:"program"`
		Data    string `json:"data"`
	}
	inputs := make([]input, len(samples))
	for n, s := range samples {
		inputs[n] = input{s.program, s.data}
	}
	stdin, err := json.Marshal(inputs)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "node", "-e", nodeRuns)
	command.Dir, command.Stdin = "verel", bytes.NewReader(stdin)
	var stderr strings.Builder
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("node with the package of \"make engine\" is needed: %v\n%s", err, stderr.String())
	}
	if err := json.Unmarshal(output, &outcomes); err != nil {
		t.Fatal(err)
	}
	return outcomes
}

// TestSameAsNode holds the engine, interpreted and compiled, against the package
// that it comes from, run by node.
func TestSameAsNode(t *testing.T) {
	expected := inNode(t)
	compiled(t, shared)
	interpreted := fresh(t, Options{})
	for _, engine := range []struct {
		name string
		*Engine
	}{{"interpreted", interpreted}, {"compiled", shared}} {
		t.Run(engine.name, func(t *testing.T) {
			for n, s := range samples {
				t.Run(s.name, func(t *testing.T) {
					want := expected[n]
					r, err := engine.Run(t.Context(), s.program, jsontext.Value(s.data))
					if err != nil {
						got := fault.From(err)
						kind, message, _ := strings.Cut(want.Message, "\n")
						if wanted := map[string]fault.Type{compilationFailed: fault.InvalidPayload, runFailed: fault.Runtime}[kind]; got.Type != wanted {
							t.Errorf("got %v, node says %s", err, want.Message)
						}
						if message = strings.TrimSpace(message); !strings.HasSuffix(got.Message, message) {
							t.Errorf("got %s, node says %s", got.Message, message)
						}
						return
					}
					if want.Message != "" {
						t.Fatalf("got %s, %s; node says %s", r.Data, r.Value, want.Message)
					}
					for _, v := range []*jsontext.Value{&want.Event, &want.Result} {
						if err := v.Canonicalize(); err != nil {
							t.Fatal(err)
						}
					}
					if diff := cmp.Diff(Result{Data: want.Event, Value: want.Result}, r); diff != "" {
						t.Errorf("node and botyard differ (-node +botyard):\n%s", diff)
					}
				})
			}
		})
	}
}
