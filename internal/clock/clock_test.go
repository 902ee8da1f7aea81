package clock_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/clock"
)

func TestSystem(t *testing.T) {
	before := time.Now().Truncate(time.Millisecond)
	got := clock.System().Now()
	if got.Before(before) || got.After(time.Now()) {
		t.Errorf("now is %s, at %s", got, before)
	}
	if got.Location() != time.UTC || got.Nanosecond()%1e6 != 0 {
		t.Errorf("%s is not UTC in milliseconds", got)
	}
}

// ahead says whether a clock runs ahead of the system's by about want.
func ahead(t *testing.T, c clock.Clock, want time.Duration) {
	t.Helper()
	got := c.Now()
	if off := time.Until(got) - want; off < -time.Minute || off > time.Minute {
		t.Errorf("the clock shows %s, want %s ahead of the system's", got, want)
	}
	if got.Location() != time.UTC || got.Nanosecond()%1e6 != 0 {
		t.Errorf("%s is not UTC in milliseconds", got)
	}
}

func TestAdvance(t *testing.T) {
	dir := t.TempDir()
	d := development(t, dir)
	ahead(t, d, 0)
	const month = 31 * 24 * time.Hour
	for i := range 2 {
		now, err := d.Advance(month)
		if err != nil {
			t.Fatal(err)
		}
		want := month * time.Duration(i+1)
		ahead(t, d, want)
		if off := now.Sub(d.Now()); off < -time.Minute || off > 0 {
			t.Errorf("Advance answered %s, the clock shows %s", now, d.Now())
		}
	}
	ahead(t, development(t, dir), 2*month) // it is kept
	for _, step := range []time.Duration{0, -time.Second, clock.MaxAhead - 2*month + 1, math.MaxInt64} {
		if _, err := d.Advance(step); !errors.Is(err, clock.ErrStep) || !strings.Contains(err.Error(), step.String()) {
			t.Errorf("a step of %s: error %v", step, err)
		}
	}
	ahead(t, d, 2*month)
}

// TestAdvanceElsewhere: a running server sees what another process did.
func TestAdvanceElsewhere(t *testing.T) {
	dir := t.TempDir()
	server, command := development(t, dir), development(t, dir)
	server.Now()
	if _, err := command.Advance(time.Hour); err != nil {
		t.Fatal(err)
	}
	time.Sleep(clock.ReloadEvery + 10*time.Millisecond)
	ahead(t, server, time.Hour)
	// Both advance from what is kept, not from what they saw last.
	if _, err := command.Advance(time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Advance(time.Hour); err != nil {
		t.Fatal(err)
	}
	ahead(t, server, 3*time.Hour)
}

func TestNeverBackwards(t *testing.T) {
	d := development(t, t.TempDir())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			last := d.Now()
			for range 20_000 {
				now := d.Now()
				if now.Before(last) {
					t.Errorf("%s came after %s", now, last)
					return
				}
				last = now
			}
		})
	}
	for range 10 {
		if _, err := d.Advance(time.Minute); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

func TestDamagedOffset(t *testing.T) {
	for _, text := range []string{"", "yesterday", "-1", "1.5", "99999999999999999999"} {
		dir := t.TempDir()
		path := filepath.Join(dir, "clock-offset")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := clock.NewDevelopment(dir); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: error %v, want one that names the file", text, err)
		}
	}
}

func TestElapsed(t *testing.T) {
	s := clock.Start()
	time.Sleep(2 * time.Millisecond)
	if got := s.Elapsed(); got < 2*time.Millisecond || got > time.Minute {
		t.Errorf("%s elapsed", got)
	}
}

func development(t *testing.T, dir string) *clock.Development {
	t.Helper()
	d, err := clock.NewDevelopment(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
