package bot

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// closedQuery finds the first of some bots that keeps the account out.
func closedQuery(account id.Account, bots []id.Bot) *db.Statement {
	var s db.Statement
	s.Add(`
		SELECT b.id FROM bots b WHERE b.restricted = TRUE
			AND NOT EXISTS (SELECT 1 FROM bot_members m WHERE m.bot_id = b.id AND m.account_id = ?)
			AND b.id IN `, string(account))
	s.AddList(texts(bots)...)
	s.Add(" ORDER BY b.id LIMIT 1")
	return &s
}

func selectClosed(ctx context.Context, q db.Querier, account id.Account, bots []id.Bot) (closed id.Bot, found bool, err error) {
	query := closedQuery(account, bots)
	err = q.QueryRow(ctx, query.Text(), query.Args()...).Scan(&closed)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return closed, err == nil, err
}

// selectAllClosed reads which bots of a workspace keep the account out; none when it
// is empty.
func selectAllClosed(ctx context.Context, q db.Querier, w id.Workspace, account id.Account) (map[string]bool, error) {
	closed := map[string]bool{}
	if account == "" {
		return closed, nil
	}
	rows, err := q.Query(ctx, `
		SELECT b.id FROM bots b WHERE b.workspace_id = $1 AND b.restricted = TRUE
			AND NOT EXISTS (SELECT 1 FROM bot_members m WHERE m.bot_id = b.id AND m.account_id = $2)`, string(w), string(account))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var bot string
		if err := rows.Scan(&bot); err != nil {
			return nil, err
		}
		closed[bot] = true
	}
	return closed, rows.Err()
}

// texts are the values as a statement takes them. What cannot be stored is in place
// by what nothing is called: PostgreSQL would not compare it.
func texts[T ~string](values []T) []any {
	all := make([]string, len(values))
	for i, value := range values {
		all[i] = string(value)
	}
	return storable(all)
}

// selectedQuery reads the accounts on an allowlist.
const selectedQuery = `SELECT account_id FROM bot_selected WHERE bot_id = $1 AND account_id IS NOT NULL ORDER BY account_id`

func selectAllowlist(ctx context.Context, q db.Querier, w id.Workspace, bot id.Bot) (list Allowlist, found bool, err error) {
	var restricted bool
	err = q.QueryRow(ctx, `SELECT restricted FROM bots WHERE id = $1 AND workspace_id = $2`, string(bot), string(w)).Scan(&restricted)
	if errors.Is(err, sql.ErrNoRows) {
		return list, false, nil
	}
	if err != nil {
		return list, false, err
	}
	list = Allowlist{Admission: AllMembers, Users: []id.Account{}}
	if restricted {
		list.Admission = SelectedMembers
	}
	rows, err := q.Query(ctx, selectedQuery, string(bot))
	if err != nil {
		return list, false, err
	}
	defer rows.Close()
	for rows.Next() {
		var account string
		if err := rows.Scan(&account); err != nil {
			return list, false, err
		}
		list.Users = append(list.Users, id.Account(account))
	}
	return list, true, rows.Err()
}

// selectCandidates reads the memberships that accounts have in the workspace that a
// bot is in.
func selectCandidates(ctx context.Context, q db.Querier, bot id.Bot, accounts []id.Account) (members map[id.Account]string, err error) {
	members = make(map[id.Account]string, len(accounts))
	for chunk := range slices.Chunk(accounts, maxKeys) {
		var query db.Statement
		query.Add(`SELECT account_id, member_id FROM bot_candidates WHERE bot_id = ? AND account_id IN `, string(bot))
		query.AddList(texts(chunk)...)
		if err := scanCandidates(ctx, q, query.Text(), query.Args(), members); err != nil {
			return nil, err
		}
	}
	return members, nil
}

func scanCandidates(ctx context.Context, q db.Querier, query string, args []any, members map[id.Account]string) error {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var account, member string
		if err := rows.Scan(&account, &member); err != nil {
			return err
		}
		members[id.Account(account)] = member
	}
	return rows.Err()
}

func updateRestricted(ctx context.Context, q db.Querier, w id.Workspace, bot id.Bot, restricted bool) error {
	_, err := q.Exec(ctx, `UPDATE bots SET restricted = $3 WHERE id = $1 AND workspace_id = $2`, string(bot), string(w), restricted)
	return err
}

func insertSelected(ctx context.Context, q db.Querier, bot id.Bot, members []string) error {
	rows := make([][]any, len(members))
	for i, member := range members {
		rows[i] = []any{string(bot), member}
	}
	return db.InsertRows(ctx, q, `INSERT INTO bot_allowlist (bot_id, member_id) VALUES `, ` ON CONFLICT (bot_id, member_id) DO NOTHING`, rows)
}

func deleteSelected(ctx context.Context, q db.Querier, bot id.Bot, members []string) error {
	return deleteKeys(ctx, q, `DELETE FROM bot_allowlist WHERE bot_id = ? AND member_id IN `, bot, texts(members))
}
