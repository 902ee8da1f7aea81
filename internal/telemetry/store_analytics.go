package telemetry

import (
	"context"
	"fmt"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// selectOwners answers the workspaces of bots. Bots that are gone are missing.
func selectOwners(ctx context.Context, q db.Querier, bots []id.Bot) (map[id.Bot]id.Workspace, error) {
	owners := make(map[id.Bot]id.Workspace, len(bots))
	err := ofKeys(ctx, q, bots, `SELECT bot_id, workspace_id FROM bot_workspaces`, "bot_id",
		func(b id.Bot) []any { return []any{string(b)} },
		func(scan func(...any) error) error {
			var bot, w string
			if err := scan(&bot, &w); err != nil {
				return err
			}
			owners[id.Bot(bot)] = id.Workspace(w)
			return nil
		})
	return owners, err
}

// selectLatestBots reads the bots of a workspace that were changed last, up to most.
func selectLatestBots(ctx context.Context, q db.Querier, w id.Workspace, most int) ([]id.Bot, error) {
	rows, err := q.Query(ctx, `SELECT bot_id FROM bot_workspaces WHERE workspace_id = $1 ORDER BY updated_at DESC, bot_id LIMIT $2`, string(w), most)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var bots []id.Bot
	for rows.Next() {
		var bot id.Bot
		if err := rows.Scan(&bot); err != nil {
			return nil, err
		}
		bots = append(bots, bot)
	}
	return bots, rows.Err()
}

func unreadableDay(bot id.Bot, on date, err error) error {
	return fmt.Errorf("the analytics of bot %s on day %d cannot be read: %w", bot, on, err)
}

// selectDays reads the stored days in a range. A bot of another workspace has none.
func selectDays(ctx context.Context, q db.Querier, w id.Workspace, bot id.Bot, from, until date) (map[date]Day, error) {
	var s db.Statement
	s.Add(`
		SELECT day, totals FROM analytics_days
		WHERE bot_id = (SELECT bot_id FROM bot_workspaces WHERE bot_id = ? AND workspace_id = ?) AND day BETWEEN ? AND ?`,
		string(bot), string(w), int64(from), int64(until))
	days := map[date]Day{}
	err := scanAll(ctx, q, &s, func(scan func(...any) error) error {
		var on date
		var totals []byte
		if err := scan(&on, &totals); err != nil {
			return err
		}
		d, err := decodeDay(totals)
		if err != nil {
			return unreadableDay(bot, on, err)
		}
		days[on] = d
		return nil
	})
	return days, err
}

// mergeDays adds to the stored days.
func mergeDays(ctx context.Context, tx *db.Tx, keys []botDay, added map[botDay]*Day) error {
	merged := make(map[botDay]Day, len(keys))
	err := ofKeys(ctx, tx, keys, `SELECT bot_id, day, totals FROM analytics_days`, "bot_id, day",
		func(d botDay) []any { return []any{string(d.bot), int64(d.day)} },
		func(scan func(...any) error) error {
			var key botDay
			var totals []byte
			if err := scan(&key.bot, &key.day, &totals); err != nil {
				return err
			}
			d, err := decodeDay(totals)
			if err != nil {
				return unreadableDay(key.bot, key.day, err)
			}
			merged[key] = d
			return nil
		})
	if err != nil {
		return err
	}
	rows := make([][]any, len(keys))
	for i, key := range keys {
		d := merged[key]
		d.Merge(*added[key])
		rows[i] = []any{string(key.bot), int64(key.day), d.encode()}
	}
	return db.InsertRows(ctx, tx, `INSERT INTO analytics_days (bot_id, day, totals) VALUES `,
		` ON CONFLICT (bot_id, day) DO UPDATE SET totals = excluded.totals`, rows)
}

// insertUserDays stores on which days users were active, and answers what was new.
func insertUserDays(ctx context.Context, tx *db.Tx, active []botUserDay) (unknown []botUserDay, err error) {
	for chunk := range db.Chunks(active, maxKeys) {
		var s db.Statement
		s.Add(`INSERT INTO analytics_user_days (bot_id, user_id, day) VALUES `)
		for i, u := range chunk {
			if i > 0 {
				s.Add(", ")
			}
			s.AddList(string(u.bot), u.user, int64(u.day))
		}
		s.Add(` ON CONFLICT (bot_id, user_id, day) DO NOTHING RETURNING bot_id, user_id, day`)
		err := scanAll(ctx, tx, &s, func(scan func(...any) error) error {
			var bot, user string
			var on int64
			if err := scan(&bot, &user, &on); err != nil {
				return err
			}
			unknown = append(unknown, botUserDay{botUser{id.Bot(bot), user}, date(on)})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return unknown, nil
}

// selectFirstDays answers the first active days of users. Users who were never active are
// missing.
func selectFirstDays(ctx context.Context, q db.Querier, users []botUser) (map[botUser]date, error) {
	first := make(map[botUser]date, len(users))
	err := ofKeys(ctx, q, users, `SELECT bot_id, user_id, first_day FROM analytics_users`, "bot_id, user_id",
		func(u botUser) []any { return []any{string(u.bot), u.user} },
		func(scan func(...any) error) error {
			var bot, user string
			var on int64
			if err := scan(&bot, &user, &on); err != nil {
				return err
			}
			first[botUser{id.Bot(bot), user}] = date(on)
			return nil
		})
	return first, err
}

// writeFirstDays stores the first active days of users.
func writeFirstDays(ctx context.Context, tx *db.Tx, first []botUserDay) error {
	rows := make([][]any, len(first))
	for i, u := range first {
		rows[i] = []any{string(u.bot), u.user, int64(u.day)}
	}
	return db.InsertRows(ctx, tx, `INSERT INTO analytics_users (bot_id, user_id, first_day) VALUES `,
		` ON CONFLICT (bot_id, user_id) DO UPDATE SET first_day = excluded.first_day`, rows)
}

// selectSessions reads the sessions of lanes that end after a time.
func selectSessions(ctx context.Context, q db.Querier, lanes []lane, after int64) (map[lane][]span, error) {
	sessions := make(map[lane][]span, len(lanes))
	for chunk := range db.Chunks(lanes, maxKeys) {
		s := whereAny(chunk, `SELECT bot_id, conversation_id, user_id, starts_at, ends_at FROM analytics_sessions`, "bot_id, conversation_id, user_id",
			func(l lane) []any { return []any{string(l.bot), l.conversation, l.user} })
		s.Add(` AND ends_at > ?`, after)
		if err := scanAll(ctx, q, s, func(scan func(...any) error) error {
			var l lane
			var s span
			err := scan(&l.bot, &l.conversation, &l.user, &s.from, &s.to)
			sessions[l] = append(sessions[l], s)
			return err
		}); err != nil {
			return nil, err
		}
	}
	return sessions, nil
}

// laneSpan is a session in its lane.
type laneSpan struct {
	lane
	span
}

func deleteSessions(ctx context.Context, tx *db.Tx, gone []laneSpan) error {
	return deleteKeys(ctx, tx, gone, `DELETE FROM analytics_sessions`, "bot_id, conversation_id, user_id, ends_at",
		func(s laneSpan) []any { return []any{string(s.bot), s.conversation, s.user, s.to} })
}

func insertSessions(ctx context.Context, tx *db.Tx, made []laneSpan) error {
	rows := make([][]any, len(made))
	for i, s := range made {
		rows[i] = []any{string(s.bot), s.conversation, s.user, s.from, s.to}
	}
	return db.InsertRows(ctx, tx, `INSERT INTO analytics_sessions (bot_id, conversation_id, user_id, starts_at, ends_at) VALUES `, "", rows)
}

// maxForgotten bounds the rows that one transaction deletes: on SQLite it blocks the
// writer.
const maxForgotten = 2000

// forgetActivity deletes user days and sessions before a time, up to maxForgotten of each,
// and says whether there may be more.
func forgetActivity(ctx context.Context, tx *db.Tx, before int64) (more bool, err error) {
	days, err := tx.Exec(ctx, `
		DELETE FROM analytics_user_days WHERE (bot_id, user_id, day) IN
			(SELECT bot_id, user_id, day FROM analytics_user_days WHERE day < $1 ORDER BY day LIMIT $2)`, int64(dateOf(before)), maxForgotten)
	if err != nil {
		return false, err
	}
	sessions, err := tx.Exec(ctx, `
		DELETE FROM analytics_sessions WHERE (bot_id, conversation_id, user_id, ends_at) IN
			(SELECT bot_id, conversation_id, user_id, ends_at FROM analytics_sessions WHERE ends_at < $1 ORDER BY ends_at LIMIT $2)`, before, maxForgotten)
	return days == maxForgotten || sessions == maxForgotten, err
}
