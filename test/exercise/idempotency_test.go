package exercise_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/workspace"
	"github.com/botyard/botyard/test/harness"
)

func TestIdempotencyKeys(t *testing.T) {
	harness.RunAlone(t, nil, func(t *testing.T, s *harness.Server) {
		a, b := s.Person(t), s.Person(t)
		ask := func(who *harness.Actor, key string, body any) harness.Answer {
			t.Helper()
			return who.Ask(t, "POST", botsPath, body, "Idempotency-Key", key)
		}
		body := object{"name": "once"}
		first := ask(a, "key", body)
		again := ask(a, "key", body)
		if first.Status != 200 || again.Status != 200 || string(first.Body) != string(again.Body) {
			t.Errorf("the repeat answered %d %s, the first %d %s", again.Status, again.Body, first.Status, first.Body)
		}
		if first.Header.Get("Idempotent-Replayed") != "" || again.Header.Get("Idempotent-Replayed") != "true" {
			t.Error("the repeat is not told apart")
		}
		if n := botCount(t, a); n != 1 {
			t.Errorf("%v bots", n)
		}
		before := a.State(t)
		a.Refused(t, fault.InvalidPayload, []string{"key"}, "POST", botsPath, object{"name": "other"}, "Idempotency-Key", "key")
		a.Refused(t, fault.InvalidPayload, []string{"key"}, "POST", workspacesPath, body, "Idempotency-Key", "key")
		for _, key := range []string{strings.Repeat("k", 256), "schlüssel"} {
			a.Refused(t, fault.InvalidPayload, []string{"Idempotency-Key"}, "POST", botsPath, body, "Idempotency-Key", key)
		}
		if a.State(t) != before {
			t.Error("a refused key changed something")
		}
		// A key is its actor's own.
		if other := ask(b, "key", body); other.Status != 200 || string(other.Body) == string(first.Body) {
			t.Errorf("someone else's key answered %d %s", other.Status, other.Body)
		}
		// Who asks is checked before a kept answer is given.
		a.As("bp_pat_bad").Refused(t, fault.Unauthorized, nil, "POST", botsPath, body, "Idempotency-Key", "key")

		// Refusals are not kept: the same request can succeed later.
		setPlan(t, s, a, workspace.Community)
		if refused := ask(a, "later", body); refused.Status != 403 {
			t.Errorf("over the quota: %d", refused.Status)
		}
		setPlan(t, s, a, workspace.Managed)
		if now := ask(a, "later", body); now.Status != 200 {
			t.Errorf("with room: %d %s", now.Status, now.Body)
		}
		// With other methods the header has no meaning.
		id := string(first.Body[strings.Index(string(first.Body), `"id":"`)+6:][:36])
		a.Do(t, "PUT", botsPath+"/"+id, object{"name": "x"}, nil, "Idempotency-Key", "key")

		// A token that is made once is shown again to a repeat.
		one := a.Ask(t, "POST", patsPath, object{"note": "n"}, "Idempotency-Key", "pat")
		two := a.Ask(t, "POST", patsPath, object{"note": "n"}, "Idempotency-Key", "pat")
		if one.Status != 200 || string(one.Body) != string(two.Body) {
			t.Errorf("the repeat of a token answered %s, the first %s", two.Body, one.Body)
		}

		if _, err := development(s).Advance(24*time.Hour + time.Second); err != nil {
			t.Fatal(err)
		}
		if late := ask(a, "key", body); late.Status != 200 || string(late.Body) == string(first.Body) {
			t.Errorf("after a day the repeat answered %d %s", late.Status, late.Body)
		}
		if n := botCount(t, a); n != 3 {
			t.Errorf("%v bots at the end, want 3", n)
		}
	})
}

func TestConcurrentRepeats(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		answers := make([]string, 32)
		harness.Together(t, len(answers), func(i int) error {
			answer, err := a.Try(t.Context(), "POST", botsPath, object{"name": "once", "code": "x"}, "Idempotency-Key", "storm")
			if err == nil && answer.Status != 200 {
				err = fmt.Errorf("%d %s", answer.Status, answer.Body)
			}
			answers[i] = string(answer.Body)
			return err
		})
		for _, answer := range answers {
			if answer != answers[0] {
				t.Errorf("answers differ:\n%s\n%s", answer, answers[0])
			}
		}
		if n := botCount(t, a); n != 1 {
			t.Errorf("%v bots", n)
		}
	})
}
