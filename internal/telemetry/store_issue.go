package telemetry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// mergeIssues opens issues, or adds to open ones. Their texts are those of the event with
// the greatest id, which is the newest, in whatever order events arrive. Each issue occurs
// once in the list.
func mergeIssues(ctx context.Context, tx *db.Tx, issues []*issueDelta) error {
	for chunk := range db.Chunks(issues, maxIssues) {
		var s db.Statement
		s.Add(`INSERT INTO issues (id, bot_id, group_key, code, category, title, description, resolution_link, grouped_data,
			events_count, first_seen_at, last_seen_at, last_event_id) VALUES `)
		for i, m := range chunk {
			grouped, err := json.Marshal(m.grouped, json.Deterministic(true))
			if err != nil {
				return err
			}
			if i > 0 {
				s.Add(", ")
			}
			s.AddList(string(m.id), string(m.bot), m.group, m.newest.Code, m.newest.Category, m.newest.Title, m.newest.Description,
				m.newest.ResolutionLink, string(grouped), m.count, m.first, m.last, string(m.events[len(m.events)-1].id))
		}
		s.Add(`
			ON CONFLICT (bot_id, group_key) DO UPDATE SET
				category = CASE WHEN excluded.last_event_id > issues.last_event_id THEN excluded.category ELSE issues.category END,
				title = CASE WHEN excluded.last_event_id > issues.last_event_id THEN excluded.title ELSE issues.title END,
				description = CASE WHEN excluded.last_event_id > issues.last_event_id THEN excluded.description ELSE issues.description END,
				resolution_link = CASE WHEN excluded.last_event_id > issues.last_event_id THEN excluded.resolution_link ELSE issues.resolution_link END,
				last_event_id = CASE WHEN excluded.last_event_id > issues.last_event_id THEN excluded.last_event_id ELSE issues.last_event_id END,
				events_count = issues.events_count + excluded.events_count,
				first_seen_at = CASE WHEN excluded.first_seen_at < issues.first_seen_at THEN excluded.first_seen_at ELSE issues.first_seen_at END,
				last_seen_at = CASE WHEN excluded.last_seen_at > issues.last_seen_at THEN excluded.last_seen_at ELSE issues.last_seen_at END
			RETURNING id, bot_id, group_key, events_count`)
		opened := make(map[issueKey]id.Issue, len(chunk))
		var full []id.Issue
		if err := scanAll(ctx, tx, &s, func(scan func(...any) error) error {
			var issue id.Issue
			var key issueKey
			var events int64
			err := scan(&issue, &key.bot, &key.group, &events)
			if opened[key] = issue; events > maxIssueEvents {
				full = append(full, issue)
			}
			return err
		}); err != nil {
			return err
		}
		if err := insertIssueEvents(ctx, tx, chunk, opened); err != nil {
			return err
		}
		if err := trimIssues(ctx, tx, full); err != nil {
			return err
		}
	}
	return nil
}

// insertIssueEvents adds the events to their issues.
func insertIssueEvents(ctx context.Context, tx *db.Tx, issues []*issueDelta, opened map[issueKey]id.Issue) error {
	var rows [][]any
	for _, m := range issues {
		for _, e := range m.events {
			data, err := json.Marshal(e.data, json.Deterministic(true), json.FormatNilMapAsNull(false))
			if err != nil {
				return err
			}
			rows = append(rows, []any{string(opened[m.issueKey]), string(e.id), e.at, string(data)})
		}
	}
	return db.InsertRows(ctx, tx, `INSERT INTO issue_events (issue_id, id, created_at, data) VALUES `, "", rows)
}

// maxIssues is how many issues one statement writes.
const maxIssues = 64

// trimIssues deletes the oldest events beyond maxIssueEvents.
func trimIssues(ctx context.Context, q db.Querier, issues []id.Issue) error {
	for chunk := range db.Chunks(issues, maxIssues) {
		s := whereAny(chunk, `
			DELETE FROM issue_events WHERE (issue_id, id) IN (SELECT issue_id, id FROM (
				SELECT issue_id, id, ROW_NUMBER() OVER (PARTITION BY issue_id ORDER BY id DESC) AS place FROM issue_events`, "issue_id",
			func(i id.Issue) []any { return []any{string(i)} })
		s.Add(`) AS placed WHERE place > ?)`, maxIssueEvents)
		if _, err := q.Exec(ctx, s.Text(), s.Args()...); err != nil {
			return err
		}
	}
	return nil
}

const issueColumns = `
	SELECT id, code, category, title, description, resolution_link, grouped_data, events_count, first_seen_at, last_seen_at
	FROM issues WHERE bot_id = (SELECT bot_id FROM bot_workspaces WHERE bot_id = $2 AND workspace_id = $1)`

