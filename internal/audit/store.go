package audit

import (
	"context"
	"database/sql"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

func insertRecord(ctx context.Context, q db.Querier, w id.Workspace, r Record) error {
	_, err := q.Exec(ctx, `
		INSERT INTO audit_records (id, workspace_id, recorded_at, account_id, email, action, resource_id, resource_name, value)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		string(r.ID), string(w), r.RecordedAt.UnixMilli(), db.Text(string(r.Account)), db.Text(r.Email),
		r.Action, db.Text(r.Resource), db.Text(r.Name), db.Text(r.Value))
	return err
}

// selectRecords reads one more than the page holds. Ids ascend with time, so they
// are the order and the place to go on from.
func selectRecords(ctx context.Context, q db.Querier, w id.Workspace, page db.Page) ([]Record, error) {
	const columns = `SELECT id, recorded_at, account_id, email, action, resource_id, resource_name, value FROM audit_records `
	var rows *sql.Rows
	var err error
	if page.After == nil {
		rows, err = q.Query(ctx, columns+`WHERE workspace_id = $1 ORDER BY id DESC LIMIT $2`, string(w), page.Size+1)
	} else {
		rows, err = q.Query(ctx, columns+`WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`, string(w), page.After.ID, page.Size+1)
	}
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	records := []Record{}
	for rows.Next() {
		var r Record
		var at int64
		var account, email, resource, name, value sql.NullString
		if err := rows.Scan(&r.ID, &at, &account, &email, &r.Action, &resource, &name, &value); err != nil {
			return nil, err
		}
		r.RecordedAt, r.Account, r.Email = time.UnixMilli(at).UTC(), id.Account(account.String), email.String
		r.Resource, r.Name, r.Value = resource.String, name.String, value.String
		records = append(records, r)
	}
	return records, rows.Err()
}
