package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/postgres"
)

const (
	floodOpen = 1500 // requests on their way
	// floodOffered is above ten times what either engine takes.
	floodOffered = 3_000_000
	// floodPacked is how many records of a form are packed before a flood and sent
	// again and again.
	floodPacked = 100_000
)

// flood is what came of more records than a server can take.
type flood struct {
	offered, taken float64 // records a second
	refused        int64   // requests answered 429
	unsent         int64   // requests that found no connection: the bench itself was too slow
}

// flooding is a flood of batches of one form, and the memory it took.
type flooding struct {
	flood
	form  *form
	batch int
	peak  int64 // bytes, from its beginning to its end
}

// floodFigures are those of one engine.
type floodFigures struct {
	engine db.Engine
	all    []flooding
}

// form is a way to send records.
type form struct {
	name, path, media, encoding string
	// write is the body of the records from first to end.
	write func(first, end int) []byte
}

var (
	lines      = form{"NDJSON, gzip", "/v1/ingest", "application/x-ndjson", "gzip", func(first, end int) []byte { return zipped(linesOf(first, end, false)) }}
	keyedLines = form{"NDJSON with ids, gzip", "/v1/ingest", "application/x-ndjson", "gzip", func(first, end int) []byte { return zipped(linesOf(first, end, true)) }}
	plainLines = form{"NDJSON, not packed", "/v1/ingest", "application/x-ndjson", "identity", func(first, end int) []byte { return linesOf(first, end, false) }}
	array      = form{"an array with ids, zstd", "/v1/ingest", "application/json", "zstd", arrayOf}
	otlp       = form{"OTLP, gzip", "/v1/otlp/v1/logs", "application/x-protobuf", "gzip", otlpOf}
	runs       = form{"action runs, gzip", "/v1/ingest", "application/x-ndjson", "gzip", runsOf}
)

// floods are what a server is held to, one after the other: what the target is about,
// and every other way in, with the smallest and the largest bodies there are.
var floods = []struct {
	form  *form
	batch int
}{
	{&lines, ingestBatch}, {&keyedLines, ingestBatch}, {&plainLines, ingestBatch}, {&array, ingestBatch}, {&otlp, ingestBatch},
	{&runs, ingestBatch}, {&lines, 1}, {&keyedLines, 20_000},
}

func linesOf(first, end int, keyed bool) []byte {
	var text bytes.Buffer
	for n := first; n < end; n++ {
		key := ""
		if keyed {
			key = fmt.Sprintf(`"id":"key-%d",`, n)
		}
		level := "info"
		if n%97 == 0 {
			level = "error"
		}
		fmt.Fprintf(&text, `{"kind":"log",%s"level":%q,"userId":"user_%d","conversationId":"conv_%d","message":%q}`+"\n", key, level, n%5000, n%20_000, logMessage(n))
	}
	return text.Bytes()
}

func arrayOf(first, end int) []byte {
	text := bytes.ReplaceAll(bytes.TrimSpace(linesOf(first, end, true)), []byte("\n"), []byte(","))
	z, _ := zstd.NewWriter(nil) // without options
	return z.EncodeAll(slices.Concat([]byte("["), text, []byte("]")), nil)
}

func otlpOf(first, end int) []byte {
	records := make([]*logspb.LogRecord, 0, end-first)
	for n := first; n < end; n++ {
		records = append(records, &logspb.LogRecord{
			SeverityNumber: logspb.SeverityNumber_SEVERITY_NUMBER_INFO,
			Body:           &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: logMessage(n)}},
		})
	}
	body, err := proto.Marshal(&logspb.LogsData{ResourceLogs: []*logspb.ResourceLogs{{ScopeLogs: []*logspb.ScopeLogs{{LogRecords: records}}}}})
	if err != nil {
		panic(err) // the messages are of this program's making
	}
	return zipped(body)
}

func runsOf(first, end int) []byte {
	var text strings.Builder
	for n := first; n < end; n++ {
		fmt.Fprintf(&text, `{"kind":"action_run","id":"run-%d","integrationName":"mail","actionType":"send","input":{"to":"user_%d","text":%q},"output":{"sent":true},"status":"SUCCESS","durationMs":%d}`+"\n",
			n, n%5000, logMessage(n), n%900)
	}
	return zipped([]byte(text.String()))
}

func zipped(text []byte) []byte {
	var body bytes.Buffer
	z, _ := gzip.NewWriterLevel(&body, gzip.BestSpeed) // a known level
	_, _ = z.Write(text)
	_ = z.Close()
	return body.Bytes()
}

