package wire

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/secret"
)

// sharedWindows are windows in Redis, in which several servers count together.
type sharedWindows struct {
	client *redis.Client
	since  clock.Started
	// idleUntil is until when Redis is not asked, after a failure.
	idleUntil atomic.Int64
	failure   atomic.Pointer[string]
	// alone counts the requests that this server counted by itself meanwhile.
	alone prometheus.Counter
}

const (
	// sharedTime is how long a request waits for Redis.
	sharedTime = 250 * time.Millisecond
	// sharedPause is how long Redis is not asked after a failure.
	sharedPause = time.Second
)

// takeShared counts a request in a window as limiter does, by the clock of Redis. It returns
// how many requests remain, or -1 and the milliseconds until there can be room.
var takeShared = redis.NewScript(`
local time = redis.call('TIME')
local ms = time[1] * 1000 + math.floor(time[2] / 1000)
local step, steps, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = math.floor(ms / step)
local counts = redis.call('HGETALL', KEYS[1])
local sum, oldest, gone = 0, now, {}
for i = 1, #counts, 2 do
  local at = tonumber(counts[i])
  if at > now - steps then
    sum = sum + tonumber(counts[i + 1])
    if at < oldest then oldest = at end
  else
    gone[#gone + 1] = counts[i]
  end
end
if sum >= limit then
  return {-1, (oldest + steps) * step - ms}
end
if #gone > 0 then redis.call('HDEL', KEYS[1], unpack(gone)) end
redis.call('HINCRBY', KEYS[1], string.format('%d', now), 1)
redis.call('PEXPIRE', KEYS[1], step * steps * 2)
return {limit - sum - 1, 0}
`)

// openShared connects to Redis when it is first asked; nil when there is no URL.
func openShared(url secret.Value) (*sharedWindows, error) {
	if url == "" {
		return nil, nil
	}
	o, err := redis.ParseURL(url.Reveal())
	if err != nil {
		return nil, errors.New("redis_url is not the URL of a Redis server, such as redis://localhost:6379/0")
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = sharedTime, sharedTime, sharedTime, sharedTime
	o.MaxRetries = -1
	o.ContextTimeoutEnabled = true
	return &sharedWindows{client: redis.NewClient(o), since: clock.Start(), alone: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "botyard_rate_limit_alone_total",
		Help: "Requests that this server counted by itself for their rate limit, because Redis could not be reached.",
	})}, nil
}

// usable reports whether to ask Redis.
func (s *sharedWindows) usable() bool {
	return int64(s.since.Elapsed()) >= s.idleUntil.Load()
}

// take counts a request; remaining is -1 if the window is full for the duration wait.
func (s *sharedWindows) take(key string, limit int) (remaining int, wait time.Duration, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), sharedTime)
	defer cancel()
	answer, err := takeShared.Run(ctx, s.client, []string{key}, step.Milliseconds(), steps, limit).Int64Slice()
	if err == nil && len(answer) != 2 {
		err = fmt.Errorf("redis answered %d numbers", len(answer))
	}
	if err != nil {
		s.failed(err)
		return 0, 0, err
	}
	s.failure.Store(nil)
	return int(answer[0]), time.Duration(answer[1]) * time.Millisecond, nil
}

func (s *sharedWindows) failed(err error) {
	text := err.Error()
	s.failure.Store(&text)
	s.idleUntil.Store(int64(s.since.Elapsed() + sharedPause))
}

// check pings Redis.
func (s *sharedWindows) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sharedTime)
	defer cancel()
	if err := s.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("each server counts requests by itself, because Redis cannot be reached: %w", err)
	}
	if last := s.failure.Load(); last != nil {
		return fmt.Errorf("each server counted requests by itself a moment ago, because Redis could not be reached: %s", *last)
	}
	return nil
}

// CheckRates checks the Redis of shared rate limits; configured is false if there is none. An
// error is no reason not to serve: each server then counts by itself.
func (m *Mux) CheckRates(ctx context.Context) (configured bool, err error) {
	if m.rates.shared == nil {
		return false, nil
	}
	return true, m.rates.shared.check(ctx)
}

// Close closes the connections to Redis.
func (m *Mux) Close() error {
	if m.rates.shared == nil {
		return nil
	}
	return m.rates.shared.client.Close()
}
