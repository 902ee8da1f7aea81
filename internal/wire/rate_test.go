package wire

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/fault"
)

// TestLimiterBound: in each second of the limiter's own clock at most limit
// requests pass, so at most twice the limit in any second that lies across two;
// and whoever stays under the limit by the weighed count is never refused.
func TestLimiterBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 20).Draw(t, "limit")
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.Int64Range(0, int64(400*time.Millisecond)).Draw(t, "step"))
		}), 1, 200).Draw(t, "steps")
		l := newLimiter(limit)
		var at time.Duration
		var admitted []time.Duration
		inSecond := map[int64]int{}
		for _, step := range steps {
			at += step
			second := int64(at / time.Second)
			part := 1 - float64(at%time.Second)/float64(time.Second)
			weighed := float64(inSecond[second]) + part*float64(inSecond[second-1])
			remaining, ok := l.count("key", at)
			if ok {
				admitted = append(admitted, at)
				inSecond[second]++
			}
			switch {
			case remaining < 0 || remaining >= limit:
				t.Fatalf("%d remain of %d", remaining, limit)
			case !ok && remaining != 0:
				t.Fatalf("refused with %d remaining", remaining)
			case ok && weighed >= float64(limit)+1:
				t.Fatalf("admitted at %s with a weighed count of %g, limit %d", at, weighed, limit)
			case !ok && weighed < float64(limit):
				t.Fatalf("refused at %s with a weighed count of %g, limit %d", at, weighed, limit)
			}
		}
		for second, n := range inSecond {
			if n > limit {
				t.Fatalf("%d requests in second %d, limit %d", n, second, limit)
			}
		}
		for i, from := range admitted {
			n, _ := slices.BinarySearch(admitted[i:], from+time.Second)
			if n > 2*limit {
				t.Fatalf("%d requests within a second of %s, limit %d", n, from, limit)
			}
		}
	})
}

// TestLimiterLatecomer: a request that took its time before the second changed
// and its place after must not empty the window.
func TestLimiterLatecomer(t *testing.T) {
	l := newLimiter(3)
	for range 3 {
		l.count("key", 1000*time.Millisecond)
	}
	if _, ok := l.count("key", 999*time.Millisecond); ok {
		t.Error("a latecomer passed a full window")
	}
	if _, ok := l.count("key", 1001*time.Millisecond); ok {
		t.Error("after a latecomer the window was empty")
	}
}

func TestLimiterKeysAndSweep(t *testing.T) {
	l := newLimiter(1)
	for i := range 10_000 {
		if _, ok := l.count(fmt.Sprint(i), time.Second); !ok {
			t.Fatalf("key %d was refused for the others", i)
		}
	}
	for i := range 1000 { // visits every shard
		l.count(fmt.Sprint("later", i), 20*time.Second)
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
				if _, ok := l.count("key", 5*time.Second); ok {
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

func TestLimiterHeaders(t *testing.T) {
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

func TestBucketOf(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "192.0.2.1:1234"
	for _, token := range []string{"", "garbage", "bp_pat_short"} {
		if got := bucketOf(token, r); got != "192.0.2.1" {
			t.Errorf("%q counts as %q, want the caller's address", token, got)
		}
	}
	one, two := access.NewTokenValue(access.PAT), access.NewTokenValue(access.PAT)
	got := bucketOf(one, r)
	r.RemoteAddr = "198.51.100.7:1"
	if got == bucketOf(two, r) || got != bucketOf(one, r) {
		t.Error("each token counts by itself, wherever it comes from")
	}
	if len(got) != 16 {
		t.Errorf("a token's bucket is %q, want 16 digits of its hash", got)
	}
	r.RemoteAddr = "socket"
	if got := bucketOf("", r); got != "socket" {
		t.Errorf("an address without a port counts as %q", got)
	}
}