// packAs makes batches of a form, each for the next bot.
func (s *sender) packAs(f *form, first, records, batch int) (all []packed) {
	for from := first; from < first+records; from += batch {
		all = append(all, packed{f, s.bots[from/batch%len(s.bots)], f.write(from, min(from+batch, first+records))})
	}
	return all
}

// floods measures the memory of a server that is offered more than it can take, on
// both engines.
func (b *bed) floods(ctx context.Context) (all []floodFigures, err error) {
	for _, engine := range b.engines() {
		f, err := b.floodEngine(ctx, engine)
		if err != nil {
			return nil, fmt.Errorf("floods on %s: %w", engine, err)
		}
		all = append(all, f)
	}
	return all, nil
}

func (b *bed) floodEngine(ctx context.Context, engine db.Engine) (f floodFigures, err error) {
	f.engine = engine
	program := b.botyard
	if engine == db.PostgreSQL {
		address, err := postgres.Create(ctx)
		if err != nil {
			return f, err
		}
		program.environment = append(slices.Clone(program.environment), "BOTYARD_DATABASE_URL="+address)
	}
	server, err := b.start(ctx, program, b.path("floods-"+string(engine)))
	if err != nil {
		return f, err
	}
	s, err := b.newSender(ctx, server)
	if err != nil {
		return f, err
	}
	for _, wanted := range floods {
		progress("flood on %s: %s, bodies of %d", engine, wanted.form.name, wanted.batch)
		batches := s.packAs(wanted.form, 0, min(floodPacked, 2_000*wanted.batch), wanted.batch)
		if err := server.forgetPeak(); err != nil {
			return f, err
		}
		one := flooding{form: wanted.form, batch: wanted.batch}
		if one.flood, err = s.flood(ctx, batches, wanted.batch, floodOffered, b.options.floodTime); err != nil {
			return f, fmt.Errorf("%s: %w", wanted.form.name, err)
		}
		if one.peak, err = server.peakBytes(); err != nil {
			return f, err
		}
		f.all = append(f.all, one)
	}
	return f, b.stopAll()
}

// flood offers records at a rate for a time, whatever becomes of them: a request is
// begun when its time has come, not when another has been answered. What is due and
// finds floodOpen requests on their way is not sent.
func (s *sender) flood(ctx context.Context, batches []packed, size int, rate float64, long time.Duration) (f flood, err error) {
	var taken, refused atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	open := make(chan struct{}, floodOpen)
	began, sent := time.Now(), 0
	for ; time.Since(began) < long && failed.Load() == nil; time.Sleep(2 * time.Millisecond) {
		due := int(time.Since(began).Seconds() * rate / float64(size))
		for sent+int(f.unsent) < due {
			select {
			case open <- struct{}{}:
			default:
				f.unsent = int64(due - sent)
				continue
			}
			batch := batches[sent%len(batches)]
			sent++
			all.Go(func() {
				defer func() { <-open }()
				switch status, body, err := s.post(ctx, batch); {
				case err != nil:
					failed.Store(&err)
				case status == http.StatusOK:
					taken.Add(1)
				case status == http.StatusTooManyRequests:
					refused.Add(1)
				default:
					err := fmt.Errorf("ingest answered %d: %s", status, body)
					failed.Store(&err)
				}
			})
		}
	}
	offered := time.Since(began).Seconds()
	all.Wait()
	if e := failed.Load(); e != nil {
		return f, *e
	}
	f.offered, f.taken = float64(sent*size)/offered, float64(int(taken.Load())*size)/time.Since(began).Seconds()
	f.refused = refused.Load()
	return f, nil
}

func (f flood) String() string {
	text := fmt.Sprintf("%.0f records/s offered, %.0f taken, %d requests refused with 429", f.offered, f.taken, f.refused)
	if f.unsent > 0 {
		text += fmt.Sprintf(", %d more not sent: %d were on their way", f.unsent, floodOpen)
	}
	return text
}

// writeFloods writes what became of them.
func (r *report) writeFloods(b *strings.Builder) {
	fmt.Fprintf(b, "%d records/s are offered for %s, by at most %d requests at once, one form after the other on one server.\n\n", floodOffered, r.options.floodTime, floodOpen)
	b.WriteString("| form | engine | records in a body | | most memory | |\n|---|---|--:|---|--:|---|\n")
	for _, f := range r.floods {
		for _, one := range f.all {
			met := r.judge(one.peak <= memoryTarget, fmt.Sprintf("at most %d MiB of memory", memoryTarget>>20), fmt.Sprintf("flood on %s, %s, bodies of %d: %d MiB", f.engine, one.form.name, one.batch, one.peak>>20))
			fmt.Fprintf(b, "| %s | %s | %d | %s | %d MiB | %s |\n", one.form.name, f.engine, one.batch, one.flood, one.peak>>20, met)
		}
	}
}
