package telemetry

import (
	"context"
	"strconv"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// place is the position of a record in a list.
func (r *Record) place() db.Key {
	return db.Key{At: r.At, ID: strconv.FormatInt(r.Sequence, 10)}
}

// maxPage bounds the inputs, outputs and data on one page, in bytes. A page ends early
// beyond it, since a hundred action runs can have forty megabytes.
const maxPage = 4 << 20

// read reads a page of a workspace's records of class Events, newest first.
func (s *Service) read(ctx context.Context, w id.Workspace, f Filter, page db.Page) ([]Record, *db.Key, error) {
	if err := s.keeping.bound(ctx, w, &f, Events); err != nil {
		return nil, nil, err
	}
	f.Before = page.After
	var records []Record
	var next *db.Key
	size := 0
	err := s.blocks.Scan(ctx, f, func(r *Record) bool {
		if len(records) == page.Size || size > maxPage {
			place := records[len(records)-1].place()
			next = &place
			return false
		}
		records = append(records, *r)
		switch body := r.Body.(type) {
		case *ActionRun:
			size += len(body.Input) + len(body.Output)
		case *Activity:
			size += len(body.Data)
		}
		return true
	})
	return records, next, db.Convert(err)
}

// Activities reads a page of the steps of a task, newest first; an unknown task has none.
// ResourceNotFound when the workspace has no such bot.
func (s *Service) Activities(ctx context.Context, w id.Workspace, bot id.Bot, task string, page db.Page) ([]Record, *db.Key, error) {
	if err := seek(ctx, s.db.Reader(ctx), w, bot); err != nil {
		return nil, nil, err
	}
	return s.read(ctx, w, Filter{Kinds: []Kind{KindActivity}, Bot: bot, Match: func(r *Record) bool {
		a, is := r.Body.(*Activity)
		return is && a.TaskID == task
	}}, page)
}

// RunFilter selects action runs.
type RunFilter struct {
	Integration string // its name
	// From and Until bound the time of the run, as clients write times. Both are inclusive;
	// an empty one is no bound.
	From, Until string
}

// ActionRuns reads a page of a bot's calls of one integration's actions, newest first.
// InvalidQuery when a bound is not a time, ResourceNotFound when the workspace has no such
// bot.
func (s *Service) ActionRuns(ctx context.Context, w id.Workspace, bot id.Bot, runs RunFilter, page db.Page) ([]Record, *db.Key, error) {
	f := Filter{Kinds: []Kind{KindActionRun}, Bot: bot, Match: func(r *Record) bool {
		run, is := r.Body.(*ActionRun)
		return is && run.IntegrationName == runs.Integration
	}}
	var err error
	if f.From, _, err = momentNamed("timestampFrom", runs.From); err != nil {
		return nil, nil, err
	}
	if _, f.Until, err = momentNamed("timestampUntil", runs.Until); err != nil {
		return nil, nil, err
	}
	if err := seek(ctx, s.db.Reader(ctx), w, bot); err != nil {
		return nil, nil, err
	}
	return s.read(ctx, w, f, page)
}

// timeLayouts are the forms in which clients write times. Those without an offset are in
// UTC.
var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04"}

// momentNamed reads a time, or a date, of which it answers the first and the last
// millisecond. For an empty text the times are zero.
func momentNamed(parameter, text string) (first, last time.Time, err error) {
	if text == "" {
		return first, last, nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil && t.Year() >= 1970 {
		return t, t.Add(dayLength - time.Millisecond), nil
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 {
			return t.UTC(), t.UTC(), nil
		}
	}
	return first, last, fault.New(fault.InvalidQuery, "%s is %q; it must be a date such as 2026-01-31, or a time such as 2026-01-31T10:00:00Z, from 1970 on.", parameter, fault.Bounded(text))
}
