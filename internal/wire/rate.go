package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"hash/maphash"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/plan"
)

// A sliding window moves in steps. It is one step longer than a second, so no second,
// wherever it starts, sees more requests than the limit.
const (
	step  = 20 * time.Millisecond
	steps = int64(time.Second/step) + 1
)

// limiter counts the requests of each key in a sliding window of a second. A limit of 0 is
// no limit. The windows are in the memory of this process, unless there are shared ones.
type limiter struct {
	limit  int
	name   string
	shared *sharedWindows
	seed   maphash.Seed
	since  clock.Started
	shards [64]shard
}

type shard struct {
	sync.Mutex
	windows map[string]*window
	swept   int64
}

// window is a ring of the counts of the last steps; at is the newest of them.
type window struct {
	at     int64
	sum    int
	counts [steps]int32
	// closed is until when the shared window is known to be full, by the limiter's clock.
	closed time.Duration
}

func newLimiter(perSecond int) *limiter {
	l := &limiter{limit: perSecond, seed: maphash.MakeSeed(), since: clock.Start()}
	for i := range l.shards {
		l.shards[i].windows = map[string]*window{}
	}
	return l
}

// take counts one request of key against the limiter's own limit.
func (l *limiter) take(key string, header http.Header) error { return l.takeOf(key, l.limit, header) }

// takeOf counts one request of key, and sets the RateLimit headers unless another limiter has
// set tighter ones. It returns RateLimited if the window is full.
func (l *limiter) takeOf(key string, limit int, header http.Header) error {
	if limit <= 0 {
		return nil
	}
	remaining, ok := l.admit(key, limit)
	if prior := header["Ratelimit-Remaining"]; prior == nil || atoi(prior[0]) >= remaining {
		header["Ratelimit-Limit"] = []string{strconv.Itoa(limit)}
		header["Ratelimit-Remaining"] = []string{strconv.Itoa(remaining)}
		header["Ratelimit-Reset"] = oneSecond
	}
	if !ok {
		return fault.New(fault.RateLimited, "More than %d requests in a second. Wait a second; the RateLimit-* headers say how many requests are left.", limit).After(time.Second)
	}
	return nil
}

var oneSecond = []string{"1"}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// admit asks the window of this process and, if that has room, the shared one. While the
// shared windows are not available, that of this process decides.
func (l *limiter) admit(key string, limit int) (remaining int, ok bool) {
	if l.shared == nil {
		return l.count(key, limit, l.since.Elapsed())
	}
	if !l.shared.usable() {
		l.shared.alone.Inc()
		return l.count(key, limit, l.since.Elapsed())
	}
	at := l.since.Elapsed()
	if !l.room(key, limit, at) {
		return 0, false
	}
	left, wait, err := l.shared.take(l.name+key, limit)
	switch {
	case err != nil:
		l.shared.alone.Inc()
		return l.count(key, limit, at)
	case left < 0:
		l.close(key, at+wait)
		return 0, false
	}
	local, _ := l.count(key, limit, at)
	return min(left, local), true
}

// count counts a request if there is room for it.
func (l *limiter) count(key string, limit int, at time.Duration) (remaining int, ok bool) {
	s := l.shardOf(key)
	s.Lock()
	defer s.Unlock()
	w := s.window(key, at)
	if w.sum >= limit {
		return 0, false
	}
	w.sum++
	w.counts[w.at%steps]++
	return limit - w.sum, true
}

// room reports whether there is room for a request, as far as this process knows.
func (l *limiter) room(key string, limit int, at time.Duration) bool {
	s := l.shardOf(key)
	s.Lock()
	defer s.Unlock()
	w := s.window(key, at)
	return w.sum < limit && at >= w.closed
}

// close marks the shared window of a key as full, so that nobody asks it in vain.
func (l *limiter) close(key string, until time.Duration) {
	s := l.shardOf(key)
	s.Lock()
	defer s.Unlock()
	if w := s.windows[key]; w != nil {
		w.closed = max(w.closed, until)
	}
}

func (l *limiter) shardOf(key string) *shard {
	return &l.shards[maphash.String(l.seed, key)%uint64(len(l.shards))]
}

// window returns the window of a key, moved to a time. A time before its newest step, of a
// request that was overtaken by another, does not move it.
func (s *shard) window(key string, at time.Duration) *window {
	now := int64(at / step)
	s.sweep(now)
	w := s.windows[key]
	if w == nil {
		w = &window{at: now}
		s.windows[key] = w
	}
	for n := min(now-w.at, steps); n > 0; n-- {
		slot := &w.counts[(now-n+1)%steps]
		w.sum -= int(*slot)
		*slot = 0
	}
	w.at = max(w.at, now)
	return w
}

// sweep deletes the windows that are over, so that only active keys take memory.
func (s *shard) sweep(now int64) {
	const every = 10 * steps
	if now-s.swept < every {
		return
	}
	s.swept = now
	for key, w := range s.windows {
		if now-w.at > steps {
			delete(s.windows, key)
		}
	}
}

// rates are the limiters of a Mux.
type rates struct {
	accounts, bots, integrations, addresses, workspaces *limiter
	shared                                              *sharedWindows
}

func newRates(l Limits, shared *sharedWindows) *rates {
	r := &rates{newLimiter(l.PerToken), newLimiter(l.PerBotKey), newLimiter(l.PerIntegrationKey), newLimiter(l.PerToken), newLimiter(l.PerWorkspace), shared}
	for name, of := range map[string]*limiter{"account:": r.accounts, "bot:": r.bots, "integration:": r.integrations, "workspace:": r.workspaces} {
		of.name, of.shared = "botyard:rate:"+name, shared
	}
	return r
}

// token counts a request by its token, in the class of the token's prefix. What is not a
// token counts by the caller's address, and in this process alone: it is rejected anyway.
func (r *rates) token(token string, from *http.Request, header http.Header) error {
	kind, ok := access.WellFormed(token)
	if !ok {
		return r.address(from, header)
	}
	sum := sha256.Sum256([]byte(token))
	key := hex.EncodeToString(sum[:8])
	switch kind {
	case access.BAK:
		return r.bots.take(key, header)
	case access.IAK:
		return r.integrations.take(key, header)
	}
	return r.accounts.take(key, header)
}

// address counts a request by the caller's address.
func (r *rates) address(from *http.Request, header http.Header) error {
	return r.addresses.take(addressOf(from), header)
}

// workspace counts a request by the actor's workspace, against the lower of the server's limit
// and the plan's.
func (r *rates) workspace(actor access.Actor, plans *plan.Catalog, header http.Header) error {
	limit := r.workspaces.limit
	if of := plans.LimitWith(actor.Plan, plan.WorkspaceRatelimit, actor.Rate); of != plan.Unlimited && (limit <= 0 || of < int64(limit)) {
		// 0 would mean no limit.
		limit = int(max(of, 1))
	}
	return r.workspaces.takeOf(string(actor.Workspace), limit, header)
}

// subnet is the length of the IPv6 prefix that identifies a caller: whoever has one address
// of a /64 has them all.
const subnet = 64

// addressOf is the caller's IPv4 address or IPv6 subnet.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Unmap().Is4() {
		return host
	}
	prefix, err := ip.WithZone("").Prefix(subnet)
	if err != nil {
		return host
	}
	return prefix.String()
}
