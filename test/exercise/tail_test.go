package exercise_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

const tailPath = "/v1/logs/tail?botId="

// tail reads the live tail of a bot.
type tail struct {
	events chan tailed
}

// tailed is one event.
type tailed struct{ id, name, data string }

func (e tailed) message() string {
	var line struct{ Message string }
	_ = json.Unmarshal([]byte(e.data), &line)
	return line.Message
}

func openTail(t *testing.T, a *harness.Actor, query string, headers ...string) *tail {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := a.Request(ctx, "GET", tailPath+query, nil, headers...)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != 200 {
		t.Fatalf("the tail is answered %d", response.StatusCode)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	if lines.Scan(); lines.Text() != ": open" {
		t.Fatalf("the tail begins with %q", lines.Text())
	}
	stream := &tail{events: make(chan tailed, 10_000)}
	go func() {
		defer response.Body.Close()
		defer close(stream.events)
		var e tailed
		for lines.Scan() {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "id":
				e.id = value
			case "event":
				e.name = value
			case "data":
				e.data = value
				stream.events <- e
				e = tailed{}
			}
		}
	}()
	return stream
}

func (s *tail) next(t *testing.T) tailed {
	t.Helper()
	select {
	case e, open := <-s.events:
		if !open {
			t.Fatal("the tail is over")
		}
		return e
	case <-time.After(harness.Patience):
		t.Fatal("the tail says nothing")
	}
	return tailed{}
}

// logs records n lines, one a request.
func logLines(t *testing.T, a *harness.Actor, bot string, messages ...string) {
	t.Helper()
	for _, m := range messages {
		record(t, a, bot, object{"kind": "log", "level": "info", "message": m, "userId": "u"})
	}
}

func TestTail(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, stranger := s.Person(t), s.Person(t)
		bot, other := createBot(t, a, object{})["id"].(string), createBot(t, a, object{})["id"].(string)
		logLines(t, a, bot, "before")

		live := openTail(t, a, bot)
		logLines(t, a, other, "another bot's")
		logLines(t, a, bot, "one é", "two")
		// A line that tells of an earlier time comes when it comes.
		record(t, a, bot, object{"kind": "log", "level": "error", "message": "late", "timestamp": s.Clock.Now().Add(-48 * time.Hour).UnixMilli()})
		var first tailed
		for i, want := range []string{"one é", "two", "late"} {
			e := live.next(t)
			if e.name != "log" || e.id == "" || e.message() != want {
				t.Fatalf("event %d is %+v, want %q", i, e, want)
			}
			if i == 0 {
				first = e
				var line object
				if err := json.Unmarshal([]byte(e.data), &line); err != nil || line["userId"] != "u" || line["level"] != "info" || !moment.MatchString(line["timestamp"].(string)) {
					t.Errorf("the line is %s (%v)", e.data, err)
				}
			}
		}
		// Who comes back goes on behind the last line it had, and misses nothing.
		again := openTail(t, a, bot, "Last-Event-ID", first.id)
		for _, want := range []string{"two", "late"} {
			if e := again.next(t); e.message() != want {
				t.Errorf("the resumed tail says %+v, want %q", e, want)
			}
		}
		errorsOnly := openTail(t, a, bot+"&level=error", "Last-Event-ID", "0")
		if e := errorsOnly.next(t); e.message() != "late" {
			t.Errorf("the tail of errors says %+v", e)
		}

		a.Refused(t, fault.InvalidQuery, []string{"botId"}, "GET", "/v1/logs/tail", nil)
		a.Refused(t, fault.InvalidQuery, []string{"level", "loud"}, "GET", tailPath+bot+"&level=loud", nil)
		a.Refused(t, fault.InvalidQuery, []string{"Last-Event-ID"}, "GET", tailPath+bot, nil, "Last-Event-ID", "x")
		stranger.Refused(t, fault.ResourceNotFound, []string{bot}, "GET", tailPath+bot, nil)
		a.Refused(t, fault.ResourceNotFound, nil, "GET", tailPath+"%00", nil)
		a.As("").Refused(t, fault.Unauthorized, nil, "GET", tailPath+bot, nil)
		a.As(keyOf(t, a, bot)).Refused(t, fault.Forbidden, nil, "GET", tailPath+bot, nil)

		// It ends with its token, and with the bot.
		var pat struct{ Pat struct{ ID, Value string } }
		a.Do(t, "POST", patsPath, object{"note": "n"}, &pat)
		brief := openTail(t, a.As(pat.Pat.Value), bot)
		a.Do(t, "DELETE", patsPath+"/"+pat.Pat.ID, nil, nil)
		if e := brief.next(t); e.name != "end" {
			t.Errorf("after its token was deleted, the tail says %+v", e)
		}
		a.Do(t, "DELETE", botsPath+"/"+bot, nil, nil)
		if e := live.next(t); e.name != "end" || !strings.Contains(e.data, bot) {
			t.Errorf("after the bot was deleted, the tail says %+v", e)
		}
	})
}

