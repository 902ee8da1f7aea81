package meter

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// rememberedFor is how long a record is kept after it was counted, and so how late a
// repeat is still recognised.
const rememberedFor = 40 * 24 * time.Hour

const (
	dayLength = 24 * time.Hour
	// maxWord bounds a kept value of metadata, in bytes.
	maxWord = 128
)

// The kinds of daily activity that the public API knows.
var kinds = []string{"IntegrationAction", "FileIndexing", "BingSearch", "WebSearch"}

// record is one usage as it is counted.
type record struct {
	key       string
	workspace id.Workspace
	bot       id.Bot
	of        plan.Type
	value     int64
	at        time.Time
	metadata  string

	kind, subtype, source string
}

// monthSum is how much of a type was used in a month, by a workspace or by one bot.
type monthSum struct {
	workspace id.Workspace
	bot       id.Bot
	of        plan.Type
	month     time.Time
	value     int64
}

// daySum is how much of a type one series of a workspace used on a day.
type daySum struct {
	workspace             id.Workspace
	of                    plan.Type
	day                   time.Time
	series                string
	bot                   id.Bot
	kind, subtype, source string
	value                 int64
}

// Add counts usage in the transaction of the change that caused it. A record whose ID was
// counted before for the same workspace, bot and type is skipped; one without an ID is
// always counted. A part of AI spend counts as AI spend too. Records of workspaces that
// are gone are dropped.
//
// InvalidPayload, with nothing counted, when a record fails plan.Usage.Check: whoever
// accepts records from outside checks each of them first.
func (s *Service) Add(ctx context.Context, tx *db.Tx, usages []plan.Usage) error {
	now := s.Clock.Now()
	records, err := recordsOf(usages, now)
	if err != nil || len(records) == 0 {
		return err
	}
	var workspaces []id.Workspace
	for _, r := range records {
		workspaces = append(workspaces, r.workspace)
	}
	slices.Sort(workspaces)
	allowances, err := selectAllowances(ctx, tx, slices.Compact(workspaces))
	if err != nil {
		return db.Convert(err)
	}
	records = slices.DeleteFunc(records, func(r record) bool { _, there := allowances[r.workspace]; return !there })
	fresh, err := insertRecords(ctx, tx, records, now.UnixMilli()/dayLength.Milliseconds())
	if err != nil {
		return db.Convert(err)
	}
	records = slices.DeleteFunc(records, func(r record) bool { return !fresh[r.key] })
	counters, gauges, days := tally(records, monthOf(now))
	totals, err := addMonths(ctx, tx, counters)
	if err != nil {
		return db.Convert(err)
	}
	values, err := addToGauges(ctx, tx, gauges)
	if err != nil {
		return db.Convert(err)
	}
	if err := setMonths(ctx, tx, values); err != nil {
		return db.Convert(err)
	}
	if err := addDays(ctx, tx, days); err != nil {
		return db.Convert(err)
	}
	totals = append(totals, values...)
	var standings []standing
	for _, total := range totals {
		if total.bot == "" && total.month.Equal(monthOf(now)) {
			standings = append(standings, s.standing(total.workspace, allowances[total.workspace], total.of, total.value))
		}
	}
	return s.warn(ctx, tx, standings...)
}

// MayAnswer returns QuotaExceeded when a workspace has no incoming messages left: its bots
// answer nobody until the month ends or the quota is raised. It is asked for every call
// from outside, so it is a single query.
func (s *Service) MayAnswer(ctx context.Context, w id.Workspace) error {
	a, used, there, err := selectStanding(ctx, s.DB.Reader(ctx), w, plan.InvocationCalls, monthOf(s.Clock.Now()))
	if err != nil {
		return db.Convert(err)
	}
	if !there {
		return noSuchWorkspace(w)
	}
	limit := s.limit(a, plan.InvocationCalls)
	if limit == plan.Unlimited || max(used, 0) < limit {
		return nil
	}
	return s.exceeded(a, plan.InvocationCalls, limit, used)
}

// recordsOf makes the records of usages: each once, along with that of the type it is a
// part of.
func recordsOf(usages []plan.Usage, now time.Time) ([]record, error) {
	records := make([]record, 0, len(usages))
	seen := make(map[string]bool, len(usages))
	for _, u := range usages {
		if err := u.Check(); err != nil {
			return nil, err
		}
		if u.ID == "" {
			u.ID = id.NewUsage(now)
		}
		if u.At.IsZero() {
			u.At = now
		}
		for t := u.Type; t != ""; t = t.Whole() {
			r := recordOf(u, t)
			if !seen[r.key] {
				seen[r.key] = true
				records = append(records, r)
			}
		}
	}
	return records, nil
}

