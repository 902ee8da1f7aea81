package telemetry

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/wire"
)

func TestObjectsOfRecords(t *testing.T) {
	nested := func(levels int) string {
		return strings.Repeat(`{"{[\"\\":`, levels-1) + `{}` + strings.Repeat("}", levels-1)
	}
	for _, tt := range []struct{ sent, want, problem string }{
		{sent: `{"a": [1.50, 9223372036854775807], "b":"\ud83d\ude00"}`, want: `{"a": [1.50, 9223372036854775807], "b":"\ud83d\ude00"}`},
		{sent: `{"half":"x\ud800y","n":9223372036854775807,"f":1.50,"list":["\udc00",null,true]}`, want: `{"f":1.50,"half":"x�y","list":["�",null,true],"n":9223372036854775807}`},
		{sent: `{"twice":1,"in":{"a":{"x":1},"a":2},"twice":3}`, want: `{"in":{"a":2},"twice":3}`},
		{sent: `{"\ud800":1,"\udc00":2}`, want: `{"�":2}`},
		{sent: nested(wire.MaxDepth), want: nested(wire.MaxDepth)},
		{sent: nested(wire.MaxDepth + 1), problem: "data is nested more than 500 levels deep, at /{[\"\\/"},
		{sent: strings.ReplaceAll(nested(9999), `{"{[\"\\":`, `{"a":`), problem: "data is nested more than 500 levels deep, at /a/a"},
		{sent: `[]`, problem: "data must be a JSON object"},
		{sent: `{"a":"` + strings.Repeat("x", 100_000) + `"}`, problem: "data has 100008 bytes; at most 70000 are allowed"},
		{},
	} {
		got := jsontext.Value(tt.sent)
		if problem := objectProblem("data", &got, 70_000); !strings.HasPrefix(problem, tt.problem) || (problem == "") != (tt.problem == "") || len(problem) > 300 || problem == "" && string(got) != tt.want {
			t.Errorf("%.60s: %q, %.60s", tt.sent, problem, got)
		}
	}
}

// One record of an untidy sender must not keep the others of its body from being
// kept, nor its bot's from being read.
func FuzzObjectsOfRecords(f *testing.F) {
	f.Add(`{"a":"\ud800","a":[{}]}`)
	f.Add(`{"a":{"b":1e400}}`)
	f.Fuzz(func(t *testing.T, text string) {
		data := jsontext.Value(text)
		if !data.IsValid(lenient) || objectProblem("data", &data, maxData) != "" {
			return
		}
		body, err := json.Marshal(&Activity{TaskID: "t", Data: data})
		if err != nil {
			t.Fatal(err)
		}
		var again Activity
		if err := json.Unmarshal(body, &again); err != nil {
			t.Fatal(err)
		}
	})
}
