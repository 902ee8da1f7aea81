package wire

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/secret"
)

type noteInput struct {
	Body struct {
		Text string `json:"text"`
	}
}

type noteOutput struct {
	Body struct {
		Number int `json:"number"`
	}
}

// notes adds an operation that writes a row in a transaction of its own, numbers
// it, and refuses afterwards when the text is "no".
func notes(t *testing.T) *sample {
	t.Helper()
	s := newSample(t, roomy)
	Register(s.Mux, Operation{ID: "note", Method: http.MethodPost, Path: "/v1/notes", Scope: Outside, Permission: access.Self},
		func(ctx context.Context, in *noteInput) (*noteOutput, error) {
			out := &noteOutput{}
			err := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
				if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM settings`).Scan(&out.Body.Number); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, `INSERT INTO settings (key, value) VALUES ($1, $2)`, fmt.Sprint(out.Body.Number), in.Body.Text)
				return err
			})
			if in.Body.Text == "no" {
				return nil, fault.New(fault.Forbidden, "No.")
			}
			return out, err
		})
	return s
}

func (s *sample) rows(t *testing.T) (n int) {
	t.Helper()
	if err := s.db.Reader(t.Context()).QueryRow(t.Context(), `SELECT COUNT(*) FROM settings`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (s *sample) note(text, key string) (status int, answer string, replayed bool) {
	w := s.ask(http.MethodPost, "/v1/notes", fmt.Sprintf(`{"text":%q}`, text), keyHeader, key)
	return w.Code, w.Body.String(), w.Header().Get("Idempotent-Replayed") == "true"
}

func TestIdempotency(t *testing.T) {
	s := notes(t)
	status, first, replayed := s.note("a", "k1")
	if status != 200 || first != `{"number":0}` || replayed {
		t.Fatalf("%d %s, replayed %t", status, first, replayed)
	}
	if status, again, replayed := s.note("a", "k1"); status != 200 || again != first || !replayed || s.rows(t) != 1 {
		t.Errorf("the repeat: %d %s, replayed %t, %d rows", status, again, replayed, s.rows(t))
	}
	if status, answer, _ := s.note("b", "k1"); status != 400 || !strings.Contains(answer, "k1") || !strings.Contains(answer, "InvalidPayload") {
		t.Errorf("another request with the key: %d %s", status, answer)
	}
	if status, other, replayed := s.note("a", "k2"); status != 200 || other != `{"number":1}` || replayed {
		t.Errorf("another key: %d %s, replayed %t", status, other, replayed)
	}
	if status, answer, _ := s.note("a", strings.Repeat("k", 300)); status != 400 || s.rows(t) != 2 {
		t.Errorf("too long a key: %d %s", status, answer)
	}
}

// TestIdempotencyRefusal: what a refused request wrote is undone, and the key can
// be used again.
func TestIdempotencyRefusal(t *testing.T) {
	s := notes(t)
	for range 2 {
		if status, answer, replayed := s.note("no", "k"); status != 403 || replayed || !strings.Contains(answer, `"No."`) {
			t.Errorf("%d %s, replayed %t", status, answer, replayed)
		}
	}
	if n := s.rows(t); n != 0 {
		t.Errorf("%d rows of a refused request are there", n)
	}
	if status, answer, _ := s.note("yes", "k"); status != 200 || s.rows(t) != 1 {
		t.Errorf("after a refusal: %d %s", status, answer)
	}
}

func TestIdempotencyTogether(t *testing.T) {
	s := notes(t)
	answers := make([]string, 16)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { _, answers[i], _ = s.note("a", "k") })
	}
	wg.Wait()
	for _, answer := range answers {
		if answer != `{"number":0}` {
			t.Errorf("one of the repeats was answered %s", answer)
		}
	}
	if n := s.rows(t); n != 1 {
		t.Errorf("%d rows, want one", n)
	}
}

func TestForgetAnswers(t *testing.T) {
	s := notes(t)
	s.note("a", "k")
	if err := s.ForgetAnswers(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, replayed := s.note("a", "k"); !replayed {
		t.Error("an answer was forgotten before its time")
	}
	err := s.db.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE idempotency_keys SET expires_at = 1`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, answer, replayed := s.note("a", "k"); replayed || answer != `{"number":1}` {
		t.Errorf("after its time: %s, replayed %t", answer, replayed)
	}
}

// TestGzip: a compressed body is read as what it holds, and held to the limit by
// that.
func TestGzip(t *testing.T) {
	s := newSample(t, roomy)
	pack := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	send := func(body string) (int, string) {
		w := s.ask(http.MethodPut, "/v1/things/1", body, "Content-Encoding", "gzip")
		return w.Code, w.Body.String()
	}
	if status, answer := send(pack(`{"name":"n"}`)); status != 200 || answer != `{"name":"n"}` {
		t.Errorf("%d %s", status, answer)
	}
	bomb := pack(`{"name":"n","x":"` + strings.Repeat("x", 1<<20) + `"}`)
	if len(bomb) > small+1<<10 {
		t.Fatalf("the bomb has %d bytes", len(bomb))
	}
	if status, answer := send(bomb); status != 413 || !strings.Contains(answer, "PayloadTooLarge") {
		t.Errorf("a bomb: %d %s", status, answer)
	}
	whole := pack(`{"name":"n"}`)
	if status, answer := send(whole[:len(whole)-9]); status != 400 {
		t.Errorf("cut off: %d %s", status, answer)
	}
}

func TestReference(t *testing.T) {
	s := newSample(t, roomy)
	s.MountReference()
	if w := s.ask(http.MethodGet, "/openapi.json", ""); w.Code != 200 || w.Body.String() != string(s.Document()) {
		t.Errorf("/openapi.json answered %d and %d bytes", w.Code, w.Body.Len())
	}
	w := s.ask(http.MethodGet, "/docs/", "")
	if w.Code != 200 || !strings.Contains(w.Body.String(), "<html") || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'self'") {
		t.Errorf("/docs/ answered %d %v", w.Code, w.Header())
	}
	if page := w.Body.String(); strings.Contains(page, "http://") || strings.Contains(page, "https://") {
		t.Errorf("the page loads from elsewhere: %s", page)
	}
	if w := s.ask(http.MethodGet, "/docs/none.js", ""); w.Code != 404 {
		t.Errorf("a page that is not there: %d", w.Code)
	}
}

// After a rotation no kept answer needs an older key, and each still opens.
func TestResealAnswers(t *testing.T) {
	s := newSample(t, roomy)
	keys := secret.New()
	old := idempotency{db: s.db, clock: clock.System(), keys: keys}
	const answers = 205
	now := time.Now()
	err := s.db.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		for n := range answers {
			if err := old.keep(ctx, tx, "actor", strconv.Itoa(n), kept{"request", 200, []byte(strconv.Itoa(n))}, now.Add(time.Hour)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	rotated := keys.Rotate()
	for _, want := range []int{answers, 0} {
		if n, err := ResealAnswers(t.Context(), s.db, rotated); n != want || err != nil {
			t.Fatalf("%d answers were sealed anew (%v), want %d", n, err, want)
		}
	}
	fresh := idempotency{db: s.db, clock: clock.System(), keys: rotated.Retire()}
	for n := range answers {
		k, err := fresh.find(t.Context(), s.db.Reader(t.Context()), "actor", strconv.Itoa(n), now)
		if err != nil || k == nil || string(k.answer) != strconv.Itoa(n) {
			t.Fatalf("answer %d is %v (%v)", n, k, err)
		}
	}
}

// An operation that acts outside of a transaction: what it wrote stays when it refuses,
// a repeat is answered from what is kept, and one that comes when nothing is kept runs
// again with the same RepeatKey.
func TestIdempotencyOutward(t *testing.T) {
	s := newSample(t, roomy)
	var within []bool
	var keys []string
	Register(s.Mux, Operation{ID: "charge", Method: http.MethodPost, Path: "/v1/notes", Scope: Outside, Permission: access.Self, Outward: true},
		func(ctx context.Context, in *noteInput) (*noteOutput, error) {
			_, inTx := s.db.Reader(ctx).(*db.Tx)
			within, keys = append(within, inTx), append(keys, RepeatKey(ctx))
			out := &noteOutput{}
			out.Body.Number = len(keys)
			err := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, `INSERT INTO settings (key, value) VALUES ($1, $2)`, fmt.Sprint(len(keys)), in.Body.Text)
				return err
			})
			if in.Body.Text == "no" {
				return nil, fault.New(fault.PaymentRequired, "Declined.")
			}
			return out, err
		})
	if status, answer, replayed := s.note("no", "k1"); status != 402 || replayed || s.rows(t) != 1 {
		t.Errorf("a refusal: %d %s, %d rows", status, answer, s.rows(t))
	}
	if status, answer, replayed := s.note("no", "k1"); status != 402 || replayed || keys[0] == "" || keys[0] != keys[1] {
		t.Errorf("a refusal once more: %d %s, replayed %t, as %q", status, answer, replayed, keys)
	}
	status, first, replayed := s.note("a", "k2")
	if status != 200 || replayed || keys[2] == keys[1] {
		t.Errorf("%d %s, replayed %t, as %q", status, first, replayed, keys)
	}
	if status, again, replayed := s.note("a", "k2"); status != 200 || again != first || !replayed || len(keys) != 3 {
		t.Errorf("the repeat: %d %s, replayed %t, after %d runs", status, again, replayed, len(keys))
	}
	if status, answer, _ := s.note("b", "k2"); status != 400 || !strings.Contains(answer, "k2") || len(keys) != 3 {
		t.Errorf("another request with the key: %d %s, after %d runs", status, answer, len(keys))
	}
	if status, _, _ := s.note("a", ""); status != 200 || keys[3] != "" {
		t.Errorf("without a key: %d, as %q", status, keys[3])
	}
	for n, is := range within {
		if is {
			t.Errorf("run %d was in a transaction", n)
		}
	}
}

