package exercise_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
	"github.com/botyard/botyard/test/harness"
)

// nests is JSON of so many levels.
func nests(levels int) string {
	return strings.Repeat(`{"a":`, levels-1) + "{}" + strings.Repeat("}", levels-1)
}

// Every operation that reads a body refuses one that is nested too deep, wherever in it
// that is, and says where.
func TestNestedBodies(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		var document struct {
			Paths map[string]map[string]struct{ RequestBody any }
		}
		if err := json.Unmarshal(s.Mux.Document(), &document); err != nil {
			t.Fatal(err)
		}
		asked := 0
		for _, op := range s.Mux.Operations() {
			if document.Paths[op.Path][strings.ToLower(op.Method)].RequestBody == nil {
				continue
			}
			asked++
			path := strings.ReplaceAll(op.Path, "{id}", a.Workspace)
			for strings.Contains(path, "{") {
				path = path[:strings.Index(path, "{")] + "x" + path[strings.Index(path, "}")+1:]
			}
			f := a.Refused(t, fault.InvalidPayload, []string{"500 levels", "/unknown/1/a/a/a"}, op.Method, path, `{"unknown":[0,`+nests(wire.MaxDepth)+`]}`)
			if len(f.Message) > 500 {
				t.Errorf("%s says %d bytes", op.ID, len(f.Message))
			}
		}
		if asked < 45 {
			t.Errorf("only %d operations read a body", asked)
		}
	})
}

// What is nested as deep as may be is kept, answered, and
// changed.
func TestDeepestBodies(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		// It stands below three levels: the body, configuration, schema.
		deepest := nests(wire.MaxDepth - 3)
		var made struct{ Bot struct{ ID string } }
		a.Do(t, "POST", botsPath, `{"configuration":{"schema":{"type":"object","default":`+deepest+`}}}`, &made)
		if answer := a.Ask(t, "GET", botsPath+"/"+made.Bot.ID, nil); answer.Status != 200 || !strings.Contains(string(answer.Body), deepest) {
			t.Errorf("the bot is answered with %d: %.300s", answer.Status, answer.Body)
		}
		updateBot(t, a, made.Bot.ID, object{"name": "again"})
		a.Do(t, "DELETE", botsPath+"/"+made.Bot.ID, nil, nil)
	})
}

// A record that is nested too deep is that record's error alone.
func TestNestedRecords(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		bot := createBot(t, a, object{})["id"].(string)
		good := `{"kind":"log","level":"info","message":"kept"}`
		deep := func(levels int) string {
			return `{"kind":"issue","code":"c","category":"other","title":"t","description":"d","groupBy":[],"data":` + nests(levels) + `}`
		}
		for name, sent := range map[string]struct{ kind, body string }{
			"lines":    {"application/x-ndjson", strings.Join([]string{good, deep(wire.MaxDepth), deep(20_000), `{"unknown":` + nests(wire.MaxDepth) + `,` + good[1:], good}, "\n")},
			"an array": {"application/json", "[" + strings.Join([]string{good, deep(wire.MaxDepth), deep(9_000), `{"unknown":` + nests(wire.MaxDepth) + `,` + good[1:], good}, ",") + "]"},
		} {
			var receipt struct {
				Accepted int
				Rejected []struct {
					Line    int
					Message string
				}
			}
			a.Do(t, "POST", "/v1/ingest", sent.body, &receipt, "Content-Type", sent.kind, "x-bot-id", bot)
			if receipt.Accepted != 2 || len(receipt.Rejected) != 3 {
				t.Fatalf("%s: %+v", name, receipt)
			}
			for n, r := range receipt.Rejected {
				if r.Line != n+2 || !strings.Contains(r.Message, "nested more than 500 levels deep, at /") || len(r.Message) > 300 {
					t.Errorf("%s: line %d is rejected: %q", name, r.Line, r.Message)
				}
			}
		}
	})
}
