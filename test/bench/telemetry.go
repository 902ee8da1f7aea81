package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/postgres"
)

// Targets of the telemetry section, on two processors.
const (
	ingestTargetSQLite   = 100_000 // records a second
	ingestTargetPostgres = 60_000
	recordTarget         = 60 // bytes on disk for a message of 200
	memoryTarget         = 300 << 20
	logPageTarget        = 10 * time.Millisecond
	rareTarget           = 150 * time.Millisecond
)

const (
	ingestBatch   = 1000
	ingestSenders = 8
	packedAtOnce  = 500_000 // records whose batches are in the bench's memory
)

// telemetryFigures are those of one engine.
type telemetryFigures struct {
	engine  db.Engine
	records int
	rate    float64 // records a second, acknowledged
	keyed   float64 // the same, of records with ids
	bytes   float64 // on disk for a record
	reading int64   // bytes of memory while the logs were read
	peak    int64   // the most, of all
	flood   flood
	queries []hubTime
}

// rivals are what else was measured with the same lines, in records a second and
// bytes a record.
type rivals struct{ rawRate, rawBytes, peerRate, peerBytes float64 }

// settleTime is how long the merging behind is given before anything is read.
func settleTime(records int) time.Duration {
	return 3*time.Second + time.Duration(records)*2*time.Microsecond
}

// logMessage is the n-th message: about two hundred bytes, of which sixty differ.
func logMessage(n int) string {
	if n%1_000_003 == 77_777 {
		return fmt.Sprintf("the needle in the haystack, record %d", n)
	}
	h := uint64(n)*0x9e3779b97f4a7c15 ^ 0x5bd1e995
	h ^= h >> 29
	verbs := [...]string{"handled", "received", "forwarded", "stored", "retried"}
	things := [...]string{"message", "event", "webhook", "state change", "timer"}
	return fmt.Sprintf("%s %s %016x of conversation conv_%012x in %d ms; workflow main, node %s, attempt %d, next step is to wait for the answer of the user and then to continue with the flow",
		verbs[h%5], things[h>>8%5], h, h>>16, h>>40%900, things[h>>20%5], h>>30%3)
}

// telemetry measures ingest and logs on both engines, and the rivals.
func (b *bed) telemetry(ctx context.Context) (all []telemetryFigures, r rivals, err error) {
	for _, engine := range b.engines() {
		figures, err := b.measureTelemetry(ctx, engine)
		if err != nil {
			return nil, r, fmt.Errorf("telemetry on %s: %w", engine, err)
		}
		all = append(all, figures)
	}
	r, err = b.measureRivals(ctx)
	return all, r, err
}

func (b *bed) measureTelemetry(ctx context.Context, engine db.Engine) (f telemetryFigures, err error) {
	f = telemetryFigures{engine: engine, records: b.options.records}
	dir, program, database := b.path("telemetry-"+string(engine)), b.botyard, ""
	if engine == db.PostgreSQL {
		address, err := postgres.Create(ctx)
		if err != nil {
			return f, err
		}
		database = address
		program.environment = append(slices.Clone(program.environment), "BOTYARD_DATABASE_URL="+address)
	}
	server, _, err := start(ctx, program, dir)
	if err != nil {
		return f, err
	}
	defer func() {
		if server != nil {
			err = errors.Join(err, server.stop())
		}
	}()
	s, err := b.newSender(ctx, server)
	if err != nil {
		return f, err
	}
	progress("telemetry on %s: %d records", engine, f.records)
	if f.rate, err = s.send(ctx, f.records, ingestSenders, false); err != nil {
		return f, err
	}
	if err := pause(ctx, settleTime(f.records)); err != nil {
		return f, err
	}
	if f.peak, err = server.peakBytes(); err != nil {
		return f, err
	}
	if err := server.forgetPeak(); err != nil {
		return f, err
	}
	if f.queries, err = s.queries(ctx); err != nil {
		return f, err
	}
	if f.reading, err = server.peakBytes(); err != nil {
		return f, err
	}
	f.peak = max(f.peak, f.reading)
	// Stopped, the server has put its journals into the files.
	if err := server.stop(); err != nil {
		return f, err
	}
	size := int64(0)
	if engine == db.SQLite {
		size, err = usedSize(ctx, filepath.Join(dir, "telemetry"))
	} else {
		size, err = tableSize(ctx, database)
	}
	if err != nil {
		return f, err
	}
	f.bytes = float64(size) / float64(f.records)
	if server, _, err = start(ctx, program, dir); err != nil {
		return f, err
	}
	s.address = server.address
	if f.keyed, err = s.send(ctx, f.records/4, ingestSenders, true); err != nil {
		return f, err
	}
	if f.flood, err = s.flood(ctx, s.pack(0, floodPacked, false), ingestBatch, 10*f.rate, b.options.floodTime); err != nil {
		return f, err
	}
	peak, err := server.peakBytes()
	f.peak = max(f.peak, peak)
	return f, err
}

