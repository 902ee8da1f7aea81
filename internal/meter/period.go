package meter

import (
	"time"

	"github.com/botyard/botyard/internal/fault"
)

// monthOf is the first moment of a moment's month, UTC: usage is counted by it.
func monthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// dayOf is the first moment of a moment's day, UTC.
func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// periodForms are how callers write a period or a moment. What has no zone is UTC.
var periodForms = []string{
	"2006-01", time.DateOnly, time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04:05",
}

// The years that a caller may ask about.
const (
	firstYear = 2000
	lastYear  = 2200
)

// parseMoment reads a month, a date or a date with a time; the first moment of what
// is given. InvalidQuery when it is none of these. whole says that a day or a month
// was given, and not a moment of it.
func parseMoment(name, text string) (t time.Time, whole bool, err error) {
	for i, form := range periodForms {
		t, err := time.Parse(form, text)
		if err == nil && t.Year() >= firstYear && t.Year() <= lastYear {
			return t.UTC(), i < 2, nil
		}
	}
	return time.Time{}, false, fault.New(fault.InvalidQuery, "%s is %q; it must be a month like 2026-11, a date like 2026-11-22 or a moment like 2026-11-22T10:00:00Z, between the years %d and %d.", name, fault.Bounded(text), firstYear, lastYear)
}

// parsePeriod reads the month that a caller asks about; the current one when nothing
// is given.
func parsePeriod(text string, now time.Time) (month time.Time, err error) {
	if text == "" {
		return monthOf(now), nil
	}
	t, _, err := parseMoment("period", text)
	return monthOf(t), err
}