// Two servers are one: a tail at one has the lines that the other takes in, in one
// order, each once; and the command line prints them.
func TestTailAcrossServers(t *testing.T) {
	url, dir := harness.DatabaseURL(t, db.PostgreSQL), t.TempDir()
	one, two := harness.StartBinary(t, dir, url), harness.StartBinary(t, dir, url)
	owner := one.Owner(t)
	there := &harness.Actor{Client: two.Client, Token: owner.Token, Workspace: owner.Workspace}
	bot := createBot(t, owner, object{})["id"].(string)

	command := exec.CommandContext(t.Context(), harness.Binary(t), "logs", "tail", "--url", two.Base, "--bot", bot, "--json")
	command.Env = []string{"BOTYARD_TOKEN=" + owner.Token}
	printed, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 10_000)
	go func() {
		defer close(lines)
		for read := bufio.NewScanner(printed); read.Scan(); {
			lines <- tailed{data: read.Text()}.message()
		}
	}()
	live := openTail(t, owner, bot)
	// The command does not say when it reads; it does when it prints a line.
	waiting := 0
	for reading := false; !reading; {
		logLines(t, owner, bot, "waiting")
		waiting++
		select {
		case <-lines:
			reading = true
		case <-time.After(200 * time.Millisecond):
		}
	}
	const each = 20
	harness.Together(t, 2, func(i int) error {
		who := []*harness.Actor{owner, there}[i]
		for j := range each {
			text := fmt.Sprintf(`{"kind":"log","level":"info","message":"server %d line %d"}`, i, j)
			if answer, err := who.Try(t.Context(), "POST", "/v1/ingest", text, "Content-Type", "application/x-ndjson", "x-bot-id", bot); err != nil || answer.Status != 200 {
				return fmt.Errorf("%v %s", err, answer.Body)
			}
		}
		return nil
	})
	got := map[string]int{}
	last := [2]int{-1, -1}
	for range waiting + 2*each {
		e := live.next(t)
		got[e.message()]++
		var server, line int
		if n, _ := fmt.Sscanf(e.message(), "server %d line %d", &server, &line); n == 2 {
			if line != last[server]+1 {
				t.Errorf("of server %d, line %d comes after line %d", server, line, last[server])
			}
			last[server] = line
		}
	}
	if len(got) != 2*each+1 || got["waiting"] != waiting {
		t.Errorf("the tail has %d different lines, want %d", len(got), 2*each+1)
	}
	commanded := map[string]bool{}
	for deadline := time.After(harness.Patience); len(commanded) < 2*each; {
		select {
		case text := <-lines:
			if text != "waiting" {
				commanded[text] = true
			}
		case <-deadline:
			t.Fatalf("the command printed %d lines, want %d", len(commanded), 2*each)
		}
	}
	one.Stop(t) // a server does not wait for its readers
	for e := range live.events {
		if e.name != "end" {
			t.Errorf("after the server was stopped, the tail says %+v", e)
		}
	}
	two.Stop(t)
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait() // it was killed
}
