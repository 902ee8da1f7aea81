package exercise_test

import (
	"encoding/json"
	"errors"
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

// flood asks with many clients of all servers for some time.
func flood(t *testing.T, actors []*harness.Actor, last time.Duration) (attempts []attempt) {
	t.Helper()
	var mu sync.Mutex
	began := time.Now()
	harness.Together(t, 16, func(i int) error {
		who := actors[i%len(actors)]
		for time.Since(began) < last {
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
	refused := 0
	for _, of := range attempts {
		if of.admitted {
			if n := count(func(a attempt) bool { return a.sent >= of.sent && a.answered <= of.sent+second }); n > limit {
				return fmt.Errorf("in the second from %s on, %d requests were admitted, want %d at most", of.sent, n, limit)
			}
			continue
		}
		refused++
		if n := count(func(a attempt) bool { return a.answered >= of.sent-window && a.sent <= of.answered }); n < limit {
			return fmt.Errorf("a request was refused at %s, and only %d were admitted in the second before, want %d", of.answered, n, limit)
		}
	}
	if refused == 0 {
		return fmt.Errorf("of %d requests none was refused", len(attempts))
	}
	return nil
}

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

// lostRedis runs a flood and reports whether a server said meanwhile that it counts by
// itself. It says so for the second in which it does.
func lostRedis(t *testing.T, actors []*harness.Actor, flood func()) bool {
	t.Helper()
	over, lost := make(chan struct{}), make(chan error, 1)
	go func() {
		for ended := false; !ended; {
			select {
			case <-over:
				ended = true
			case <-time.After(100 * time.Millisecond):
			}
			for _, who := range actors {
				reason, err := redisReason(who.Client)
				if err == nil && reason != "" {
					err = errCountsAlone
				}
				if err != nil {
					lost <- err
					return
				}
			}
		}
		lost <- nil
	}()
	flood()
	close(over)
	err := <-lost
	if err != nil && !errors.Is(err, errCountsAlone) {
		t.Fatal(err)
	}
	return err != nil
}

var errCountsAlone = errors.New("a server counts by itself")

// Two servers that share a Redis admit a limit of 100 a second together: never more, and
// none is refused before. Without the Redis each goes on by itself, and says so.
func TestRateOfTwoServers(t *testing.T) {
	redis := harness.StartRedis(t)
	dir, databaseURL := t.TempDir(), harness.DatabaseURL(t, db.PostgreSQL)
	one := harness.StartBinary(t, dir, databaseURL, "--redis-url", redis.URL, "--rate-limit-workspace", "100")
	two := harness.StartBinary(t, dir, databaseURL, "--redis-url", redis.URL, "--rate-limit-workspace", "100")
	owner := one.Owner(t)
	both := []*harness.Actor{owner, {Client: two.Client, Token: owner.Token, Workspace: owner.Workspace}}

	// On a busy machine Redis may answer a server too late, which then counts by itself.
	// A flood is judged, once, when no server says so.
	judged := false
	for range 10 {
		time.Sleep(1100 * time.Millisecond) // what was asked before is past
		var attempts []attempt
		if lostRedis(t, both, func() { attempts = flood(t, both, 3*time.Second) }) {
			continue
		}
		judged = true
		if err := heldTo(100, attempts); err != nil {
			t.Error(err)
		}
		break
	}
	if !judged {
		t.Error("the servers lost Redis during every flood")
	}

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
	time.Sleep(1100 * time.Millisecond)
	if err := heldTo(100, flood(t, []*harness.Actor{owner}, 1500*time.Millisecond)); err != nil {
		t.Errorf("alone: %v", err)
	}
}