func recordOf(u plan.Usage, t plan.Type) record {
	r := record{
		key:       keyOf(u, t),
		workspace: u.Workspace, bot: u.Bot, of: t, value: u.Value, at: u.At.UTC(),
		subtype: word(u.Metadata["subtype"]), source: word(u.Metadata["source"]),
	}
	if kind := u.Metadata["type"]; slices.Contains(kinds, kind) {
		r.kind = kind
	} else if u.Type == plan.BingSearchSpend {
		r.kind = "BingSearch"
	}
	kept := make(map[string]string, len(u.Metadata)+1)
	for key, value := range u.Metadata {
		kept[word(key)] = word(value)
	}
	if u.Bot != "" {
		kept["botId"] = string(u.Bot)
	}
	// A map of valid texts always marshals.
	text, _ := json.Marshal(kept, json.Deterministic(true))
	r.metadata = string(text)
	return r
}

// word cleans and shortens a caller's text, so that both engines can store it.
func word(s string) string {
	return fault.BoundedTo(strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", ""), maxWord)
}

// maxRawID is the longest id, in bytes, that is part of a key as it is; longer ones are
// hashed.
const maxRawID = 64

// keyOf is the key by which a repeat of a record is recognised. Ids that ascend with time,
// as those of most clients do, make adjacent keys: with scattered ones the database would
// be several times slower.
func keyOf(u plan.Usage, t plan.Type) string {
	of := digestOf(string(u.Workspace), string(u.Bot), string(t))
	if len(u.ID) > maxRawID {
		return of + "/" + digestOf(u.ID)
	}
	return of + " " + u.ID
}

// digestOf is a short hash of parts: 128 bits of their SHA-256, each preceded by its length,
// so that the boundaries between them count.
func digestOf(parts ...string) string {
	var b []byte
	for _, part := range parts {
		b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// tally sums records up: monthly counters of workspaces and bots, changes of gauges, and
// days. Each is sorted, so that concurrent transactions lock rows in the same order and do
// not deadlock.
func tally(records []record, current time.Time) (counters, gauges []monthSum, days []daySum) {
	months, perDay := map[monthSum]int64{}, map[daySum]int64{}
	for _, r := range records {
		key := monthSum{workspace: r.workspace, of: r.of, month: monthOf(r.at)}
		if !r.of.Monthly() {
			key.month = current
		}
		months[key] = bounded(months[key] + r.value)
		if r.bot != "" {
			key.bot = r.bot
			months[key] = bounded(months[key] + r.value)
		}
		day := daySum{
			workspace: r.workspace, of: r.of, day: dayOf(r.at), bot: r.bot, kind: r.kind, subtype: r.subtype, source: r.source,
			series: digestOf(string(r.bot), r.kind, r.subtype, r.source),
		}
		perDay[day] = bounded(perDay[day] + r.value)
	}
	for sum, value := range months {
		sum.value = value
		if sum.of.Monthly() {
			counters = append(counters, sum)
		} else {
			gauges = append(gauges, sum)
		}
	}
	for sum, value := range perDay {
		sum.value = value
		days = append(days, sum)
	}
	for _, sums := range [][]monthSum{counters, gauges} {
		slices.SortFunc(sums, inOrder)
	}
	slices.SortFunc(days, func(a, b daySum) int {
		return cmp.Or(cmp.Compare(a.workspace, b.workspace), cmp.Compare(a.of, b.of), a.day.Compare(b.day), cmp.Compare(a.series, b.series))
	})
	return counters, gauges, days
}

// inOrder compares sums in the order in which they are written.
func inOrder(a, b monthSum) int {
	return cmp.Or(cmp.Compare(a.workspace, b.workspace), cmp.Compare(a.bot, b.bot), cmp.Compare(a.of, b.of), a.month.Compare(b.month))
}

// bounded saturates a sum, so that adding to it cannot overflow.
func bounded(n int64) int64 { return min(max(n, -maxValue), maxValue) }

// Forget deletes records older than rememberedFor, in batches.
func (s *Service) Forget(ctx context.Context) (forgotten int64, err error) {
	const batch = 5000
	before := s.Clock.Now().Add(-rememberedFor).UnixMilli() / dayLength.Milliseconds()
	for {
		var n int64
		err := s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
			n, err = deleteRecords(ctx, tx, before, batch)
			return db.Convert(err)
		})
		forgotten += n
		if err != nil || n < batch {
			return forgotten, err
		}
	}
}
