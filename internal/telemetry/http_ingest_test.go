package telemetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// ingestingService keeps what it is sent in a directory of the test.
func ingestingService(t *testing.T) *Service {
	t.Helper()
	d, err := db.Open(t.Context(), db.Options{Dir: t.TempDir(), Synchronous: "NORMAL"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := over(d)
	s.dir = t.TempDir()
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// sendingForm is a way to send records.
type sendingForm struct{ media, encoding string }

// sendingForms are all.
func sendingForms() (all []sendingForm) {
	for _, media := range []string{"application/x-ndjson", "application/json", otlpBinary} {
		for _, encoding := range []string{"", "gzip", "zstd"} {
			all = append(all, sendingForm{media, encoding})
		}
	}
	return all
}

// body is so many records with messages of a size.
func (f sendingForm) body(t *testing.T, records, size int) []byte {
	t.Helper()
	var text []byte
	message := strings.Repeat("word ", size/5)
	if f.media == otlpBinary {
		list := make([]*logspb.LogRecord, records)
		for i := range list {
			list[i] = &logspb.LogRecord{Body: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: message}}}
		}
		var err error
		if text, err = proto.Marshal(&logspb.LogsData{ResourceLogs: []*logspb.ResourceLogs{{ScopeLogs: []*logspb.ScopeLogs{{LogRecords: list}}}}}); err != nil {
			t.Fatal(err)
		}
	} else {
		lines := make([]string, records)
		for i := range lines {
			lines[i] = fmt.Sprintf(`{"kind":"log","level":"info","id":"r%d","message":%q}`, i, message)
		}
		if text = []byte(strings.Join(lines, "\n")); f.media == "application/json" {
			text = []byte("[" + strings.Join(lines, ",") + "]")
		}
	}
	switch f.encoding {
	case "gzip":
		return gzipped(t, text)
	case "zstd":
		return zstdAll(t, text)
	}
	return text
}

func (f sendingForm) send(ctx context.Context, s *Service, bot string, body io.Reader) error {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", body)
	r.Header.Set("Content-Type", f.media)
	r.Header.Set("Content-Encoding", f.encoding)
	ctx = access.With(ctx, access.Actor{Kind: access.KindBot, Subject: bot, Workspace: id.Workspace("w")})
	if f.media == otlpBinary {
		return s.ingestOTLP(ctx, httptest.NewRecorder(), r)
	}
	return s.ingest(ctx, httptest.NewRecorder(), r)
}

// TestIngestBounds: a hundred senders of every form together never have more than the
// bounds, what is refused is told to come again, and in the end nothing is taken.
func TestIngestBounds(t *testing.T) {
	s := ingestingService(t)
	forms := sendingForms()
	bodies := make([][]byte, len(forms))
	for i, f := range forms {
		bodies[i] = f.body(t, 2000, 1200)
	}
	ended := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			s.admission.mu.Lock()
			all := s.admission.all
			s.admission.mu.Unlock()
			if all.bytes > maxAtOnce || all.waiting > maxWaiting || all.requests > maxRequests || min(all.bytes, all.waiting) < 0 {
				t.Errorf("%+v is taken", all)
				return
			}
			select {
			case <-ended:
				return
			default:
			}
		}
	})
	var all sync.WaitGroup
	taken := make([]int, 100)
	for n := range taken {
		all.Go(func() {
			for round := range 3 {
				i := (n + round) % len(forms)
				switch err := forms[i].send(t.Context(), s, fmt.Sprint("bot", n%10), bytes.NewReader(bodies[i])); {
				case err == nil:
					taken[n]++
				case !fault.Is(err, fault.RateLimited):
					t.Errorf("%s: %v", forms[i], err)
				}
			}
		})
	}
	all.Wait()
	close(ended)
	watch.Wait()
	sum := 0
	for _, n := range taken {
		sum += n
	}
	if sum == 0 {
		t.Error("nothing was taken at all")
	}
	if !s.admission.empty() {
		t.Errorf("when all are answered, %+v is taken, %v", s.admission.all, s.admission.by)
	}
}

// TestIngestGivesBack: whatever becomes of a request, nothing stays taken.
func TestIngestGivesBack(t *testing.T) {
	s := ingestingService(t)
	errGone := errors.New("the client is gone")
	for _, f := range sendingForms() {
		body := f.body(t, 100, 1000)
		large := f.body(t, 20, 600_000)
		ended, end := context.WithCancel(t.Context())
		end()
		fill := func() (empty func()) {
			for range cap(s.admission.places) {
				s.admission.places <- struct{}{}
			}
			return func() {
				for range cap(s.admission.places) {
					<-s.admission.places
				}
			}
		}
		for name, c := range map[string]struct {
			ctx  context.Context
			body io.Reader
			want func(error) bool
		}{
			"taken":         {t.Context(), bytes.NewReader(body), func(err error) bool { return err == nil }},
			"taken again":   {t.Context(), iotest.HalfReader(bytes.NewReader(body)), func(err error) bool { return err == nil }},
			"nothing":       {t.Context(), strings.NewReader(""), func(error) bool { return true }},
			"broken off":    {t.Context(), bytes.NewReader(body[:len(body)/2]), func(error) bool { return true }},
			"client gone":   {t.Context(), io.MultiReader(bytes.NewReader(body[:len(body)/2]), iotest.ErrReader(errGone)), func(err error) bool { return fault.Is(err, fault.InvalidPayload) }},
			"too large":     {t.Context(), bytes.NewReader(large), func(err error) bool { return fault.Is(err, fault.PayloadTooLarge) }},
			"no turn":       {ended, bytes.NewReader(body), func(err error) bool { return errors.Is(err, context.Canceled) }},
			"a panic while": {t.Context(), panicReader{}, func(err error) bool { return err.Error() == "panic" }},
		} {
			empty := func() {}
			if name == "no turn" {
				empty = fill()
			}
			err := func() (err error) {
				defer func() {
					if p := recover(); p != nil {
						err = errors.New("panic")
					}
				}()
				return f.send(c.ctx, s, "bot", c.body)
			}()
			empty()
			if !c.want(err) {
				t.Errorf("%s, %s: %v", f, name, err)
			}
			if !s.admission.empty() {
				t.Fatalf("%s, %s: %+v is still taken, %v", f, name, s.admission.all, s.admission.by)
			}
		}
	}
}

type panicReader struct{}

func (panicReader) Read([]byte) (int, error) { panic("a reader") }

// TestIngestGivesBackWhenItCannotKeep: nor when the disk fails.
func TestIngestGivesBackWhenItCannotKeep(t *testing.T) {
	s := ingestingService(t)
	for _, l := range s.blocks.appenders {
		l.close()
	}
	for _, f := range sendingForms() {
		if err := f.send(t.Context(), s, "bot", bytes.NewReader(f.body(t, 100, 1000))); !fault.Is(err, fault.Internal) {
			t.Errorf("%s: %v", f, err)
		}
		if !s.admission.empty() {
			t.Fatalf("%s: %+v is still taken, %v", f, s.admission.all, s.admission.by)
		}
	}
}
