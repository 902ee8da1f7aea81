package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"hash/maphash"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/fault"
)

// limiter counts requests per key in a window of one second that slides: the
// count of the second before is weighed by how much of it is still in the
// window. A limit of 0 is none. It is kept in memory: it protects this process, it is no authority.
type limiter struct {
	limit  int
	text   string
	seed   maphash.Seed
	since  clock.Started
	shards [64]shard
}

type shard struct {
	sync.Mutex
	windows map[string]*window
	swept   int64
}

type window struct {
	second            int64
	current, previous int
}

func newLimiter(perSecond int) *limiter {
	l := &limiter{limit: perSecond, text: strconv.Itoa(perSecond), seed: maphash.MakeSeed(), since: clock.Start()}
	for i := range l.shards {
		l.shards[i].windows = map[string]*window{}
	}
	return l
}

// take counts one request of key and sets the RateLimit headers, when they are
// tighter than those that another limiter set; it answers RateLimited when the
// window is full.
func (l *limiter) take(key string, header http.Header) error {
	if l.limit <= 0 {
		return nil
	}
	remaining, ok := l.count(key, l.since.Elapsed())
	if prior := header["Ratelimit-Remaining"]; prior == nil || atoi(prior[0]) >= remaining {
		header["Ratelimit-Limit"] = []string{l.text}
		header["Ratelimit-Remaining"] = []string{strconv.Itoa(remaining)}
		header["Ratelimit-Reset"] = oneSecond
	}
	if !ok {
		return fault.New(fault.RateLimited, "More than %d requests in a second. Wait a second and go on; the RateLimit-* headers say how many are left.", l.limit).After(time.Second)
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

func (l *limiter) count(key string, at time.Duration) (remaining int, ok bool) {
	second := int64(at / time.Second)
	s := &l.shards[maphash.String(l.seed, key)%uint64(len(l.shards))]
	s.Lock()
	defer s.Unlock()
	s.sweep(second)
	w := s.windows[key]
	if w == nil {
		w = &window{second: second}
		s.windows[key] = w
	}
	if second < w.second { // another request took its place first
		second, at = w.second, time.Duration(w.second)*time.Second
	}
	switch second - w.second {
	case 0:
	case 1:
		w.previous, w.current, w.second = w.current, 0, second
	default:
		w.previous, w.current, w.second = 0, 0, second
	}
	left := time.Second - at%time.Second
	used := w.current + int(int64(w.previous)*int64(left)/int64(time.Second))
	if used >= l.limit {
		return 0, false
	}
	w.current++
	return l.limit - used - 1, true
}

// sweep forgets the windows that are over, so that memory follows the keys that
// are active and not all that ever were.
func (s *shard) sweep(second int64) {
	const every = 10
	if second-s.swept < every {
		return
	}
	s.swept = second
	for key, w := range s.windows {
		if second-w.second > 1 {
			delete(s.windows, key)
		}
	}
}

// bucketOf names the window that a token's requests count in. What is no token
// counts by the caller's address.
func bucketOf(token string, r *http.Request) string {
	if _, ok := access.WellFormed(token); ok {
		sum := sha256.Sum256([]byte(token))
		return hex.EncodeToString(sum[:8])
	}
	return addressOf(r)
}

func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
