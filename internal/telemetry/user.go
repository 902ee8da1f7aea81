package telemetry

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/botyard/botyard/internal/db"
)

// rollUpAnalytics adds records to the days of their bots. Whoever was active is
// counted once a day, and as new on the first of all days; a session on the day
// it began. A late record may so change several days: the user who was new on one
// was new on an earlier one, two sessions were one.
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

// The batches of two servers take rows in one order, or PostgreSQL would have to
// end one of the two.
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

// countUsers counts who was active on days that did not know of them, and corrects
// which day was their first.
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

// forget drops what only records before a time could change.
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

// countSessions joins the activity of the batch with the sessions it belongs to.
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
