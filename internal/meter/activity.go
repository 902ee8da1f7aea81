package meter

import (
	"context"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// Activity is one record of use.
type Activity struct {
	key      string
	At       time.Time
	Value    int64
	Metadata string // a JSON object
}

// DailyActivity is how much one series of a workspace used on a day: what has the
// same bot, kind, subtype and source.
type DailyActivity struct {
	Series string
	Day    time.Time
	Value  int64
	Bot    id.Bot
	// Kind is empty when whoever reported the use did not say what it was.
	Kind, Subtype, Source string
}

// span is a part of time, its ends included, in milliseconds.
type span struct{ from, until int64 }

// spanOf reads the ends that a caller gave. A day or a month that it ends with is in
// it to its last moment.
func spanOf(fromName, from, untilName, until string) (span, error) {
	of := span{0, 1<<63 - 1}
	if from != "" {
		t, _, err := parseMoment(fromName, from)
		if err != nil {
			return of, err
		}
		of.from = t.UnixMilli()
	}
	if until != "" {
		t, whole, err := parseMoment(untilName, until)
		if err != nil {
			return of, err
		}
		switch {
		case whole && len(until) == len("2006-01"):
			t = t.AddDate(0, 1, 0).Add(-time.Millisecond)
		case whole:
			t = t.AddDate(0, 0, 1).Add(-time.Millisecond)
		}
		of.until = t.UnixMilli()
	}
	if of.from > of.until {
		return of, fault.New(fault.InvalidQuery, "%s is after %s: nothing can lie between.", fromName, untilName)
	}
	return of, nil
}

// days is the span of the days that it touches.
func (p span) days() span {
	const day = int64(dayLength / time.Millisecond)
	return span{p.from - p.from%day, p.until}
}

// Activity reads records of use, the newest first; next is nil on the last page. It
// goes back as far as records are kept.
func (s *Service) Activity(ctx context.Context, w id.Workspace, of string, t plan.Type, in span, page db.Page) (list []Activity, next *db.Key, err error) {
	q := s.DB.Reader(ctx)
	who, err := s.subjectIn(ctx, q, w, of)
	if err == nil {
		err = who.counts(t)
	}
	if err != nil {
		return nil, nil, err
	}
	list, err = selectActivity(ctx, q, who, t, in, page)
	if err != nil {
		return nil, nil, db.Convert(err)
	}
	list, next = db.Cut(list, page, func(a Activity) db.Key { return db.Key{At: a.At.UnixMilli(), ID: a.key} })
	return list, next, nil
}

// DailyActivity reads the sums of days, the newest first; next is nil on the last page.
func (s *Service) DailyActivity(ctx context.Context, w id.Workspace, of string, t plan.Type, in span, page db.Page) (list []DailyActivity, next *db.Key, err error) {
	q := s.DB.Reader(ctx)
	who, err := s.subjectIn(ctx, q, w, of)
	if err == nil {
		err = who.counts(t)
	}
	if err != nil {
		return nil, nil, err
	}
	list, err = selectDays(ctx, q, who, t, in.days(), page)
	if err != nil {
		return nil, nil, db.Convert(err)
	}
	list, next = db.Cut(list, page, func(a DailyActivity) db.Key { return db.Key{At: a.Day.UnixMilli(), ID: a.Series} })
	return list, next, nil
}
