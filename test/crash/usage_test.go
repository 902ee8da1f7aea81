package crash_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/botyard/botyard/test/harness"
)

var usages = flag.Int("usages", 100_000, "how many records of usage TestKillUsages sends on each engine; 1000000 takes minutes")

const (
	usageBots  = 5
	usageBatch = 2_000
	usageKills = 2
	usageDays  = 80 // less than records are taken late by
)

// sender sends the records of one bot, one batch after the other.
type sender struct {
	bot   string
	line  func(n int) string // the n-th record
	size  int                // of a batch
	count int                // records in all
	next  int                // the first that is not acknowledged
	sent  int                // the first of the batch that was sent last
}

// usageSender sends records of usage.
type usageSender struct {
	sender
	first time.Time
}

func newUsageSender(bot string, count int, first time.Time) *usageSender {
	s := &usageSender{sender{bot: bot, size: usageBatch, count: count}, first}
	s.line = func(n int) string {
		at, value, name := s.record(n)
		return fmt.Sprintf(`{"kind":"usage","type":"invocation_calls","value":%d,"id":%q,"timestamp":%q}`, value, name, at.Format("2006-01-02T15:04:05.000Z"))
	}
	return s
}

// record is the n-th record: when, how much, and its id. Every tenth is an earlier one
// once more.
func (s *usageSender) record(n int) (at time.Time, value int, name string) {
	if n%10 == 9 {
		n -= 1 + n/10%9
		if n >= 2*usageBatch && n%20 < 10 {
			n -= 2 * usageBatch // of another batch
		}
	}
	// Times ascend, with some that come a day late.
	spread := usageDays * 24 * time.Hour / time.Duration(s.count)
	at = s.first.Add(time.Duration(n)*spread - time.Duration(n%3/2)*24*time.Hour).Truncate(time.Millisecond)
	return at, n%7 + 1, fmt.Sprintf("use %d", n)
}

// batch is the batch that begins with a record, as NDJSON in gzip.
func (s *sender) batch(from int) (body []byte, lines int, err error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return nil, 0, err
	}
	for n := from; n < min(from+s.size, s.count); n++ {
		if _, err := io.WriteString(z, s.line(n)+"\n"); err != nil {
			return nil, 0, err
		}
		lines++
	}
	err = z.Close()
	return b.Bytes(), lines, err
}

// deliver sends the batch that begins with a record until it is taken, and answers how
// many of its records were new.
func (s *sender) deliver(ctx context.Context, owner *harness.Actor, from int) (accepted, lines int, err error) {
	body, lines, err := s.batch(from)
	if err != nil {
		return 0, 0, err
	}
	for s.sent = from; ; time.Sleep(200 * time.Millisecond) {
		answer, err := owner.Try(ctx, http.MethodPost, "/v1/ingest", body, "Content-Type", "application/x-ndjson", "Content-Encoding", "gzip", "x-bot-id", s.bot)
		if err != nil {
			return 0, 0, err
		}
		if answer.Status == http.StatusTooManyRequests {
			continue
		}
		var receipt struct {
			Accepted, Duplicates int
			Rejected             []any
		}
		if err := json.Unmarshal(answer.Body, &receipt); err != nil || answer.Status != http.StatusOK || receipt.Accepted+receipt.Duplicates != lines {
			return 0, 0, fmt.Errorf("ingest answered %d: %.500s", answer.Status, answer.Body)
		}
		return receipt.Accepted, lines, nil
	}
}

// sums are what a bot used, by day and by month.
type sums struct{ Days, Months map[string]float64 }

func newSums() sums { return sums{map[string]float64{}, map[string]float64{}} }

// add counts what was used at a time; nothing makes no day of its own.
func (s sums) add(at time.Time, value float64) {
	if value != 0 {
		s.Days[at.Format(time.DateOnly)] += value
		s.Months[at.Format("2006-01")] += value
	}
}

// expected are the sums of the records, each id once.
func (s *usageSender) expected() sums {
	want, seen := newSums(), map[string]bool{}
	for n := range s.count {
		at, value, name := s.record(n)
		if seen[name] {
			continue
		}
		seen[name] = true
		want.add(at, float64(value))
	}
	return want
}

// counted are the sums of a type that the API answers of a bot, or of the workspace.
func counted(t *testing.T, owner *harness.Actor, of, usageType string) sums {
	t.Helper()
	got := newSums()
	var history struct {
		Usages []struct {
			Period time.Time
			Value  float64
		}
	}
	owner.Do(t, http.MethodGet, "/v1/admin/usages/"+of+"/history?type="+usageType, nil, &history)
	for _, u := range history.Usages {
		if u.Value != 0 {
			got.Months[u.Period.Format("2006-01")] = u.Value
		}
	}
	each(t, owner, "/v1/admin/usages/"+of+"/daily-activity?type="+usageType+"&pageSize=100", func(page struct {
		Data []struct {
			Date  string
			Value float64
		}
		Meta meta
	}) string {
		for _, d := range page.Data {
			got.Days[d.Date[:len("2006-01-02")]] += d.Value
		}
		return page.Meta.NextToken
	})
	return got
}

