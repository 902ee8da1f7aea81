package workspace

import (
	"context"
	"database/sql"
	"errors"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// insertMember adds a member; inserted is false when the address, or its account,
// is a member already.
func insertMember(ctx context.Context, q db.Querier, w id.Workspace, m Member) (inserted bool, err error) {
	n, err := q.Exec(ctx, `
		INSERT INTO members (id, workspace_id, account_id, email, email_key, role, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
		string(m.ID), string(w), db.Text(string(m.Account)), m.Email, emailKey(m.Email), string(m.Role), m.CreatedAt.UnixMilli())
	return n > 0, err
}

const memberColumns = `SELECT id, account_id, email, role, created_at, display_name, profile_picture FROM member_profiles `

func scanMember(row interface{ Scan(...any) error }) (m Member, err error) {
	var account, name, picture sql.NullString
	var created int64
	err = row.Scan(&m.ID, &account, &m.Email, &m.Role, &created, &name, &picture)
	m.Account, m.DisplayName, m.ProfilePicture, m.CreatedAt = id.Account(account.String), name.String, picture.String, db.Moment(created)
	return m, err
}

func oneMember(row *sql.Row) (m Member, found bool, err error) {
	m, err = scanMember(row)
	if errors.Is(err, sql.ErrNoRows) {
		return Member{}, false, nil
	}
	return m, err == nil, err
}

func selectMember(ctx context.Context, q db.Querier, w id.Workspace, which id.Member) (Member, bool, error) {
	return oneMember(q.QueryRow(ctx, memberColumns+`WHERE workspace_id = $1 AND id = $2`, string(w), string(which)))
}

func selectMembership(ctx context.Context, q db.Querier, w id.Workspace, account id.Account) (Member, bool, error) {
	return oneMember(q.QueryRow(ctx, memberColumns+`WHERE workspace_id = $1 AND account_id = $2`, string(w), string(account)))
}

// selectMembers reads one more than the page holds.
func selectMembers(ctx context.Context, q db.Querier, w id.Workspace, page db.Page) ([]Member, error) {
	after := afterOf(page)
	rows, err := q.Query(ctx, memberColumns+`
		WHERE workspace_id = $1 AND (created_at, id) > ($2, $3) ORDER BY created_at, id LIMIT $4`,
		string(w), after.At, after.ID, page.Size+1)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []Member{}
	for rows.Next() {
		m, err := scanMember(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, rows.Err()
}

func updateRole(ctx context.Context, q db.Querier, w id.Workspace, which id.Member, role access.Role) error {
	_, err := q.Exec(ctx, `UPDATE members SET role = $3 WHERE workspace_id = $1 AND id = $2`, string(w), string(which), string(role))
	return err
}

func deleteMember(ctx context.Context, q db.Querier, w id.Workspace, which id.Member) error {
	_, err := q.Exec(ctx, `DELETE FROM members WHERE workspace_id = $1 AND id = $2`, string(w), string(which))
	return err
}

func linkMembers(ctx context.Context, q db.Querier, account id.Account, key string) error {
	_, err := q.Exec(ctx, `UPDATE members SET account_id = $1 WHERE email_key = $2 AND account_id IS NULL`, string(account), key)
	return err
}

// held is a membership with the workspace it is of.
type held struct {
	workspace id.Workspace
	member    Member
}

// selectMemberships reads the memberships of an account, but for those as owner.
func selectMemberships(ctx context.Context, q db.Querier, account id.Account) ([]held, error) {
	rows, err := q.Query(ctx, `
		SELECT workspace_id, id, email, role FROM members WHERE account_id = $1 AND role <> $2 ORDER BY workspace_id`,
		string(account), string(access.Owner))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []held
	for rows.Next() {
		h := held{member: Member{Account: account}}
		if err := rows.Scan(&h.workspace, &h.member.ID, &h.member.Email, &h.member.Role); err != nil {
			return nil, err
		}
		list = append(list, h)
	}
	return list, rows.Err()
}

func selectOwned(ctx context.Context, q db.Querier, account id.Account) ([]string, error) {
	rows, err := q.Query(ctx, `
		SELECT w.name FROM members m JOIN workspaces w ON w.id = m.workspace_id
		WHERE m.account_id = $1 AND m.role = $2 ORDER BY w.created_at, w.id`, string(account), string(access.Owner))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}
