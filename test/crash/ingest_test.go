package crash_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/botyard/botyard/test/harness"
)

const (
	ingestKills   = 12
	ingestSenders = 8
	batchLines    = 40
)

// sent are the batches of records on their way to one bot.
type sent struct {
	sync.Mutex
	acknowledged map[string]bool // by message
	unsure       []string        // bodies whose answer the kill took
}

// Kill -9 under ingest: every acknowledged record is found once, and none twice,
// when what was not acknowledged is sent again after the restart.
func TestKillIngest(t *testing.T) {
	for _, engine := range harness.Engines {
		t.Run(string(engine), func(t *testing.T) {
			dir, databaseURL := t.TempDir(), harness.DatabaseURL(t, engine)
			records := &sent{acknowledged: map[string]bool{}}
			bot := ""
			for round := range ingestKills {
				server := harness.StartBinary(t, dir, databaseURL)
				owner := server.Owner(t)
				if bot == "" {
					var made struct{ Bot struct{ ID string } }
					owner.Do(t, http.MethodPost, "/v1/admin/bots", map[string]any{"name": "b"}, &made)
					bot = made.Bot.ID
				}
				again := records.unsure
				records.unsure = nil
				for _, body := range again {
					if err := sendBatch(t.Context(), owner, bot, body, records); err != nil {
						t.Fatalf("round %d: what was unsure cannot be sent again: %v", round, err)
					}
				}
				sendUntilKilled(t, server, owner, bot, records, round)
			}
			server := harness.StartBinary(t, dir, databaseURL)
			owner := server.Owner(t)
			for _, body := range records.unsure {
				if err := sendBatch(t.Context(), owner, bot, body, records); err != nil {
					t.Fatal(err)
				}
			}
			found := foundLogs(t, owner, bot)
			for message := range records.acknowledged {
				if found[message] != 1 {
					t.Errorf("%q was acknowledged and is found %d times", message, found[message])
				}
			}
			for message, n := range found {
				if n != 1 {
					t.Errorf("%q is found %d times", message, n)
				}
			}
			server.Stop(t)
			t.Logf("%d records were acknowledged in %d rounds", len(records.acknowledged), ingestKills)
		})
	}
}

func sendBatch(ctx context.Context, owner *harness.Actor, bot, body string, records *sent) error {
	answer, err := owner.Try(ctx, http.MethodPost, "/v1/ingest", body, "Content-Type", "application/x-ndjson", "x-bot-id", bot)
	for err == nil && answer.Status == http.StatusTooManyRequests { // on a busy machine; it is to come again
		time.Sleep(50 * time.Millisecond)
		answer, err = owner.Try(ctx, http.MethodPost, "/v1/ingest", body, "Content-Type", "application/x-ndjson", "x-bot-id", bot)
	}
	if err != nil {
		return err
	}
	var receipt struct {
		Accepted, Duplicates int
		Rejected             []any
	}
	if err := json.Unmarshal(answer.Body, &receipt); err != nil || answer.Status != http.StatusOK || receipt.Accepted+receipt.Duplicates != batchLines {
		return fmt.Errorf("ingest answered %d: %s", answer.Status, answer.Body)
	}
	records.Lock()
	defer records.Unlock()
	for _, line := range strings.Split(body, "\n") {
		var record struct{ Message string }
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			return err
		}
		records.acknowledged[record.Message] = true
	}
	return nil
}

func sendUntilKilled(t *testing.T, server *harness.Process, owner *harness.Actor, bot string, records *sent, round int) {
	var killed atomic.Bool
	var all sync.WaitGroup
	first := make(chan struct{})
	var begun sync.Once
	for sender := range ingestSenders {
		all.Go(func() {
			for i := 0; ; i++ {
				var lines []string
				for n := range batchLines {
					name := fmt.Sprintf("%d-%d-%d-%d", round, sender, i, n)
					lines = append(lines, fmt.Sprintf(`{"kind":"log","level":"info","message":%q,"id":%q}`, name, name))
				}
				body := strings.Join(lines, "\n")
				if err := sendBatch(t.Context(), owner, bot, body, records); err != nil {
					if !killed.Load() {
						t.Errorf("before the kill: %v", err)
					}
					records.Lock()
					records.unsure = append(records.unsure, body)
					records.Unlock()
					return
				}
				begun.Do(func() { close(first) })
			}
		})
	}
	select {
	case <-first:
	case <-time.After(harness.Patience):
		t.Errorf("round %d: nothing was acknowledged in %s", round, harness.Patience)
	}
	time.Sleep(minWork + time.Duration(round)*5*workStep)
	killed.Store(true)
	server.Kill()
	all.Wait()
}

// foundLogs counts the messages of a bot's logs.
func foundLogs(t *testing.T, owner *harness.Actor, bot string) map[string]int {
	t.Helper()
	found := map[string]int{}
	each(t, owner, "/v1/admin/bots/"+bot+"/logs?timeStart=2020-01-01", func(page struct {
		Logs      []struct{ Message string }
		NextToken string
	}) string {
		for _, l := range page.Logs {
			found[l.Message]++
		}
		return page.NextToken
	})
	return found
}

// A full disk: what is sent gets a clear error, what is kept is read, and when there
// is room again it goes on. The data directory is a small file system of the
// server's own mount namespace, which root may make, and whom the kernel lets make
// user namespaces. Where neither is so the test fails: it must not be thought to hold.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	wrapper := []string{"unshare", "--mount"}
	if os.Getuid() != 0 {
		wrapper = []string{"unshare", "--user", "--map-root-user", "--mount"}
	}
	wrapper = append(wrapper, "sh", "-c", `mount -t tmpfs -o size=40m tmpfs "$0" && exec "$@"`, dir)
	server := harness.StartBinaryUnder(t, wrapper, dir, "")
	owner := server.Owner(t)
	var made struct{ Bot struct{ ID string } }
	owner.Do(t, http.MethodPost, "/v1/admin/bots", map[string]any{"name": "b"}, &made)
	bot := made.Bot.ID
	send := func(n int) harness.Answer {
		t.Helper()
		answer, err := owner.Try(t.Context(), http.MethodPost, "/v1/ingest", fmt.Sprintf(`{"kind":"log","level":"info","message":"m%d","id":"r%d"}`, n, n),
			"Content-Type", "application/x-ndjson", "x-bot-id", bot)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	if a := send(0); a.Status != http.StatusOK {
		t.Fatalf("before: %d %s", a.Status, a.Body)
	}
	filler := filepath.Join(server.Root(), dir, "filler")
	if err := fillDisk(filler); err != nil {
		t.Fatal(err)
	}
	var refused harness.Answer
	for n := 1; n < 20_000; n++ {
		if refused = send(n); refused.Status != http.StatusOK {
			break
		}
	}
	if refused.Status != http.StatusInternalServerError || !strings.Contains(string(refused.Body), "no space left") {
		t.Errorf("on a full disk: %d %s", refused.Status, refused.Body)
	}
	before := foundLogs(t, owner, bot)
	if before["m0"] != 1 {
		t.Errorf("what was kept cannot be read on a full disk: %d messages", len(before))
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "records to be taken once there is room again", func() bool { return send(1_000_000).Status == http.StatusOK })
	after := foundLogs(t, owner, bot)
	if after["m1000000"] != 1 || len(after) != len(before)+1 {
		t.Errorf("%d messages before, %d after", len(before), len(after))
	}
	server.Stop(t)
}

// fillDisk writes a file until there is no room.
func fillDisk(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	block := make([]byte, 1<<20)
	for len(block) > 0 {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
	return f.Close()
}
