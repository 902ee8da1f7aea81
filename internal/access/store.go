package access

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

func insertToken(ctx context.Context, q db.Querier, t Token, hash string) error {
	_, err := q.Exec(ctx, `
		INSERT INTO tokens (id, hash, kind, account_id, workspace_id, subject_id, note, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		string(t.ID), hash, string(t.Kind), db.Text(string(t.Account)), db.Text(string(t.Workspace)), db.Text(t.Subject),
		t.Note, t.CreatedAt.UnixMilli(), db.Millis(t.ExpiresAt))
	return err
}

// actorInWorkspace reads who a token is and its role in w; found is false when
// the token is unknown or no member, which the caller must tell apart.
func actorInWorkspace(ctx context.Context, q db.Querier, hash string, w id.Workspace) (a Actor, expires time.Time, found bool, err error) {
	var expiresAt, lastUsed, rate, added sql.NullInt64
	var on sql.NullString
	row := q.QueryRow(ctx, `
		SELECT token_id, account_id, email, role, confined, expires_at, last_used_at, blocked, plan, rate_set, rate_added
		FROM token_roles WHERE hash = $1 AND workspace_id = $2`, hash, string(w))
	err = row.Scan(&a.Token, &a.Account, &a.Email, &a.Role, &a.Confined, &expiresAt, &lastUsed, &a.Blocked, &on, &rate, &added)
	if errors.Is(err, sql.ErrNoRows) {
		return Actor{}, time.Time{}, false, nil
	}
	a.Kind, a.Workspace, a.lastUsed = KindAccount, w, db.MomentOf(lastUsed)
	a.Plan, a.Rate = plan.ID(on.String), rateOf(rate, added)
	return a, db.MomentOf(expiresAt), err == nil, err
}

// rateOf is how a workspace's rate differs from that of its plan.
func rateOf(set, added sql.NullInt64) plan.Adjustment {
	a := plan.Adjustment{Added: added.Int64}
	if set.Valid {
		a.Set = &set.Int64
	}
	return a
}

// actorOf reads who a token is, outside any workspace.
func actorOf(ctx context.Context, q db.Querier, hash string) (a Actor, expires time.Time, found bool, err error) {
	var kind TokenKind
	var account, workspace, subject, email, on sql.NullString
	var expiresAt, lastUsed, rate, added sql.NullInt64
	row := q.QueryRow(ctx, `
		SELECT token_id, kind, account_id, workspace_id, subject_id, email, expires_at, last_used_at, blocked, plan, rate_set, rate_added
		FROM token_actors WHERE hash = $1`, hash)
	err = row.Scan(&a.Token, &kind, &account, &workspace, &subject, &email, &expiresAt, &lastUsed, &a.Blocked, &on, &rate, &added)
	if errors.Is(err, sql.ErrNoRows) {
		return Actor{}, time.Time{}, false, nil
	}
	if err != nil {
		return Actor{}, time.Time{}, false, err
	}
	a.lastUsed = db.MomentOf(lastUsed)
	a.Plan, a.Rate = plan.ID(on.String), rateOf(rate, added)
	switch kind {
	case BAK:
		a.Kind, a.Subject, a.Workspace = KindBot, subject.String, id.Workspace(workspace.String)
	case IAK:
		a.Kind, a.Subject, a.Workspace = KindIntegration, subject.String, id.Workspace(workspace.String)
	default:
		a.Kind, a.Account, a.Email = KindAccount, id.Account(account.String), email.String
	}
	return a, db.MomentOf(expiresAt), true, nil
}

func tokensOf(ctx context.Context, q db.Querier, account id.Account) ([]Token, error) {
	rows, err := q.Query(ctx, `
		SELECT id, note, created_at, expires_at, last_used_at FROM tokens
		WHERE account_id = $1 ORDER BY id DESC`, string(account))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	tokens := []Token{}
	for rows.Next() {
		t := Token{Kind: PAT, Account: account}
		var created int64
		var expires, used sql.NullInt64
		if err := rows.Scan(&t.ID, &t.Note, &created, &expires, &used); err != nil {
			return nil, err
		}
		t.CreatedAt, t.ExpiresAt, t.LastUsed = time.UnixMilli(created).UTC(), db.MomentOf(expires), db.MomentOf(used)
		tokens = append(tokens, t)
	}
	return tokens, rows.Err()
}

func keysOf(ctx context.Context, q db.Querier, kind TokenKind, w id.Workspace, subject string) ([]Token, error) {
	rows, err := q.Query(ctx, `
		SELECT id, note, created_at, last_used_at FROM tokens
		WHERE workspace_id = $1 AND subject_id = $2 AND kind = $3 ORDER BY id DESC`, string(w), subject, string(kind))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	tokens := []Token{}
	for rows.Next() {
		t := Token{Kind: kind, Workspace: w, Subject: subject}
		var created int64
		var used sql.NullInt64
		if err := rows.Scan(&t.ID, &t.Note, &created, &used); err != nil {
			return nil, err
		}
		t.CreatedAt, t.LastUsed = time.UnixMilli(created).UTC(), db.MomentOf(used)
		tokens = append(tokens, t)
	}
	return tokens, rows.Err()
}

func subjectOf(ctx context.Context, q db.Querier, kind TokenKind, w id.Workspace, key id.Token) (subject string, found bool, err error) {
	err = q.QueryRow(ctx, `SELECT subject_id FROM tokens WHERE id = $1 AND workspace_id = $2 AND kind = $3`, string(key), string(w), string(kind)).Scan(&subject)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return subject, err == nil, err
}

func moveTokensFor(ctx context.Context, q db.Querier, from, to id.Workspace, subject string) error {
	_, err := q.Exec(ctx, `UPDATE tokens SET workspace_id = $2 WHERE workspace_id = $1 AND subject_id = $3`, string(from), string(to), subject)
	return err
}

func deleteKey(ctx context.Context, q db.Querier, kind TokenKind, w id.Workspace, key id.Token) (bool, error) {
	n, err := q.Exec(ctx, `DELETE FROM tokens WHERE id = $1 AND workspace_id = $2 AND kind = $3`, string(key), string(w), string(kind))
	return n > 0, err
}

func countTokens(ctx context.Context, q db.Querier, account id.Account) (n int, err error) {
	err = q.QueryRow(ctx, `SELECT COUNT(*) FROM tokens WHERE account_id = $1`, string(account)).Scan(&n)
	return n, err
}

func deleteToken(ctx context.Context, q db.Querier, account id.Account, t id.Token) (bool, error) {
	n, err := q.Exec(ctx, `DELETE FROM tokens WHERE id = $1 AND account_id = $2`, string(t), string(account))
	return n > 0, err
}

func deleteTokensOf(ctx context.Context, q db.Querier, account id.Account) error {
	_, err := q.Exec(ctx, `DELETE FROM tokens WHERE account_id = $1`, string(account))
	return err
}

func deleteTokensIn(ctx context.Context, q db.Querier, w id.Workspace) error {
	_, err := q.Exec(ctx, `DELETE FROM tokens WHERE workspace_id = $1`, string(w))
	return err
}

func deleteTokensFor(ctx context.Context, q db.Querier, w id.Workspace, subject string) error {
	_, err := q.Exec(ctx, `DELETE FROM tokens WHERE workspace_id = $1 AND subject_id = $2`, string(w), subject)
	return err
}

// touch never moves the last use back: two servers may report out of order.
func touch(ctx context.Context, q db.Querier, t id.Token, at time.Time) error {
	_, err := q.Exec(ctx, `
		UPDATE tokens SET last_used_at = $1
		WHERE id = $2 AND (last_used_at IS NULL OR last_used_at < $1)`, at.UnixMilli(), string(t))
	return err
}