// sender sends records to one server.
type sender struct {
	address, token, workspace string
	bots                      []string
	client                    *http.Client
}

// newSender makes a workspace with ten bots, whose records are sent.
func (b *bed) newSender(ctx context.Context, server *server) (*sender, error) {
	workspace, err := createWorkspace(ctx, server.address, b.identity.token, "telemetry")
	if err != nil {
		return nil, err
	}
	bots, err := b.identity.fill(ctx, server.address, []string{workspace}, 10, 100)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: floodOpen}}
	return &sender{address: server.address, token: b.identity.token, workspace: workspace, bots: bots, client: client}, nil
}

// packed is a batch for a bot.
type packed struct {
	form *form
	bot  string
	body []byte
}

// pack makes the batches before anything is measured.
func (s *sender) pack(first, records int, keyed bool) []packed {
	form := &lines
	if keyed {
		form = &keyedLines
	}
	return s.packAs(form, first, records, ingestBatch)
}

// send sends records with a number of senders, each batch again when it is told to
// wait, and answers the acknowledged records a second. The time to make the batches
// does not count.
func (s *sender) send(ctx context.Context, records, senders int, keyed bool) (float64, error) {
	var taken time.Duration
	for first := 0; first < records; first += packedAtOnce {
		batches := s.pack(first, min(packedAtOnce, records-first), keyed)
		began := time.Now()
		if err := s.sendAll(ctx, batches, senders); err != nil {
			return 0, err
		}
		taken += time.Since(began)
	}
	return float64(records) / taken.Seconds(), nil
}

