package telemetry

import (
	"bytes"
	"slices"
	"testing"
	"unicode/utf8"
)

// FuzzLine reads any line: it never fails but by telling what is wrong, and what it
// takes survives a block.
func FuzzLine(f *testing.F) {
	for _, seed := range []string{
		`{"kind":"log","level":"info","message":"m","timestamp":"2026-11-21T12:00:00Z"}`,
		`{"msg":"m","level":"warn","options":{"userId":"u"},"visible_to_bot_owner":true}`,
		`{"type":"issue","code":"c","category":"other","title":"t","description":"d","data":{"a":{"raw":"1"}},"groupBy":["a"]}`,
		`{"kind":"action_run","integrationName":"i","actionType":"a","input":{"a":[1,{"b":null}]},"status":"SUCCESS","durationMs":1.5}`,
		`{"kind":"llm_call","inputTokens":1,"outputTokens":2,"latencyMs":3,"costNanoUsd":4}`,
		`{"kind":"event","type":"\ud800"}`, `{"kind":"log","kind":"event","level":"info","message":"\u0000"}`, `[]`, `{`, `null`, "\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		b := &batch{from: &sender{bot: "b", integration: "i"}, now: noon, pass: entered(t, newAdmission())}
		given := bytes.Clone(text)
		r, problem := b.read(text)
		if !bytes.Equal(given, text) {
			t.Fatal("the line was changed")
		}
		if problem == "" {
			problem = r.Check()
		}
		if problem != "" {
			if !utf8.ValidString(problem) || len(problem) > 2000 {
				t.Fatalf("what is wrong is told as %q", problem)
			}
			return
		}
		r.Workspace, r.Bot, r.Integration = "w", "b", "i"
		block, err := encodeFresh([]Record{r})
		if err != nil {
			t.Fatal(err)
		}
		block.sequence = 7
		back, err := block.all(classOf(r.Kind))
		if err != nil {
			t.Fatal(err)
		}
		r.Sequence = 7
		if r.Kind == KindLog {
			r.ID = ""
		}
		if want, got := described([]Record{r}), described(back); r.Kind == KindLog && !slices.Equal(want, got) {
			t.Fatalf("%q became %q", want, got)
		}
		if back[0].Kind != r.Kind || back[0].At != r.At || back[0].User != r.User {
			t.Fatalf("%+v became %+v", r, back[0])
		}
	})
}

// A block that is cut or changed anywhere is an error and never a panic.
func TestBrokenBlocks(t *testing.T) {
	c := &movable{at: noon}
	block, err := encodeFresh([]Record{logLine(c, 0, "one"), logLine(c, 1, "two"), logLine(c, 2, "three")})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []*[]byte{&block.head, &block.text} {
		whole := *part
		for i := range whole {
			changed := bytes.Clone(whole)
			changed[i] ^= 0xff
			*part = changed
			if _, err := block.all(Logs); err == nil {
				t.Errorf("byte %d of %d was changed and nobody saw it", i, len(whole))
			}
			*part = whole[:i]
			if _, err := block.all(Logs); err == nil {
				t.Errorf("%d of %d bytes were taken for all", i, len(whole))
			}
		}
		*part = whole
	}
}
