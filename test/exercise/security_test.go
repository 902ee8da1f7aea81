package exercise_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

// What is shown once is not in the database in the clear, not even in the answers
// that are kept for repeats.
func TestKeptAnswersAreSealed(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		var made struct {
			Pat struct{ Value string }
		}
		var bot struct {
			Bot struct{ SigningSecret string }
		}
		a.Do(t, "POST", patsPath, object{"note": "n"}, &made, "Idempotency-Key", "sealed pat")
		a.Do(t, "POST", botsPath, object{}, &bot, "Idempotency-Key", "sealed bot")
		rows, err := s.DB.Reader(t.Context()).Query(t.Context(), `SELECT answer FROM idempotency_keys WHERE actor = $1`, a.Account)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		kept := 0
		for rows.Next() {
			var answer string
			if err := rows.Scan(&answer); err != nil {
				t.Fatal(err)
			}
			kept++
			if !strings.HasPrefix(answer, "v1:") || strings.Contains(answer, made.Pat.Value) || strings.Contains(answer, bot.Bot.SigningSecret) {
				t.Errorf("an answer is kept as %.200s", answer)
			}
		}
		if err := rows.Err(); err != nil || kept != 2 {
			t.Fatalf("%d answers are kept, want 2 (%v)", kept, err)
		}
		var again struct {
			Pat struct{ Value string }
		}
		a.Do(t, "POST", patsPath, object{"note": "n"}, &again, "Idempotency-Key", "sealed pat")
		if made.Pat.Value == "" || again.Pat.Value != made.Pat.Value {
			t.Error("the repeat has another token")
		}
	})
}

// What changes nothing holds no transaction, so a key on it lets nobody stop the
// writes of others.
func TestHarmlessPostsIgnoreKeys(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		bot := createBot(t, a, object{})["id"]
		for path, body := range map[string]object{
			"/v1/admin/introspect":            {"botId": bot},
			"/v1/admin/integrations/validate": {"name": "harmless", "version": "1.0.0", "dev": true, "url": "https://example.com"},
		} {
			for range 2 {
				answer := a.Ask(t, "POST", path, body, "Idempotency-Key", "harmless "+path)
				if answer.Status != 200 || answer.Header.Get("Idempotent-Replayed") != "" {
					t.Errorf("POST %s answered %d %s, replayed %q", path, answer.Status, answer.Body, answer.Header.Get("Idempotent-Replayed"))
				}
			}
		}
	})
}

// Nothing that is made while an account is deleted outlives it: whatever the order
// is, no token opens anything afterwards and nothing of the account is left.
func TestNothingOutlivesAnAccount(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		for range 10 {
			a := s.Person(t)
			a.Do(t, "DELETE", workspacesPath+"/"+a.Workspace, nil, nil)
			answers := make([]harness.Answer, 12)
			harness.Together(t, len(answers), func(i int) (err error) {
				switch {
				case i == 0:
					answers[i], err = a.Try(t.Context(), "POST", mePath, object{})
				case i%2 == 0:
					answers[i], err = a.Try(t.Context(), "POST", patsPath, object{"note": "late"})
				default:
					answers[i], err = a.Try(t.Context(), "POST", "/v1/admin/account/preferences/late", object{"value": 1})
				}
				return err
			})
			for i, answer := range answers {
				if answer.Status >= 500 || (i == 0 && answer.Status != 200) {
					t.Errorf("request %d was answered %d %s", i, answer.Status, answer.Body)
				}
			}
			for _, table := range []string{"tokens", "account_preferences"} {
				var left int
				if err := s.DB.Reader(t.Context()).QueryRow(t.Context(), "SELECT COUNT(*) FROM "+table+" WHERE account_id = $1", a.Account).Scan(&left); err != nil || left > 0 {
					t.Errorf("%d rows of %s are left of the account (%v)", left, table, err)
				}
			}
		}
	})
}

// begin sends the headers of a createBot and the start of its body, and leaves the
// caller to send the rest, or not.
func begin(t *testing.T, a *harness.Actor, header string, body []byte) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.Base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nx-workspace-id: %s\r\nContent-Type: application/json\r\n%s\r\n\r\n%s",
		botsPath, a.Token, a.Workspace, header, body)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// Bodies that are announced to be large, or of unknown length, and do not come keep
// nobody waiting.
func TestSlowBodiesTakeNoPlace(t *testing.T) {
	harness.RunAlone(t, []string{"--max-parallel-uploads", "2"}, func(t *testing.T, s *harness.Server) {
		a, b := s.Person(t), s.Person(t)
		for range 4 {
			begin(t, a, "Transfer-Encoding: chunked", []byte("1\r\n{\r\n"))
			begin(t, a, "Content-Length: 50000000", []byte("{"))
			begin(t, a, "Content-Length: 50000000\r\nContent-Encoding: gzip", []byte("\x1f\x8b"))
		}
		start := time.Now()
		b.Do(t, "POST", botsPath, object{"name": "large", "code": strings.Repeat("x", 3<<20)}, nil)
		if took := time.Since(start); took > time.Minute { // the others are given five
			t.Errorf("another's upload took %s", took)
		}
	})
}

// A body counts as large by what it is unpacked, so small ones that are packed
// cannot fill the memory: when all places are taken, one more waits.
func TestPackedBodiesTakePlaces(t *testing.T) {
	harness.RunAlone(t, []string{"--max-parallel-uploads", "1"}, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		upload := func(size int) []byte { return []byte(`{"name":"large","code":"` + strings.Repeat("x", size) + `"}`) }
		// A body that waits for a place is not read: that all of this fits on the way
		// says that it has the one place.
		large := upload(32 << 20)
		held := begin(t, a, fmt.Sprintf("Content-Length: %d", len(large)), large[:len(large)-1])

		var waiting sync.WaitGroup
		answered := make(chan int, 1)
		waiting.Go(func() {
			answer, err := a.Try(t.Context(), "POST", botsPath, zipped(t, bytes.NewReader(upload(3<<20))), "Content-Encoding", "gzip")
			if err != nil {
				t.Error(err)
			}
			answered <- answer.Status
		})
		select {
		case status := <-answered:
			t.Errorf("it was answered %d while the only place was taken", status)
		case <-time.After(time.Second):
		}
		if _, err := held.Write(large[len(large)-1:]); err != nil {
			t.Fatal(err)
		}
		waiting.Wait()
		if status := <-answered; status != 200 {
			t.Errorf("with the place free it was answered %d", status)
		}
	})
}

// A caller that is still sending what is too large can send on and reads why it is
// refused, packed and in pieces too.
func TestRefusedBodiesAreReadOn(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		// Gzip may be of many parts: this is a GiB, and a megabyte packed.
		packed := bytes.Repeat(zipped(t, io.LimitReader(zeros{}, 64<<20)), 16)
		conn := begin(t, a, fmt.Sprintf("Content-Length: %d\r\nContent-Encoding: gzip", len(packed)), nil)
		if _, err := conn.Write(packed); err != nil {
			t.Errorf("%d bytes could not be sent: %v", len(packed), err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if body, err := io.ReadAll(response.Body); err != nil || response.StatusCode != 413 || !strings.Contains(string(body), string(fault.PayloadTooLarge)) {
			t.Errorf("it was answered %d %s (%v)", response.StatusCode, body, err)
		}
	})
}
