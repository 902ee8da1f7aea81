package bot

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// Admission is whom a bot lets in besides the owner and the administrators of its
// workspace, who are always let in.
type Admission string

// The admissions of the public API.
const (
	AllMembers      Admission = "ALL_WORKSPACE_USERS"
	SelectedMembers Admission = "SELECTED_USERS"
)

// Allowlist is whom a bot lets in. Users are kept, and listed, while all members
// are let in.
type Allowlist struct {
	Admission Admission
	// Users are the selected accounts that are members now, in order.
	Users []id.Account
}

// AllowlistUpdate changes an allowlist: nil keeps the admission, and accounts that
// are not named stay as they are; true adds one, false removes it.
type AllowlistUpdate struct {
	Admission *Admission
	Users     map[id.Account]bool
}

// maxSelected bounds the accounts that one update names.
const maxSelected = 1000

// LetIn is nil when none of the bots keeps the account out, and ResourceNotFound
// otherwise, as for a bot that does not exist. Ids that are not a bot's, and bots that
// are not restricted, pass: whoever reads the bot checks its workspace.
func (s *Service) LetIn(ctx context.Context, account id.Account, bots []id.Bot) error {
	return s.letIn(ctx, s.DB.Reader(ctx), account, bots)
}

func (s *Service) letIn(ctx context.Context, q db.Querier, account id.Account, bots []id.Bot) error {
	for chunk := range slices.Chunk(bots, maxKeys) {
		closed, found, err := selectClosed(ctx, q, account, chunk)
		if err != nil {
			return db.Convert(err)
		}
		if found {
			return access.NoSuchBot(closed)
		}
	}
	return nil
}

// change changes a bot in a transaction and records it: do says what it did, in
// words for the audit trail. ResourceNotFound when the workspace has no such bot.
func (s *Service) change(ctx context.Context, w id.Workspace, bot id.Bot, do func(context.Context, *db.Tx, Bot) (did string, err error)) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		b, err := s.owned(ctx, tx, w, bot)
		if err != nil {
			return err
		}
		did, err := do(ctx, tx, b)
		if err != nil {
			return db.Convert(err)
		}
		return s.Trail.Record(ctx, tx, w, access.Act{Action: "UPDATE_BOT", Resource: string(bot), Name: b.Name, Value: did})
	})
}

// owned reads what selectOwner reads of a bot that must be the workspace's.
func (s *Service) owned(ctx context.Context, q db.Querier, w id.Workspace, bot id.Bot) (Bot, error) {
	b, found, err := selectOwner(ctx, q, w, bot)
	if err != nil {
		return b, db.Convert(err)
	}
	if !found {
		return b, access.NoSuchBot(bot)
	}
	return b, nil
}

// Allowlist reads whom a bot lets in. ResourceNotFound when the workspace has no
// such bot.
func (s *Service) Allowlist(ctx context.Context, w id.Workspace, bot id.Bot) (Allowlist, error) {
	list, found, err := selectAllowlist(ctx, s.DB.Reader(ctx), w, bot)
	if err != nil {
		return list, db.Convert(err)
	}
	if !found {
		return list, access.NoSuchBot(bot)
	}
	return list, nil
}

// UpdateAllowlist changes whom a bot lets in, from the next request on.
// ReferenceNotFound when an account to be added is no member of the workspace,
// LimitExceeded when too many are named.
func (s *Service) UpdateAllowlist(ctx context.Context, w id.Workspace, bot id.Bot, u AllowlistUpdate) error {
	if len(u.Users) > maxSelected {
		return fault.New(fault.LimitExceeded, "users names %d users; one update may name at most %d.", len(u.Users), maxSelected).
			With("limit", maxSelected).With("count", len(u.Users))
	}
	accounts := slices.Sorted(maps.Keys(u.Users))
	return s.change(ctx, w, bot, func(ctx context.Context, tx *db.Tx, _ Bot) (string, error) {
		members, err := selectCandidates(ctx, tx, bot, accounts)
		if err != nil {
			return "", err
		}
		var added, removed []string
		for _, account := range accounts {
			member, known := members[account]
			switch {
			case known && u.Users[account]:
				added = append(added, member)
			case known:
				removed = append(removed, member)
			case u.Users[account]:
				return "", fault.New(fault.ReferenceNotFound, "users names %q, which is not a user of this workspace. listWorkspaceMembers shows each member's userId.", fault.Bounded(string(account)))
			}
		}
		var did []string
		if u.Admission != nil {
			did = append(did, "allowlist "+string(*u.Admission))
			if err := updateRestricted(ctx, tx, w, bot, *u.Admission == SelectedMembers); err != nil {
				return "", err
			}
		}
		if len(added)+len(removed) > 0 {
			did = append(did, fmt.Sprintf("allowlist: %d added, %d removed", len(added), len(removed)))
		}
		if err := insertSelected(ctx, tx, bot, added); err != nil {
			return "", err
		}
		return strings.Join(did, "; "), deleteSelected(ctx, tx, bot, removed)
	})
}
