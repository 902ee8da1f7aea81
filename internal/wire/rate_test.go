package wire

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/plan"
)

// TestLimiterBound: in no second, wherever it begins, more requests pass than the
// limit, and none is refused while fewer passed in the window before it.
func TestLimiterBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 20).Draw(t, "limit")
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.Int64Range(0, int64(400*time.Millisecond)).Draw(t, "step"))
		}), 1, 200).Draw(t, "steps")
		l := newLimiter(limit)
		var at time.Duration
		var admitted []time.Duration
		within := func(window time.Duration) (n int) {
			for _, a := range admitted {
				if at-a < window {
					n++
				}
			}
			return n
		}
		for _, by := range steps {
			at += by
			second, window := within(time.Second), within(time.Second+step)
			remaining, ok := l.count("key", limit, at)
			switch {
			case remaining < 0 || remaining >= limit:
				t.Fatalf("%d remain of %d", remaining, limit)
			case !ok && remaining != 0:
				t.Fatalf("refused with %d remaining", remaining)
			case ok && second >= limit:
				t.Fatalf("admitted at %s after %d in the second before, limit %d", at, second, limit)
			case !ok && window < limit:
				t.Fatalf("refused at %s after %d in the window before, limit %d", at, window, limit)
			}
			if ok {
				admitted = append(admitted, at)
			}
		}
	})
}

// TestLimiterLatecomer: a request that took its time before the second changed
// and its place after must not empty the window.
func TestLimiterLatecomer(t *testing.T) {
	l := newLimiter(3)
	for range 3 {
		l.count("key", l.limit, 1000*time.Millisecond)
	}
	if _, ok := l.count("key", l.limit, 999*time.Millisecond); ok {
		t.Error("a latecomer passed a full window")
	}
	if _, ok := l.count("key", l.limit, 1001*time.Millisecond); ok {
		t.Error("after a latecomer the window was empty")
	}
}

func TestLimiterKeysAndSweep(t *testing.T) {
	l := newLimiter(1)
	for i := range 10_000 {
		if _, ok := l.count(fmt.Sprint(i), l.limit, time.Second); !ok {
			t.Fatalf("key %d was refused for the others", i)
		}
	}
	for i := range 1000 { // visits every shard
		l.count(fmt.Sprint("later", i), l.limit, 20*time.Second)
	}
	kept := 0
	for i := range l.shards {
		kept += len(l.shards[i].windows)
	}
	if kept > 1000 {
		t.Errorf("%d windows are kept, 1000 are in use", kept)
	}
}

func TestLimiterConcurrent(t *testing.T) {
	const limit = 50
	l := newLimiter(limit)
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 100 {
				if _, ok := l.count("key", l.limit, 5*time.Second); ok {
					admitted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := admitted.Load(); n != limit {
		t.Errorf("%d of 1600 were admitted, limit %d", n, limit)
	}
}

func TestLimiterHeaders(t *testing.T) { synctest.Test(t, limiterHeaders) }

func limiterHeaders(t *testing.T) {
	header := http.Header{}
	wide, narrow := newLimiter(10), newLimiter(2)
	for i, want := range []string{"1", "0", ""} {
		clear(header)
		if err := wide.take("key", header); err != nil {
			t.Fatal(err)
		}
		err := narrow.take("key", header)
		if want == "" {
			if !fault.Is(err, fault.RateLimited) || fault.From(err).RetryAfter != time.Second {
				t.Fatalf("request %d: error %v, want RateLimited and a wait of a second", i, err)
			}
			want = "0"
		}
		if header.Get("RateLimit-Remaining") != want || header.Get("RateLimit-Limit") != "2" || header.Get("RateLimit-Reset") != "1" {
			t.Errorf("request %d: headers %v, want the narrower limit's with %s remaining", i, header, want)
		}
	}
	clear(header)
	if err := newLimiter(0).take("key", header); err != nil || len(header) > 0 {
		t.Errorf("no limit: error %v, headers %v", err, header)
	}
}

// Tokens count by themselves, in the class they are of; what is none by its address.
func TestClasses(t *testing.T) { synctest.Test(t, classes) }

func classes(t *testing.T) {
	rates := newRates(Limits{PerToken: 3, PerBotKey: 2, PerIntegrationKey: 1, PerWorkspace: 9}, nil)
	from := func(address string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = address
		return r
	}
	passes := func(token, address string) (n int) {
		for range 10 {
			if rates.token(token, from(address), http.Header{}) == nil {
				n++
			}
		}
		return n
	}
	pat := access.NewTokenValue(access.PAT)
	for _, c := range []struct {
		name, token, address string
		want                 int
	}{
		{"an account's token", pat, "192.0.2.1:1", 3},
		{"the same from elsewhere", pat, "192.0.2.2:1", 0},
		{"another token", access.NewTokenValue(access.PAT), "192.0.2.1:1", 3},
		{"a bot's key", access.NewTokenValue(access.BAK), "192.0.2.1:1", 2},
		{"an integration's key", access.NewTokenValue(access.IAK), "192.0.2.1:1", 1},
		{"garbage", "garbage", "192.0.2.1:1", 3},
		{"other garbage from there", "bp_pat_short", "192.0.2.1:2", 0},
		{"nothing from elsewhere", "", "socket", 3},
	} {
		if n := passes(c.token, c.address); n != c.want {
			t.Errorf("%s: %d of 10 passed, want %d", c.name, n, c.want)
		}
	}
}

// A workspace is held to the narrower of the server's rate and its plan's, as the
// operator and add-ons changed it.
func TestWorkspaceRates(t *testing.T) {
	seven := int64(7)
	for name, c := range map[string]struct {
		server int
		plan   plan.ID
		rate   plan.Adjustment
		want   string
	}{
		"plan":              {10_000, plan.Community, plan.Adjustment{}, "100"},
		"plan of more":      {10_000, plan.Team, plan.Adjustment{}, "1000"},
		"server":            {50, plan.Community, plan.Adjustment{}, "50"},
		"managed":           {10_000, plan.Managed, plan.Adjustment{}, "10000"},
		"bought":            {10_000, plan.Community, plan.Adjustment{Added: 20}, "120"},
		"operator":          {10_000, plan.Managed, plan.Adjustment{Set: &seven}, "7"},
		"no limit anywhere": {0, plan.Managed, plan.Adjustment{}, ""},
		"no server limit":   {0, plan.Plus, plan.Adjustment{}, "100"},
	} {
		header := http.Header{}
		actor := access.Actor{Workspace: "w", Plan: c.plan, Rate: c.rate}
		if err := newRates(Limits{PerWorkspace: c.server}, nil).workspace(actor, plan.Default(), header); err != nil || header.Get("RateLimit-Limit") != c.want {
			t.Errorf("%s: the limit is %q, want %q, %v", name, header.Get("RateLimit-Limit"), c.want, err)
		}
	}
}

func TestAddressOf(t *testing.T) {
	for connected, want := range map[string]string{
		"socket":                   "socket",
		"192.0.2.1:1":              "192.0.2.1",
		"[::ffff:192.0.2.1]:1":     "::ffff:192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:1": "2001:db8:1:2::/64",
		"[2001:db8:1:2::ffff]:2":   "2001:db8:1:2::/64",
		"[2001:db8:1:3::ffff]:2":   "2001:db8:1:3::/64",
		"[fe80::1%eth0]:2":         "fe80::/64",
		"[::1]:1":                  "::/64",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if r.RemoteAddr = connected; addressOf(r) != want {
			t.Errorf("%s counts as %q, want %q", connected, addressOf(r), want)
		}
	}
}
