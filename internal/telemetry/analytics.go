package telemetry

import (
	"context"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// Day is the analytics of one bot for one UTC day. The Days of two disjoint sets of records
// merge into the Day of both.
type Day struct {
	// ActiveUsers were active on the day. NewUsers are those of them who had never been
	// active before; the others are returning.
	ActiveUsers int64
	NewUsers    int64
	// Sessions began on the day.
	Sessions     int64
	UserMessages int64
	BotMessages  int64
	Events       int64
	EventTypes   Counts
	CustomEvents Counts
	LLM          LLM
}

// LLM are the calls of language models on a day.
type LLM struct {
	Calls        int64
	Errors       int64 // of Calls
	InputTokens  int64
	OutputTokens int64
	// CostNanoUSD is the exact sum. Cost has the moments over all calls, in dollars.
	CostNanoUSD int64
	Cost        Moments
	// Latency is in milliseconds, over the calls that report one.
	Latency Moments
	// TokensPerSecond is over the calls that report a latency, answered something and did
	// not fail.
	TokensPerSecond Moments
}

// maxSum is where sums saturate: the greatest integer that every client reads exactly. No
// honest bot gets there, and one that lies must not make the roll-up fail.
const maxSum = 1<<53 - 1

func sum(a, b int64) int64 { return min(a+b, maxSum) }

// Merge adds another Day.
func (d *Day) Merge(o Day) {
	d.ActiveUsers = sum(d.ActiveUsers, o.ActiveUsers)
	d.NewUsers = sum(d.NewUsers, o.NewUsers)
	d.Sessions = sum(d.Sessions, o.Sessions)
	d.UserMessages = sum(d.UserMessages, o.UserMessages)
	d.BotMessages = sum(d.BotMessages, o.BotMessages)
	d.Events = sum(d.Events, o.Events)
	d.EventTypes.merge(o.EventTypes)
	d.CustomEvents.merge(o.CustomEvents)
	d.LLM.Calls = sum(d.LLM.Calls, o.LLM.Calls)
	d.LLM.Errors = sum(d.LLM.Errors, o.LLM.Errors)
	d.LLM.InputTokens = sum(d.LLM.InputTokens, o.LLM.InputTokens)
	d.LLM.OutputTokens = sum(d.LLM.OutputTokens, o.LLM.OutputTokens)
	d.LLM.CostNanoUSD = sum(d.LLM.CostNanoUSD, o.LLM.CostNanoUSD)
	d.LLM.Cost.Merge(o.LLM.Cost)
	d.LLM.Latency.Merge(o.LLM.Latency)
	d.LLM.TokensPerSecond.Merge(o.LLM.TokensPerSecond)
}

// date is a UTC day: the number of days since 1970.
type date int64

const dayLength = 24 * time.Hour

// dateOf is the UTC day of a time in milliseconds.
func dateOf(ms int64) date {
	length := dayLength.Milliseconds()
	d := ms / length
	if ms%length < 0 {
		d--
	}
	return date(d)
}

// start is the first millisecond of the day.
func (d date) start() int64 { return int64(d) * dayLength.Milliseconds() }

// end is the last millisecond of the day.
func (d date) end() int64 { return (d + 1).start() - 1 }

// DatedDay is a Day with its first and last millisecond.
type DatedDay struct {
	Start, End time.Time
	Day
}

// maxDays bounds one answer to ten years.
const maxDays = 3660

// Analytics reads the days from start to end, which are dates or times as clients write
// them; both days are included. Days on which nothing happened are included too.
// InvalidQuery when start or end cannot be read, or they are in the wrong order or too far
// apart; ResourceNotFound when the workspace has no such bot.
func (s *Service) Analytics(ctx context.Context, w id.Workspace, bot id.Bot, start, end string) ([]DatedDay, error) {
	from, err := dayNamed("startDate", start)
	if err != nil {
		return nil, err
	}
	until, err := dayNamed("endDate", end)
	if err != nil {
		return nil, err
	}
	switch n := int64(until-from) + 1; {
	case n < 1:
		return nil, fault.New(fault.InvalidQuery, "endDate is %q, which is before startDate, %q.", fault.Bounded(end), fault.Bounded(start))
	case n > maxDays:
		return nil, fault.New(fault.InvalidQuery, "From startDate to endDate there are %d days; at most %d are allowed.", n, maxDays)
	}
	q := s.db.Reader(ctx)
	if err := seek(ctx, q, w, bot); err != nil {
		return nil, err
	}
	known, err := selectDays(ctx, q, w, bot, from, until)
	if err != nil {
		return nil, db.Convert(err)
	}
	days := make([]DatedDay, 0, until-from+1)
	for on := from; on <= until; on++ {
		days = append(days, DatedDay{time.UnixMilli(on.start()).UTC(), time.UnixMilli(on.end()).UTC(), known[on]})
	}
	return days, nil
}

// dayNamed reads a date, or the UTC day of a time.
func dayNamed(parameter, text string) (date, error) {
	if text == "" {
		return 0, fault.New(fault.InvalidQuery, "%s is empty; it must be a date such as 2026-01-31, or a time such as 2026-01-31T10:00:00Z.", parameter)
	}
	first, _, err := momentNamed(parameter, text)
	return dateOf(first.UnixMilli()), err
}
