package telemetry

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/botyard/botyard/internal/db"
)

// rollUpAnalytics adds records to the days of their bots. An active user is counted once a
// day, and as new on the first day of all; a session is counted on the day it began. So a
// late record may change several days: a user turns out to be new on an earlier day, or
// two sessions turn out to be one.
func (s *Service) rollUpAnalytics(ctx context.Context, tx *db.Tx, records []Record) error {
	t := tallyOf(records)
	if err := t.countUsers(ctx, tx); err != nil {
		return err
	}
	if err := t.countSessions(ctx, tx, s.silence); err != nil {
		return err
	}
	keys := slices.SortedFunc(maps.Keys(t.days), botDay.compare)
	return mergeDays(ctx, tx, keys, t.days)
}

// All servers write rows in the same order; else PostgreSQL would have to end one of two
// transactions in a deadlock.
func (d botDay) compare(o botDay) int {
	return cmp.Or(cmp.Compare(d.bot, o.bot), cmp.Compare(d.day, o.day))
}

func (u botUser) compare(o botUser) int {
	return cmp.Or(cmp.Compare(u.bot, o.bot), cmp.Compare(u.user, o.user))
}

func (u botUserDay) compare(o botUserDay) int {
	return cmp.Or(u.botUser.compare(o.botUser), cmp.Compare(u.day, o.day))
}

func (l lane) compare(o lane) int {
	return cmp.Or(cmp.Compare(l.bot, o.bot), cmp.Compare(l.conversation, o.conversation), cmp.Compare(l.user, o.user))
}

// countUsers counts users on the days on which they were not known to be active yet, and
// corrects their first days.
func (t *dayTally) countUsers(ctx context.Context, tx *db.Tx) error {
	unknown, err := insertUserDays(ctx, tx, slices.SortedFunc(maps.Keys(t.users), botUserDay.compare))
	if err != nil || len(unknown) == 0 {
		return err
	}
	earliest := map[botUser]date{}
	for _, u := range unknown {
		t.day(u.bot, u.day).ActiveUsers++
		if day, seen := earliest[u.botUser]; !seen || u.day < day {
			earliest[u.botUser] = u.day
		}
	}
	users := slices.SortedFunc(maps.Keys(earliest), botUser.compare)
	known, err := selectFirstDays(ctx, tx, users)
	if err != nil {
		return err
	}
	var changed []botUserDay
	for _, u := range users {
		before, known := known[u]
		if known && before <= earliest[u] {
			continue
		}
		if known {
			t.day(u.bot, before).NewUsers--
		}
		t.day(u.bot, earliest[u]).NewUsers++
		changed = append(changed, botUserDay{u, earliest[u]})
	}
	return writeFirstDays(ctx, tx, changed)
}

// forget deletes the rows that only records before a time could change.
func (s *Service) forget(ctx context.Context, before time.Time) error {
	for more := true; more; {
		err := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			more, err = forgetActivity(ctx, tx, before.UnixMilli())
			return db.Convert(err)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// countSessions merges the activity of the batch into the sessions it belongs to.
func (t *dayTally) countSessions(ctx context.Context, tx *db.Tx, silence time.Duration) error {
	if len(t.lanes) == 0 {
		return nil
	}
	lanes := slices.SortedFunc(maps.Keys(t.lanes), lane.compare)
	var earliest int64
	for i, l := range lanes {
		if first := slices.Min(t.lanes[l]); i == 0 || first < earliest {
			earliest = first
		}
	}
	known, err := selectSessions(ctx, tx, lanes, earliest-silence.Milliseconds())
	if err != nil {
		return err
	}
	var gone, made []laneSpan
	for _, l := range lanes {
		before := known[l]
		after := joined(append(runs(t.lanes[l], silence), before...), silence)
		for _, s := range before {
			if !slices.Contains(after, s) {
				t.day(l.bot, dateOf(s.from)).Sessions--
				gone = append(gone, laneSpan{l, s})
			}
		}
		for _, s := range after {
			if !slices.Contains(before, s) {
				t.day(l.bot, dateOf(s.from)).Sessions++
				made = append(made, laneSpan{l, s})
			}
		}
	}
	if err := deleteSessions(ctx, tx, gone); err != nil {
		return err
	}
	return insertSessions(ctx, tx, made)
}
