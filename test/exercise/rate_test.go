package exercise_test

import (
	"encoding/json"
	"net/http"
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
		var refusal harness.Answer
		for range 20 {
			if refusal = a.Ask(t, "GET", path, nil); refusal.Status == 429 {
				break
			}
		}
		if refusal.Status != 429 || refusal.Header.Get("RateLimit-Limit") != "3" || refusal.Header.Get("RateLimit-Remaining") != "0" || refusal.Header.Get("Retry-After") != "1" {
			t.Errorf("the flood was answered %d with %v", refusal.Status, refusal.Header)
		}
		b.Do(t, "GET", workspacesPath+"/"+b.Workspace, nil, nil)
		time.Sleep(1100 * time.Millisecond)
		a.Do(t, "GET", path, nil, nil)
		if got := usageOf(t, a, a.Workspace, "type=workspace_ratelimit")["quota"]; got != 3.0 {
			t.Errorf("the quota is %v", got)
		}
	})
}

// flood asks with many clients of both servers for some time, and answers when each
// admitted request was answered.
func flood(t *testing.T, actors []*harness.Actor, last time.Duration) (admitted []time.Duration) {
	t.Helper()
	var mu sync.Mutex
	began := time.Now()
	harness.Together(t, 16, func(i int) error {
		who := actors[i%len(actors)]
		for time.Since(began) < last {
			status, err := try(t, who, "GET", workspacesPath+"/"+who.Workspace, nil, 200, 429)
			if err != nil {
				return err
			}
			if status == 200 {
				mu.Lock()
				admitted = append(admitted, time.Since(began))
				mu.Unlock()
			}
		}
		return nil
	})
	return admitted
}

// Two servers that share a Redis admit a limit of 100 a second together: 100 ± 5 % in
// each second. Without the Redis each goes on by itself, and says so.
func TestRateOfTwoServers(t *testing.T) {
	redis := harness.StartRedis(t)
	dir, databaseURL := t.TempDir(), harness.DatabaseURL(t, db.PostgreSQL)
	one := harness.StartBinary(t, dir, databaseURL, "--redis-url", redis.URL, "--rate-limit-workspace", "100")
	two := harness.StartBinary(t, dir, databaseURL, "--redis-url", redis.URL, "--rate-limit-workspace", "100")
	owner := one.Owner(t)
	there := &harness.Actor{Client: two.Client, Token: owner.Token, Workspace: owner.Workspace}
	time.Sleep(1100 * time.Millisecond) // what Owner asked for is past

	const seconds = 5
	var perSecond [seconds + 1]int
	admitted := flood(t, []*harness.Actor{owner, there}, seconds*time.Second)
	for _, at := range admitted {
		perSecond[int(at/time.Second)]++
	}
	for second, n := range perSecond[:seconds] {
		if n < 95 || n > 105 {
			t.Errorf("in second %d, %d requests were admitted, want 100 ± 5: %v", second, n, perSecond)
		}
	}

	redis.Kill()
	for _, who := range []*harness.Actor{owner, there} {
		time.Sleep(1100 * time.Millisecond)
		who.Do(t, "GET", workspacesPath+"/"+who.Workspace, nil, nil)
		answer, err := http.Get(who.Base + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		var ready struct {
			Ready  bool
			Checks []struct{ Name, Reason string }
		}
		err = json.NewDecoder(answer.Body).Decode(&ready)
		answer.Body.Close()
		if err != nil || !ready.Ready {
			t.Errorf("without Redis the server is ready: %v, %v", ready.Ready, err)
		}
		told := false
		for _, c := range ready.Checks {
			told = told || c.Name == "redis" && c.Reason != ""
		}
		if !told {
			t.Errorf("nobody says that Redis is gone: %v", ready.Checks)
		}
	}
	time.Sleep(1100 * time.Millisecond)
	if n := len(flood(t, []*harness.Actor{owner}, 900*time.Millisecond)); n < 95 || n > 105 {
		t.Errorf("alone, a server admitted %d in a second", n)
	}
}
