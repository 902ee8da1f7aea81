package main

import (
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/bench/load"
)

func at(perSecond float64) figures {
	return figures{
		round:  round{Result: load.Result{PerSecond: perSecond, P50: time.Millisecond, P99: 2 * time.Millisecond, Bytes: 10}, processor: 30 * time.Microsecond},
		lowest: perSecond - 1, highest: perSecond + 1,
	}
}

func TestReportSaysWhichTargetsWereMissed(t *testing.T) {
	r := &report{
		options: options{bots: 10, definition: 100, pace: pace{rounds: 3, duration: time.Second}},
		contests: []outcome{{
			contest: contest{name: "view", connections: 16, sides: []side{
				{name: "botyard"},
				{name: "bare handler", compared: true, target: 0.7},
				{name: "PocketBase", compared: true, target: 4},
				{name: "other", compared: true},
			}},
			figures: []figures{at(800), at(1000), at(400), at(100)},
		}},
		footprints: []footprint{
			{name: "botyard", ready: 200 * time.Millisecond, resident: 61e6, binary: 30e6},
			{name: "PocketBase", ready: time.Second, resident: 90e6, binary: 90e6},
		},
	}
	var out strings.Builder
	if err := r.write(&out); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"| view, 16 connections | botyard | 800 | 799–801 | 1.00 ms | 2.00 ms | 30 µs | 10 |  |  |",
		"|  | bare handler | 1000 | 999–1001 | 1.00 ms | 2.00 ms | 30 µs | 10 | 0.80× | ≥ 0.7× met |",
		"|  | PocketBase | 400 | 399–401 | 1.00 ms | 2.00 ms | 30 µs | 10 | 2.00× | **≥ 4.0× missed** |",
		"|  | other | 100 | 99–101 | 1.00 ms | 2.00 ms | 30 µs | 10 | 8.00× |  |",
		"| botyard | 200.00 ms (< 300 ms met) | 61.0 MB (**< 60 MB missed**) | 30.0 MB (< 45 MB met) |",
		"| PocketBase | 1000.00 ms | 90.0 MB | 90.0 MB |",
	} {
		if !strings.Contains(out.String(), line+"\n") {
			t.Errorf("the report lacks the line\n%s\nin\n%s", line, out.String())
		}
	}
	want := []string{"view: 2.00 times PocketBase, wanted ≥ 4.0×", "idle memory: 61.0 MB, wanted < 60 MB"}
	if diff := cmp.Diff(want, r.unmet); diff != "" {
		t.Errorf("missed targets (-want +got):\n%s", diff)
	}
}

func TestReportShowsTheHubByEngine(t *testing.T) {
	r := &report{
		options: options{hub: hubSize{names: 10, versions: 5, publishers: 2, others: 30, duration: time.Second}},
		hub: []hubFigures{
			{engine: db.SQLite, idle: 40e6, peaks: map[int]int64{4: 900e6, 1: 300e6}, times: []hubTime{
				{work: "list", p50: time.Millisecond, p99: 2 * time.Millisecond, target: lookupTarget, among: 1500 * time.Microsecond},
				{work: "interpreted", p50: time.Second, p99: time.Second},
			}},
			{engine: db.PostgreSQL, idle: 50e6, peaks: map[int]int64{4: 1900e6, 1: 300e6}, times: []hubTime{
				{work: "list", p50: 5 * time.Millisecond, p99: 9 * time.Millisecond, target: lookupTarget, among: 8 * time.Millisecond},
				{work: "interpreted", p50: time.Second, p99: time.Second},
			}},
		},
	}
	var out strings.Builder
	if err := r.write(&out); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"| list | SQLite | 1.00 ms | 2.00 ms | < 5ms met | 1.50 ms | 1.50× | ≤ 1.5× met |",
		"|  | PostgreSQL | 5.00 ms | 9.00 ms | **< 5ms missed** | 8.00 ms | 1.60× | **≤ 1.5× missed** |",
		"| interpreted | SQLite | 1000.00 ms | 1000.00 ms |  |  |  |  |",
		"| SQLite | 40 MB | 1 | 300 MB | < 640 MB met |",
		"| PostgreSQL | 50 MB | 4 | 1900 MB | **< 1550 MB missed** |",
	} {
		if !strings.Contains(out.String(), line+"\n") {
			t.Errorf("the report lacks the line\n%s\nin\n%s", line, out.String())
		}
	}
	if strings.Contains(out.String(), "bytes of definition each. Medians") {
		t.Error("the report tells of bots that were not there")
	}
	want := []string{
		"PostgreSQL, list: 5.00 ms, wanted < 5ms", "PostgreSQL, list: 1.60× beside other workspaces, wanted ≤ 1.5×",
		"PostgreSQL, most memory with 4 uploads at once: 1900 MB, wanted < 1550 MB",
	}
	if diff := cmp.Diff(want, r.unmet); diff != "" {
		t.Errorf("missed targets (-want +got):\n%s", diff)
	}
}

func TestMediansAreNotMeans(t *testing.T) {
	got := medians([]round{at(900).round, at(10).round, at(1000).round})
	if got.PerSecond != 900 || got.lowest != 10 || got.highest != 1000 {
		t.Errorf("got median %v, lowest %v and highest %v, wanted 900, 10 and 1000", got.PerSecond, got.lowest, got.highest)
	}
}

func TestDefinitionIsJSONOfTheWantedSize(t *testing.T) {
	for _, size := range []int{1_000, 20_000} {
		text := definition(size)
		if len(text) < size-50 || len(text) > size+600 {
			t.Errorf("a definition of %d bytes has %d", size, len(text))
		}
		var members map[string]map[string]any
		if err := json.Unmarshal([]byte("{"+text+"}"), &members); err != nil {
			t.Fatal(err)
		}
		for _, member := range []string{"actions", "events", "states"} {
			if size >= 20_000 && len(members[member]) < 10 {
				t.Errorf("a definition of %d bytes has %d %s, wanted at least 10", size, len(members[member]), member)
			}
		}
	}
}

func TestExpandProcessorList(t *testing.T) {
	got, err := expand("0-2,5")
	if diff := cmp.Diff([]string{"0", "1", "2", "5"}, got); err != nil || diff != "" {
		t.Errorf("error %v, processors (-want +got):\n%s", err, diff)
	}
	if _, err := expand("all"); err == nil {
		t.Error("the list \"all\" was taken")
	}
}

func TestSpreadTakesOldAndNew(t *testing.T) {
	got := spread([]string{"a", "b", "c", "d", "e", "f"}, 3)
	if diff := cmp.Diff([]string{"a", "c", "e"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
