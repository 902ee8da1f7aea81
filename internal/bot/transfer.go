package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// Mover is a domain that keeps rows of a bot by its workspace.
type Mover interface {
	// MoveBot moves them to another workspace, in the transaction of the transfer.
	MoveBot(ctx context.Context, tx *db.Tx, bot id.Bot, from, to id.Workspace) error
}

// Transfer moves a bot to another workspace, where the actor must be allowed to make
// bots. Its definition, tags, secrets, code, versions, what it has installed and the
// addresses of that, its keys and its allowlist go with it; what it used until then
// stays counted where it was used.
//
// ResourceNotFound when the actor's workspace has no such bot, ReferenceNotFound
// when there is no other workspace of that id with the actor in it, Forbidden when
// the role there does not allow it, ReferenceConstraint, which names them, when
// something is installed that the other workspace cannot see, QuotaExceeded when it
// has no room, PaymentRequired when it is blocked.
func (s *Service) Transfer(ctx context.Context, actor access.Actor, bot id.Bot, to id.Workspace) error {
	from := actor.Workspace
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		b, err := s.owned(ctx, tx, from, bot)
		if err != nil {
			return err
		}
		if to == from {
			return fault.New(fault.InvalidPayload, "targetWorkspaceId is %q, the workspace that the bot is in. Name another one.", fault.Bounded(string(to)))
		}
		if err := s.admits(ctx, tx, actor.Account, to); err != nil {
			return err
		}
		if err := s.checkSeen(ctx, tx, bot, to); err != nil {
			return err
		}
		if err := s.moveQuota(ctx, tx, b, from, to); err != nil {
			return err
		}
		if err := s.move(ctx, tx, bot, from, to); err != nil {
			return err
		}
		act := access.Act{Action: "TRANSFER_BOT", Resource: string(bot), Name: b.Name, Value: "to workspace " + string(to)}
		if err := s.Trail.Record(ctx, tx, from, act); err != nil {
			return err
		}
		act.Value = "from workspace " + string(from)
		return s.Trail.Record(ctx, tx, to, act)
	})
}

// admits says whether the account may make bots in a workspace.
func (s *Service) admits(ctx context.Context, q db.Querier, account id.Account, w id.Workspace) error {
	role, blocked, member, err := s.Members.Standing(ctx, q, w, account)
	switch {
	case err != nil:
		return err
	case !member:
		return fault.New(fault.ReferenceNotFound, "targetWorkspaceId names the workspace %q, which does not exist, or you are not a member of it.", fault.Bounded(string(w)))
	case !role.Allows(access.BotWrite):
		return fault.New(fault.Forbidden, "Your role in the workspace %q is %q, which does not allow %s there. Ask an administrator of that workspace for a role that does.", w, role, access.BotWrite)
	case blocked:
		return access.Unpaid(w)
	}
	return nil
}

// checkSeen refuses a workspace that cannot see all that a bot has installed.
func (s *Service) checkSeen(ctx context.Context, q db.Querier, bot id.Bot, w id.Workspace) error {
	integrations, plugins, err := selectPackages(ctx, q, bot)
	if err != nil {
		return db.Convert(err)
	}
	var unseen []string
	note := func(kind, alias string, of Package, seen bool) {
		if !seen {
			unseen = append(unseen, fmt.Sprintf("the %s %s %s (installed as %q)", kind, of.Name, of.Version, fault.Bounded(alias)))
		}
	}
	for _, i := range integrations {
		_, seen, err := s.Catalog.Integration(ctx, q, w, i.Integration)
		if err != nil {
			return err
		}
		note("integration", i.Alias, i.Of, seen)
	}
	for _, p := range plugins {
		_, seen, err := s.Catalog.Plugin(ctx, q, w, p.Plugin)
		if err != nil {
			return err
		}
		note("plugin", p.Alias, p.Of, seen)
	}
	if len(unseen) == 0 {
		return nil
	}
	slices.Sort(unseen)
	return fault.New(fault.ReferenceConstraint, "Workspace %q cannot use everything that is installed in the bot, because it is private to another workspace: %s. Remove it from the bot or have it published, then transfer the bot.", w, strings.Join(unseen, ", "))
}

// moveQuota reserves what a bot uses in one workspace and releases it in the other, in
// the order of their ids, so that two transfers cannot deadlock.
func (s *Service) moveQuota(ctx context.Context, tx *db.Tx, b Bot, from, to id.Workspace) error {
	if b.Dev {
		return nil
	}
	changes := []struct {
		w id.Workspace
		n int64
	}{{from, -1}, {to, 1}}
	if to < from {
		slices.Reverse(changes)
	}
	for _, c := range changes {
		err := s.Quota.Bots(ctx, tx, c.w, c.n)
		if err == nil && b.AlwaysAlive {
			err = s.Quota.Gauge(ctx, tx, c.w, plan.AlwaysAlive, c.n)
		}
		if err != nil && c.w == to {
			return within("targetWorkspaceId", err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) move(ctx context.Context, tx *db.Tx, bot id.Bot, from, to id.Workspace) error {
	selected, _, err := selectAllowlist(ctx, tx, from, bot)
	if err != nil {
		return db.Convert(err)
	}
	if err := updateWorkspace(ctx, tx, bot, from, to); err != nil {
		return db.Convert(err)
	}
	if err := s.reselect(ctx, tx, bot, selected.Users); err != nil {
		return db.Convert(err)
	}
	if err := s.Tokens.MoveSubject(ctx, tx, from, to, string(bot)); err != nil {
		return err
	}
	for _, m := range s.Movers {
		if err := m.MoveBot(ctx, tx, bot, from, to); err != nil {
			return within("targetWorkspaceId", err)
		}
	}
	return nil
}

// reselect keeps on the allowlist of a bot that moved those who are members of its
// new workspace too.
func (s *Service) reselect(ctx context.Context, tx *db.Tx, bot id.Bot, accounts []id.Account) error {
	if err := deleteAllSelected(ctx, tx, bot); err != nil {
		return err
	}
	members, err := selectCandidates(ctx, tx, bot, accounts)
	if err != nil {
		return err
	}
	kept := make([]string, 0, len(members))
	for _, member := range members {
		kept = append(kept, member)
	}
	slices.Sort(kept)
	return insertSelected(ctx, tx, bot, kept)
}

// countAlive counts a bot whose alwaysAlive changed.
func (s *Service) countAlive(ctx context.Context, tx *db.Tx, before, after Bot) error {
	if before.AlwaysAlive == after.AlwaysAlive || after.Dev {
		return nil
	}
	n := int64(-1)
	if after.AlwaysAlive {
		n = 1
	}
	return s.Quota.Gauge(ctx, tx, after.Workspace, plan.AlwaysAlive, n)
}
