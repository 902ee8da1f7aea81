package exercise_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/internal/workspace"
	"github.com/botyard/botyard/test/harness"
)

// A workspace is held to its plan's rate, as the operator set it, and says so on every
// answer; another workspace is not touched by it.
func TestRateOfThePlan(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, b := s.Person(t), s.Person(t)
		path := workspacesPath + "/" + a.Workspace
		for of, want := range map[workspace.Plan]string{workspace.Managed: "10000", workspace.Community: "100", workspace.Team: "1000"} {
			setPlan(t, s, a, of)
			if got := a.Ask(t, "GET", path, nil).Header.Get("RateLimit-Limit"); got != want {
				t.Errorf("on %s the limit is %s, want %s", of, got, want)
			}
		}
		setQuota(t, s, a, plan.WorkspaceRatelimit, 3)
		h := overrun(t, a, 3, path).Header
		if h.Get("RateLimit-Limit") != "3" || h.Get("RateLimit-Remaining") != "0" || h.Get("Retry-After") != "1" {
			t.Errorf("the headers of 429 are %v", h)
		}
		b.Do(t, "GET", workspacesPath+"/"+b.Workspace, nil, nil)
		time.Sleep(1100 * time.Millisecond)
		a.Do(t, "GET", path, nil, nil)
		if got := usageOf(t, a, a.Workspace, "type=workspace_ratelimit")["quota"]; got != 3.0 {
			t.Errorf("the quota is %v", got)
		}
	})
}

// overrun sends many more requests at once than a limit lets through in a second, and
// answers one that was refused. They are sent again when none was: a busy machine may
// take some seconds for them.
func overrun(t *testing.T, a *harness.Actor, limit int, path string) (refused harness.Answer) {
	t.Helper()
	harness.Eventually(t, "a request above the limit to be refused", func() bool {
		answers := make([]harness.Answer, 3*limit)
		harness.Together(t, len(answers), func(i int) (err error) {
			answers[i], err = a.Try(t.Context(), http.MethodGet, path, nil)
			return err
		})
		i := slices.IndexFunc(answers, func(a harness.Answer) bool { return a.Status == http.StatusTooManyRequests })
		if i >= 0 {
			refused = answers[i]
		}
		return i >= 0
	})
	return refused
}

// attempt is one request of a flood: the server decided about it between two moments.
type attempt struct {
	sent, answered time.Duration
	admitted       bool
}

// flood asks with some clients of all servers for some time. They pause between requests:
// a machine that they keep busy would answer from Redis late.
func flood(t *testing.T, actors []*harness.Actor, last time.Duration) (attempts []attempt) {
	t.Helper()
	var mu sync.Mutex
	began := time.Now()
	harness.Together(t, 6, func(i int) error {
		who := actors[i%len(actors)]
		for ; time.Since(began) < last; time.Sleep(10 * time.Millisecond) {
			sent := time.Since(began)
			status, err := try(t, who, "GET", workspacesPath+"/"+who.Workspace, nil, 200, 429)
			if err != nil {
				return err
			}
			mu.Lock()
			attempts = append(attempts, attempt{sent, time.Since(began), status == 200})
			mu.Unlock()
		}
		return nil
	})
	return attempts
}

// heldTo says how a flood was not held to a limit. It judges what is certain however
// slow the machine is: in no second more were admitted than the limit, counting those
// that were sent and answered within it; and none was refused while fewer than the
// limit were admitted in the second before, and the step that a window reaches further.
func heldTo(limit int, attempts []attempt) error {
	const second, window = time.Second, time.Second + 40*time.Millisecond
	count := func(counts func(attempt) bool) (n int) {
		for _, a := range attempts {
			if a.admitted && counts(a) {
				n++
			}
		}
		return n
	}
	for _, of := range attempts {
		if of.admitted {
			if n := count(func(a attempt) bool { return a.sent >= of.sent && a.answered <= of.sent+second }); n > limit {
				return fmt.Errorf("in the second from %s on, %d requests were admitted, want %d at most", of.sent, n, limit)
			}
		} else if n := count(func(a attempt) bool { return a.answered >= of.sent-window && a.sent <= of.answered }); n < limit {
			return fmt.Errorf("a request was refused at %s, and only %d were admitted in the second before, want %d", of.answered, n, limit)
		}
	}
	return nil
}

func (a attempt) refused() bool { return !a.admitted }

// redisReason is what a server says of its Redis; empty when there is nothing to say.
func redisReason(server *harness.Client) (string, error) {
	answer, err := http.Get(server.Base + "/readyz")
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	var ready struct {
		Ready  bool
		Checks []struct{ Name, Reason string }
	}
	if err := json.NewDecoder(answer.Body).Decode(&ready); err != nil {
		return "", err
	}
	if !ready.Ready {
		return "", fmt.Errorf("%s is not ready: %v", server.Base, ready.Checks)
	}
	for _, c := range ready.Checks {
		if c.Name == "redis" {
			return c.Reason, nil
		}
	}
	return "", fmt.Errorf("%s says nothing of Redis: %v", server.Base, ready.Checks)
}

// countedAlone is how many requests the servers counted by themselves so far.
func countedAlone(t *testing.T, actors []*harness.Actor) (counts string) {
	t.Helper()
	for _, who := range actors {
		counts += who.Base + ": " + metricOf(t, who, "botyard_rate_limit_alone_total") + "\n"
	}
	return counts
}

// Two servers that share a Redis admit a limit of 10 a second together: never more, and
// none is refused before. Without the Redis each goes on by itself, and says so.
func TestRateOfTwoServers(t *testing.T) {
	const limit = 10
	redis := harness.StartRedis(t)
	dir, databaseURL := t.TempDir(), harness.DatabaseURL(t, db.PostgreSQL)
	flags := []string{"--redis-url", redis.URL, "--rate-limit-workspace", fmt.Sprint(limit)}
	one, two := harness.StartBinary(t, dir, databaseURL, flags...), harness.StartBinary(t, dir, databaseURL, flags...)
	owner := one.Owner(t)
	both := []*harness.Actor{owner, {Client: two.Client, Token: owner.Token, Workspace: owner.Workspace}}
	// A flood is judged, once, when there was something to refuse. On a busy machine Redis
	// may answer a server too late, which then counts by itself: that one is not judged.
	judge := func(what string, actors []*harness.Actor, lost func(before, after string) bool) {
		t.Helper()
		harness.Eventually(t, what, func() bool {
			time.Sleep(1100 * time.Millisecond) // what was asked before is past
			before := countedAlone(t, both)
			attempts := flood(t, actors, 2*time.Second)
			if lost(before, countedAlone(t, both)) || !slices.ContainsFunc(attempts, attempt.refused) {
				return false
			}
			if err := heldTo(limit, attempts); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			return true
		})
	}
	judge("a flood during which no server loses Redis", both, func(before, after string) bool { return before != after })

	redis.Kill()
	for _, who := range both {
		time.Sleep(1100 * time.Millisecond)
		who.Do(t, "GET", workspacesPath+"/"+who.Workspace, nil, nil)
		reason, err := redisReason(who.Client)
		if err != nil {
			t.Fatal(err)
		}
		if reason == "" {
			t.Errorf("%s does not say that Redis is gone", who.Base)
		}
	}
	judge("a flood without Redis", []*harness.Actor{owner}, func(before, after string) bool { return before == after })
}
