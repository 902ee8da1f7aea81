package meter

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// The million: every tenth record is the repeat of an earlier one.
const (
	millionRecords = 1_000_000
	millionBatch   = 5_000
	millionBots    = 25
)

// reportOf is the n-th record that is sent; times ascend, with some that come late. Every tenth repeats the id of one before.
func reportOf(w id.Workspace, n int, from time.Time) plan.Usage {
	if n%10 == 9 {
		n -= 1 + n/10%9
	}
	return plan.Usage{
		ID: "record " + strconv.Itoa(n), Workspace: w, Bot: id.Bot("bot-" + strconv.Itoa(n%millionBots)), Type: plan.InvocationCalls,
		Value: int64(n%7 + 1), At: from.Add(time.Duration(n*5-n%3*40_000) * time.Second),
		Metadata: map[string]string{"source": "s" + strconv.Itoa(n%2)},
	}
}

var millionFrom = at("2026-01-15T00:00:00Z")

// A million records with repeats, sent by a process that is killed in the middle and
// that sends its last batch again, give the exact sums.
func TestMillionRecords(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		w, _ := f.workspace(t, plan.Managed)
		began := time.Now()
		for round, from := 0, 0; from < millionRecords; round++ {
			from = reportUntilKilled(t, f, w, from, millionRecords*(round+1)/3)
		}
		t.Logf("%d records in %s", millionRecords, time.Since(began))
		m := &model{map[string]bool{}, map[string]int64{}, map[string]int64{}}
		for n := range millionRecords {
			m.add(reportOf(w, n, millionFrom))
		}
		months, days := f.sums(t, w)
		if diff := cmp.Diff(m.months, months); diff != "" {
			t.Errorf("months: %s", diff)
		}
		if diff := cmp.Diff(m.days, days); diff != "" {
			t.Errorf("days: %s", diff)
		}
		var kept int
		if err := f.DB.Reader(t.Context()).QueryRow(t.Context(), `SELECT COUNT(*) FROM usage_records`).Scan(&kept); err != nil || kept != len(m.seen) {
			t.Errorf("%d records are kept, want %d, %v", kept, len(m.seen), err)
		}
	})
}

// reportUntilKilled has another process report from a record on, kills it at one, and
// answers where to go on: with the batch before the last that is known to be kept.
func reportUntilKilled(t *testing.T, f *fixture, w id.Workspace, from, until int) int {
	t.Helper()
	other := exec.CommandContext(t.Context(), os.Args[0])
	other.Env = append(os.Environ(), "BOTYARD_TEST_PROCESS=report", "BOTYARD_TEST_WORKSPACE="+string(w), "BOTYARD_TEST_FROM="+strconv.Itoa(from),
		"BOTYARD_TEST_DIR="+f.options.Dir, "BOTYARD_TEST_URL="+f.options.URL)
	other.Stderr = os.Stderr
	said, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	kept := from
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if kept, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		if kept >= until && kept < millionRecords {
			if err := other.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	err = other.Wait()
	if kept == millionRecords {
		if err != nil {
			t.Fatal(err)
		}
		return kept
	}
	return kept - millionBatch
}

func reportAsProcess() error {
	ctx := context.Background()
	f, err := open(ctx, db.Options{Dir: os.Getenv("BOTYARD_TEST_DIR"), URL: os.Getenv("BOTYARD_TEST_URL"), Synchronous: "NORMAL"})
	if err != nil {
		return err
	}
	defer f.DB.Close()
	from, err := strconv.Atoi(os.Getenv("BOTYARD_TEST_FROM"))
	if err != nil {
		return err
	}
	for ; from < millionRecords; from += millionBatch {
		batch := make([]plan.Usage, millionBatch)
		for i := range batch {
			batch[i] = reportOf(id.Workspace(os.Getenv("BOTYARD_TEST_WORKSPACE")), from+i, millionFrom)
		}
		if err := f.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error { return f.Add(ctx, tx, batch) }); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(os.Stdout, from+millionBatch); err != nil {
			return err
		}
	}
	return nil
}
