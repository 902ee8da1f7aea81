package billing

import "time"

// Period is the time from Start, inclusive, to End, exclusive.
type Period struct{ Start, End time.Time }

// seconds is the length of the period. Proration goes by whole seconds.
func (p Period) seconds() int64 { return p.End.Unix() - p.Start.Unix() }

// from is the rest of the period that begins at a moment.
func (p Period) from(at time.Time) Period {
	if at.After(p.Start) {
		p.Start = at
	}
	return p
}

// monthOf is the calendar month, in UTC, of a moment. Those are the billing cycles.
func monthOf(at time.Time) Period { return months(at, 1) }

// yearOf is the period of a yearly plan that is bought at a moment: twelve calendar months
// from the first of that month.
func yearOf(at time.Time) Period { return months(at, 12) }

// addMonths is the same day and time a number of months later, or the last day of that
// month if it is shorter.
func addMonths(at time.Time, months int) time.Time {
	at = at.UTC()
	moved := at.AddDate(0, months, 0)
	if moved.Day() != at.Day() {
		moved = moved.AddDate(0, 0, -moved.Day())
	}
	return moved
}

func months(at time.Time, n int) Period {
	year, month, _ := at.UTC().Date()
	return Period{time.Date(year, month, 1, 0, 0, 0, 0, time.UTC), time.Date(year, month+time.Month(n), 1, 0, 0, 0, 0, time.UTC)}
}