func scanIssue(scan func(...any) error) (i OpenIssue, err error) {
	var issue, category string
	var grouped []byte
	var first, last int64
	if err := scan(&issue, &i.Code, &category, &i.Title, &i.Description, &i.ResolutionLink, &grouped, &i.EventsCount, &first, &last); err != nil {
		return i, err
	}
	i.ID, i.Category, i.FirstSeen, i.LastSeen = id.Issue(issue), fault.Category(category), db.Moment(first), db.Moment(last)
	if err := json.Unmarshal(grouped, &i.GroupedData); err != nil {
		return i, fmt.Errorf("what issue %s is grouped by cannot be read: %w", issue, err)
	}
	return i, nil
}

// selectIssues reads a page and one issue more.
func selectIssues(ctx context.Context, q db.Querier, w id.Workspace, bot id.Bot, page db.Page) ([]OpenIssue, error) {
	query, args := issueColumns, []any{string(w), string(bot), page.Size + 1}
	if page.After != nil {
		query += " AND id < $4"
		args = append(args, page.After.ID)
	}
	rows, err := q.Query(ctx, query+" ORDER BY id DESC LIMIT $3", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	issues := make([]OpenIssue, 0, page.Size+1)
	for rows.Next() {
		i, err := scanIssue(rows.Scan)
		if err != nil {
			return nil, err
		}
		issues = append(issues, i)
	}
	return issues, rows.Err()
}

func selectIssue(ctx context.Context, q db.Querier, w id.Workspace, bot id.Bot, issue id.Issue) (i OpenIssue, found bool, err error) {
	i, err = scanIssue(q.QueryRow(ctx, issueColumns+" AND id = $3", string(w), string(bot), string(issue)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return i, false, nil
	}
	return i, err == nil, err
}

func selectIssueEvents(ctx context.Context, q db.Querier, w id.Workspace, bot id.Bot, issue id.Issue) ([]IssueEvent, error) {
	rows, err := q.Query(ctx, `
		SELECT e.id, e.created_at, e.data
		FROM bot_workspaces b JOIN issues i ON i.bot_id = b.bot_id JOIN issue_events e ON e.issue_id = i.id
		WHERE b.bot_id = $2 AND b.workspace_id = $1 AND i.id = $3
		ORDER BY e.id DESC LIMIT $4`, string(w), string(bot), string(issue), maxIssueEvents)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var events []IssueEvent
	for rows.Next() {
		var event string
		var at int64
		var data []byte
		if err := rows.Scan(&event, &at, &data); err != nil {
			return nil, err
		}
		e := IssueEvent{ID: id.IssueEvent(event), CreatedAt: db.Moment(at)}
		if err := json.Unmarshal(data, &e.Data); err != nil {
			return nil, fmt.Errorf("the data of event %s cannot be read: %w", event, err)
		}
		events = append(events, e)
	}
	return events, rows.Err()
}

func deleteIssue(ctx context.Context, tx *db.Tx, w id.Workspace, bot id.Bot, issue id.Issue) (found bool, err error) {
	n, err := tx.Exec(ctx, `
		DELETE FROM issues WHERE id = $3 AND bot_id = (SELECT bot_id FROM bot_workspaces WHERE bot_id = $2 AND workspace_id = $1)`,
		string(w), string(bot), string(issue))
	if err != nil || n == 0 {
		return false, err
	}
	_, err = tx.Exec(ctx, `DELETE FROM issue_events WHERE issue_id = $1`, string(issue))
	return true, err
}

// insightTables are the tables of roll-ups whose rows belong to a bot.
var insightTables = []string{"issues", "analytics_days", "analytics_users", "analytics_user_days", "analytics_sessions", "telemetry_aside"}

// deleteInsight deletes everything that was rolled up of a bot.
func deleteInsight(ctx context.Context, tx *db.Tx, bot id.Bot) error {
	if _, err := tx.Exec(ctx, `DELETE FROM issue_events WHERE issue_id IN (SELECT id FROM issues WHERE bot_id = $1)`, string(bot)); err != nil {
		return err
	}
	for _, table := range insightTables {
		if _, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE bot_id = $1`, string(bot)); err != nil {
			return err
		}
	}
	return nil
}

// deleteInsightOf deletes everything that was rolled up of a workspace's bots, whose rows
// must still exist.
func deleteInsightOf(ctx context.Context, tx *db.Tx, w id.Workspace) error {
	const bots = `(SELECT bot_id FROM bot_workspaces WHERE workspace_id = $1)`
	if _, err := tx.Exec(ctx, `DELETE FROM issue_events WHERE issue_id IN (SELECT id FROM issues WHERE bot_id IN `+bots+`)`, string(w)); err != nil {
		return err
	}
	for _, table := range insightTables {
		if _, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE bot_id IN `+bots, string(w)); err != nil {
			return err
		}
	}
	return nil
}
