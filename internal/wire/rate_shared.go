package wire

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/secret"
)

// sharedWindows are windows in Redis, which several servers count in. A nil one is
// never usable.
type sharedWindows struct {
	client *redis.Client
	since  clock.Started
	// idleUntil is until when Redis is left alone after a failure.
	idleUntil atomic.Int64
	failure   atomic.Pointer[string]
}

const (
	// sharedTime is how long Redis may take: a request waits for it.
	sharedTime = 250 * time.Millisecond
	// sharedPause is how long Redis is left alone after it failed.
	sharedPause = time.Second
)

// takeShared counts a request in a window, by the clock of Redis, as limiter does in
// one of its own: what remains, or -1 and the milliseconds until there can be room.
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
		return nil, errors.New("redis_url is no URL of a Redis server, such as redis://localhost:6379/0")
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = sharedTime, sharedTime, sharedTime, sharedTime
	o.MaxRetries = -1
	o.ContextTimeoutEnabled = true
	return &sharedWindows{client: redis.NewClient(o), since: clock.Start()}, nil
}

// usable says whether Redis is to be asked.
func (s *sharedWindows) usable() bool {
	return s != nil && int64(s.since.Elapsed()) >= s.idleUntil.Load()
}

// take counts a request; remaining is -1 when the window is full for wait.
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

// check asks Redis whether it is there.
func (s *sharedWindows) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sharedTime)
	defer cancel()
	if err := s.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("requests are counted in each server alone, because Redis cannot be asked: %w", err)
	}
	if last := s.failure.Load(); last != nil {
		return fmt.Errorf("requests were counted in each server alone a moment ago, because Redis could not be asked: %s", *last)
	}
	return nil
}

// CheckRates asks the Redis that requests are counted in; configured is false when
// there is none. An error is no reason not to serve: each server then counts its own.
func (m *Mux) CheckRates(ctx context.Context) (configured bool, err error) {
	if m.rates.shared == nil {
		return false, nil
	}
	return true, m.rates.shared.check(ctx)
}

// Close lets go of what the Mux holds open.
func (m *Mux) Close() error {
	if m.rates.shared == nil {
		return nil
	}
	return m.rates.shared.client.Close()
}