// Kill -9 under records of usage, a tenth of them repeats, with senders that send their
// last batch again after it: the sums of every bot, day and month are exact.
func TestKillUsages(t *testing.T) {
	for _, engine := range harness.Engines {
		t.Run(string(engine), func(t *testing.T) {
			dir, databaseURL := t.TempDir(), harness.DatabaseURL(t, engine)
			server := harness.StartBinary(t, dir, databaseURL)
			owner := server.Owner(t)
			first := time.Now().UTC().Add(-usageDays * 24 * time.Hour)
			senders, all := make([]*usageSender, usageBots), make([]*sender, usageBots)
			for i := range senders {
				var made struct{ Bot struct{ ID string } }
				owner.Do(t, http.MethodPost, "/v1/admin/bots", map[string]any{"name": fmt.Sprint("b", i)}, &made)
				senders[i] = newUsageSender(made.Bot.ID, *usages/usageBots, first)
				all[i] = &senders[i].sender
			}
			began := time.Now()
			for kill := range usageKills {
				sendAll(t, server, owner, all, *usages/usageBots*(kill+2)/(usageKills+1), *usages*(kill+1)/(usageKills+1), 0)
				server = harness.StartBinary(t, dir, databaseURL)
				owner = server.Owner(t)
				sendAgain(t, owner, all)
			}
			sendAll(t, server, owner, all, *usages, 0, 0)
			sent := time.Since(began)

			want := make(map[string]sums, len(senders)+1)
			whole := newSums()
			for _, s := range senders {
				of := s.expected()
				want[s.bot] = of
				for day, value := range of.Days {
					whole.Days[day] += value
				}
				for month, value := range of.Months {
					whole.Months[month] += value
				}
			}
			want[owner.Workspace] = whole
			for deadline := time.Now().Add(harness.Patience); !cmp.Equal(counted(t, owner, owner.Workspace, "invocation_calls"), whole) && time.Now().Before(deadline); {
				time.Sleep(100 * time.Millisecond)
			}
			t.Logf("%d records were sent in %s and counted %s later", *usages, sent.Round(time.Millisecond), (time.Since(began) - sent).Round(time.Millisecond))
			// Nothing is counted that comes later, nor once more by the next server.
			server.Stop(t)
			server = harness.StartBinary(t, dir, databaseURL)
			owner = server.Owner(t)
			time.Sleep(time.Second)
			for of, sums := range want {
				if diff := cmp.Diff(sums, counted(t, owner, of, "invocation_calls")); diff != "" {
					t.Errorf("of %s: %s", of, diff)
				}
			}
			server.Stop(t)
		})
	}
}

// sendAgain sends the batch of every sender that was sent last, whether it was taken or
// not, and whether the answer came or not.
func sendAgain(t *testing.T, owner *harness.Actor, senders []*sender) {
	t.Helper()
	for _, s := range senders {
		if _, lines, err := s.deliver(t.Context(), owner, s.sent); err != nil {
			t.Fatal(err)
		} else if s.next == s.sent {
			s.next += lines
		}
	}
}

// sendAll has every sender go on up to so many records each, until so many are taken in
// all and, a moment after, the server is killed; 0 is until everything is sent.
func sendAll(t *testing.T, server *harness.Process, owner *harness.Actor, senders []*sender, most, killAt int, after time.Duration) {
	t.Helper()
	var taken atomic.Int64
	var killed atomic.Bool
	for _, s := range senders {
		taken.Add(int64(s.next))
	}
	var kill sync.Once
	var all sync.WaitGroup
	for _, s := range senders {
		all.Go(func() {
			for s.next < min(most, s.count) {
				_, lines, err := s.deliver(t.Context(), owner, s.next)
				if err != nil {
					if !killed.Load() {
						t.Errorf("before the kill: %v", err)
					}
					return
				}
				s.next += lines
				if killAt > 0 && taken.Add(int64(lines)) >= int64(killAt) {
					kill.Do(func() {
						all.Go(func() {
							time.Sleep(after)
							killed.Store(true)
							server.Kill()
						})
					})
				}
			}
		})
	}
	all.Wait()
	if killed.Load() != (killAt > 0) {
		t.Fatalf("the server was killed: %t, after %d records", killed.Load(), taken.Load())
	}
}
