package workspace

import (
	"context"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// Members reads a page of the members of a workspace, the oldest first; next is nil on
// the last page.
func (s *Service) Members(ctx context.Context, w id.Workspace, page db.Page) (list []Member, next *db.Key, err error) {
	list, err = selectMembers(ctx, s.DB.Reader(ctx), w, page)
	if err != nil {
		return nil, nil, db.Convert(err)
	}
	list, next = db.Cut(list, page, func(m Member) db.Key { return db.Key{At: m.CreatedAt.UnixMilli(), ID: string(m.ID)} })
	return list, next, nil
}

// Membership reads the account's own membership. ResourceNotFound when it is no longer a
// member.
func (s *Service) Membership(ctx context.Context, w id.Workspace, account id.Account) (Member, error) {
	m, found, err := selectMembership(ctx, s.DB.Reader(ctx), w, account)
	if err != nil {
		return Member{}, db.Convert(err)
	}
	if !found {
		return Member{}, access.NoSuchWorkspace(w)
	}
	return m, nil
}

// Standing is the role of an account in a workspace, and whether the workspace is blocked
// until it pays; member is false when the account is not a member, or there is no such
// workspace.
func (s *Service) Standing(ctx context.Context, q db.Querier, w id.Workspace, account id.Account) (role access.Role, blocked, member bool, err error) {
	m, member, err := selectMembership(ctx, q, w, account)
	if err != nil || !member {
		return "", false, false, db.Convert(err)
	}
	found, member, err := selectWorkspace(ctx, q, w)
	return m.Role, found.Blocked, member, db.Convert(err)
}

// AddMember makes an e-mail address a member. Its account sees the workspace at once, or
// as soon as there is one. AlreadyExists when the address is a member, QuotaExceeded when
// the plan allows no more.
func (s *Service) AddMember(ctx context.Context, w id.Workspace, email string, role access.Role) (added Member, err error) {
	if err := checkAssignable(role); err != nil {
		return Member{}, err
	}
	if email, err = checkAddress("email", email); err != nil {
		return Member{}, err
	}
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := existing(ctx, tx, w); err != nil {
			return err
		}
		account, _, err := s.Accounts.ByEmail(ctx, tx, email)
		if err != nil {
			return db.Convert(err)
		}
		m := Member{ID: id.NewMember(), Account: account, Email: email, Role: role, CreatedAt: s.Clock.Now()}
		inserted, err := insertMember(ctx, tx, w, m)
		if err != nil {
			return db.Convert(err)
		}
		if !inserted {
			return fault.New(fault.AlreadyExists, "%s is already a member of this workspace. updateWorkspaceMember changes a member's role.", fault.Bounded(email))
		}
		if err := s.Quota.Members(ctx, tx, w, 1); err != nil {
			return err
		}
		if err := s.Trail.Record(ctx, tx, w, memberAct("ADD_WORKSPACE_MEMBER", m)); err != nil {
			return err
		}
		added, err = member(ctx, tx, w, m.ID)
		return err
	})
	if err != nil {
		return Member{}, err
	}
	return added, nil
}

func memberAct(action string, m Member) access.Act {
	return access.Act{Action: action, Resource: string(m.ID), Name: m.Email, Value: string(m.Role)}
}

func member(ctx context.Context, q db.Querier, w id.Workspace, which id.Member) (Member, error) {
	if !storable(string(which)) {
		return Member{}, noSuchMember(which)
	}
	m, found, err := selectMember(ctx, q, w, which)
	if err != nil {
		return Member{}, db.Convert(err)
	}
	if !found {
		return Member{}, noSuchMember(which)
	}
	return m, nil
}

// ChangeMember gives a member another role; an empty role changes nothing. Forbidden for
// the owner, ResourceNotFound when there is no such member.
func (s *Service) ChangeMember(ctx context.Context, w id.Workspace, which id.Member, role access.Role) (m Member, err error) {
	if role != "" {
		if err := checkAssignable(role); err != nil {
			return Member{}, err
		}
	}
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if m, err = member(ctx, tx, w, which); err != nil {
			return err
		}
		if role == "" || role == m.Role {
			return nil
		}
		if err := m.changeable(); err != nil {
			return err
		}
		m.Role = role
		if err := updateRole(ctx, tx, w, which, role); err != nil {
			return db.Convert(err)
		}
		return s.Trail.Record(ctx, tx, w, memberAct("UPDATE_WORKSPACE_MEMBER", m))
	})
	if err != nil {
		return Member{}, err
	}
	return m, nil
}

// RemoveMember ends a membership: the actor's own or, with the right to manage members,
// somebody else's. Forbidden for the owner, ResourceNotFound when there is no such
// member.
func (s *Service) RemoveMember(ctx context.Context, actor access.Actor, which id.Member) error {
	w := actor.Workspace
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		m, err := member(ctx, tx, w, which)
		if err != nil {
			return err
		}
		if m.Account != actor.Account {
			if err := actor.Require(access.MemberWrite); err != nil {
				return err
			}
		}
		if err := m.changeable(); err != nil {
			return err
		}
		return s.remove(ctx, tx, w, m)
	})
}

func (s *Service) remove(ctx context.Context, tx *db.Tx, w id.Workspace, m Member) error {
	if err := deleteMember(ctx, tx, w, m.ID); err != nil {
		return db.Convert(err)
	}
	if err := s.Quota.Members(ctx, tx, w, -1); err != nil {
		return err
	}
	return s.Trail.Record(ctx, tx, w, memberAct("REMOVE_WORKSPACE_MEMBER", m))
}

// LinkMember turns the invitations of an address into memberships of its account,
// in the transaction that makes the account.
func (s *Service) LinkMember(ctx context.Context, tx *db.Tx, account id.Account, email string) error {
	return db.Convert(linkMembers(ctx, tx, account, emailKey(email)))
}

// Owned names the workspaces that the account owns, the oldest first.
func (s *Service) Owned(ctx context.Context, q db.Querier, account id.Account) ([]string, error) {
	names, err := selectOwned(ctx, q, account)
	return names, db.Convert(err)
}

// DeleteAccount ends the account's memberships, in the transaction that deletes
// the account. Workspaces it owns are left alone: whoever deletes an account asks
// Owned first.
func (s *Service) DeleteAccount(ctx context.Context, tx *db.Tx, account id.Account) error {
	held, err := selectMemberships(ctx, tx, account)
	if err != nil {
		return db.Convert(err)
	}
	for _, h := range held {
		if err := s.remove(ctx, tx, h.workspace, h.member); err != nil {
			return err
		}
	}
	return nil
}