func (s *sender) sendAll(ctx context.Context, batches []packed, senders int) error {
	var next atomic.Int64
	var all sync.WaitGroup
	errs := make([]error, senders)
	for n := range senders {
		all.Go(func() {
			for {
				at := int(next.Add(1)) - 1
				if at >= len(batches) {
					return
				}
				if err := s.one(ctx, batches[at]); err != nil {
					errs[n] = err
					return
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func (s *sender) one(ctx context.Context, p packed) error {
	for {
		status, body, err := s.post(ctx, p)
		switch {
		case err != nil:
			return err
		case status == http.StatusTooManyRequests:
			if err := pause(ctx, 50*time.Millisecond); err != nil {
				return err
			}
		case status != http.StatusOK:
			return fmt.Errorf("ingest answered %d: %s", status, body)
		default:
			return nil
		}
	}
}

func (s *sender) post(ctx context.Context, p packed) (status int, body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.address+p.form.path, bytes.NewReader(p.body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	r.Header.Set("x-workspace-id", s.workspace)
	r.Header.Set("x-bot-id", p.bot)
	r.Header.Set("Content-Type", p.form.media)
	r.Header.Set("Content-Encoding", p.form.encoding)
	answer, err := s.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(answer.Body)
	return answer.StatusCode, body, err
}

// queries times the first page of a bot's logs with each filter.
func (s *sender) queries(ctx context.Context) (times []hubTime, err error) {
	for _, q := range []struct {
		work, query string
		target      time.Duration
	}{
		{"newest lines", "", logPageTarget},
		{"level=error", "&level=error", logPageTarget},
		{"userId", "&userId=user_0", logPageTarget},
		{"conversationId", "&conversationId=conv_0", logPageTarget},
		{"messageContains, common", "&messageContains=webhook", logPageTarget},
		{"messageContains, rare, all lines", "&messageContains=needle%20in%20the%20haystack", rareTarget},
		{"messageContains, nowhere, all lines", "&messageContains=wholly%20absent", rareTarget},
	} {
		var taken []time.Duration
		for range 31 {
			began := time.Now()
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/v1/admin/bots/"+s.bots[0]+"/logs?timeStart=2020-01-01"+q.query, nil)
			if err != nil {
				return nil, err
			}
			r.Header.Set("Authorization", "Bearer "+s.token)
			r.Header.Set("x-workspace-id", s.workspace)
			answer, err := s.client.Do(r)
			if err != nil {
				return nil, err
			}
			body, err := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if err != nil || answer.StatusCode != http.StatusOK {
				return nil, fmt.Errorf("%s answered %d: %.300s (%w)", q.work, answer.StatusCode, body, err)
			}
			taken = append(taken, time.Since(began))
		}
		slices.Sort(taken)
		times = append(times, hubTime{work: q.work, p50: taken[len(taken)/2], p99: taken[len(taken)-1], target: q.target})
	}
	return times, nil
}

// usedSize is what the SQLite files of a folder hold, without the pages that merging
// left free for the next records.
func usedSize(ctx context.Context, dir string) (size int64, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		used, err := usedIn(ctx, file)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		size += used
	}
	return size, nil
}

func usedIn(ctx context.Context, file string) (used int64, err error) {
	d, err := sql.Open("sqlite", "file:"+file+"?mode=ro")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	err = d.QueryRowContext(ctx, `SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size`).Scan(&used)
	return used, err
}

// tableSize is what the tables of telemetry have on disk in PostgreSQL, with their
// indexes, once what merging has deleted is free for the next records.
func tableSize(ctx context.Context, address string) (size int64, err error) {
	d, err := sql.Open("pgx", address)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	rows, err := d.QueryContext(ctx, `SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables WHERE schemaname LIKE '%\_telemetry'`)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return 0, err
		}
		tables = append(tables, name)
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	for _, table := range tables {
		if _, err := d.ExecContext(ctx, `VACUUM `+table); err != nil {
			return 0, fmt.Errorf("%s: %w", table, err)
		}
		var used int64
		if err := d.QueryRowContext(ctx, `SELECT pg_total_relation_size($1::regclass)`, table).Scan(&used); err != nil {
			return 0, fmt.Errorf("%s: %w", table, err)
		}
		size += used
	}
	return size, nil
}

// measureRivals puts the same lines into SQLite row by row, and into VictoriaLogs'
// storage engine.
func (b *bed) measureRivals(ctx context.Context) (r rivals, err error) {
	records := min(b.options.records, 500_000)
	if r.rawRate, r.rawBytes, err = rawInserts(ctx, b.path("raw.db"), records); err != nil {
		return r, fmt.Errorf("raw inserts: %w", err)
	}
	lines := b.path("lines")
	if err := writeLines(lines, records); err != nil {
		return r, err
	}
	output, err := exec.CommandContext(ctx, b.victoria, "-lines", lines, "-dir", b.path("victorialogs-data")).Output()
	if err != nil {
		return r, fmt.Errorf("victorialogs: %w", err)
	}
	var said struct{ Seconds, Bytes float64 }
	if err := json.Unmarshal(output, &said); err != nil {
		return r, fmt.Errorf("victorialogs said %q: %w", output, err)
	}
	r.peerRate, r.peerBytes = float64(records)/said.Seconds, said.Bytes/float64(records)
	return r, nil
}

func writeLines(path string, records int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for n := range records {
		fmt.Fprintf(w, "bot%d\t%s\n", n/ingestBatch%10, logMessage(n))
	}
	return errors.Join(w.Flush(), f.Close())
}

// rawInserts is what one row a record makes of SQLite: batches of a thousand, each
// one transaction that waits for the disk.
func rawInserts(ctx context.Context, path string, records int) (rate, size float64, err error) {
	d, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return 0, 0, err
	}
	d.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, d.Close()) }()
	if _, err := d.ExecContext(ctx, `CREATE TABLE logs (bot TEXT, at INTEGER, seq INTEGER, level TEXT, message TEXT, PRIMARY KEY (bot, at, seq)) WITHOUT ROWID`); err != nil {
		return 0, 0, err
	}
	began := time.Now()
	for from := 0; from < records; from += ingestBatch {
		tx, err := d.BeginTx(ctx, nil)
		if err != nil {
			return 0, 0, err
		}
		insert, err := tx.PrepareContext(ctx, `INSERT INTO logs VALUES (?, ?, ?, ?, ?)`)
		if err != nil {
			return 0, 0, err
		}
		for n := from; n < min(from+ingestBatch, records); n++ {
			if _, err := insert.ExecContext(ctx, fmt.Sprintf("bot%d", from/ingestBatch%10), time.Now().UnixMilli(), n, "info", logMessage(n)); err != nil {
				return 0, 0, err
			}
		}
		if err := tx.Commit(); err != nil {
			return 0, 0, err
		}
	}
	rate = float64(records) / time.Since(began).Seconds()
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, err
	}
	return rate, float64(info.Size()) / float64(records), nil
}