// The key of an Outward operation stands for its request from the moment it begins: while it
// is under way, another request with the key is rejected, and the same one runs with the same
// RepeatKey. A refusal frees the key.
func TestIdempotencyOutwardUnderWay(t *testing.T) {
	s := newSample(t, roomy)
	entered, proceed := make(chan string), make(chan struct{})
	Register(s.Mux, Operation{ID: "charge", Method: http.MethodPost, Path: "/v1/notes", Scope: Outside, Permission: access.Self, Outward: true},
		func(ctx context.Context, in *noteInput) (*noteOutput, error) {
			if in.Body.Text == "other" {
				return &noteOutput{}, nil
			}
			entered <- RepeatKey(ctx)
			<-proceed
			if in.Body.Text == "no" {
				return nil, fault.New(fault.PaymentRequired, "Declined.")
			}
			return &noteOutput{}, nil
		})
	var all sync.WaitGroup
	defer func() {
		close(proceed)
		all.Wait()
	}()
	statuses := make([]int, 2)
	begin := func(i int, text string) (request string) {
		all.Go(func() { statuses[i], _, _ = s.note(text, "k") })
		return <-entered
	}
	first := begin(0, "a")
	if status, answer, _ := s.note("other", "k"); status != 400 || !strings.Contains(answer, "another request") {
		t.Fatalf("another request while the first is under way: %d %s", status, answer)
	}
	if again := begin(1, "a"); again != first || again == "" {
		t.Errorf("the repeat runs as %q, the first as %q", again, first)
	}
	proceed <- struct{}{}
	proceed <- struct{}{}
	all.Wait()
	if statuses[0] != 200 || statuses[1] != 200 {
		t.Errorf("the first and its repeat were answered %v", statuses)
	}
	if status, _, replayed := s.note("a", "k"); status != 200 || !replayed {
		t.Errorf("a later repeat: %d, replayed %t", status, replayed)
	}

	for i, text := range []string{"no", "yes"} { // one after the other with another key
		all.Go(func() { statuses[i], _, _ = s.note(text, "k2") })
		<-entered
		proceed <- struct{}{}
		all.Wait()
	}
	if statuses[0] != 402 || statuses[1] != 200 {
		t.Errorf("a refused request and another one after it were answered %v", statuses)
	}
}
