package workspace

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// Options are what the service needs.
type Options struct {
	DB       *db.DB
	Clock    clock.Clock
	Trail    trail
	Quota    quota
	Accounts accounts
	// Leavers delete their part of a workspace, in this order.
	Leavers []Leaver
}

// Service holds the use cases of workspaces, their members and preferences.
type Service struct{ Options }

// New makes the service over a migrated database.
func New(o Options) *Service { return &Service{o} }

// Create makes a workspace owned by the account, in the caller's transaction. It needs no
// actor in ctx, so that the first start and the operator can use it. ResourceNotFound
// when the account is gone.
func (s *Service) Create(ctx context.Context, tx *db.Tx, owner id.Account, email, name string) (Workspace, error) {
	name, err := checkName(name)
	if err != nil {
		return Workspace{}, err
	}
	// Read in the transaction, so that an account which is being deleted cannot leave
	// behind a workspace without an owner.
	if account, found, err := s.Accounts.ByEmail(ctx, tx, email); err != nil {
		return Workspace{}, db.Convert(err)
	} else if !found || account != owner {
		return Workspace{}, fault.New(fault.ResourceNotFound, "The account %s no longer exists.", fault.Bounded(email))
	}
	now := s.Clock.Now()
	w := Workspace{
		ID: id.NewWorkspace(now), Name: name, Owner: owner,
		Plan: Managed, BillingVersion: currentBilling, SpendingLimit: defaultSpending,
		SocialAccounts: []string{}, CreatedAt: now, UpdatedAt: now,
	}
	if err := insertWorkspace(ctx, tx, w); err != nil {
		return Workspace{}, db.Convert(err)
	}
	m := Member{ID: id.NewMember(), Account: owner, Email: email, Role: access.Owner, CreatedAt: now}
	if _, err := insertMember(ctx, tx, w.ID, m); err != nil {
		return Workspace{}, db.Convert(err)
	}
	return w, s.Trail.Record(ctx, tx, w.ID, access.Act{Action: "CREATE_WORKSPACE", Resource: string(w.ID), Name: w.Name})
}

// Open is Create in a transaction of its own, for the account that asks.
func (s *Service) Open(ctx context.Context, actor access.Actor, name string) (w Workspace, err error) {
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		w, err = s.Create(ctx, tx, actor.Account, actor.Email, name)
		return err
	})
	return w, err
}

// Get reads a workspace. ResourceNotFound when it is gone.
func (s *Service) Get(ctx context.Context, w id.Workspace) (Workspace, error) {
	return existing(ctx, s.DB.Reader(ctx), w)
}

func existing(ctx context.Context, q db.Querier, w id.Workspace) (Workspace, error) {
	found, ok, err := selectWorkspace(ctx, q, w)
	if err != nil {
		return Workspace{}, db.Convert(err)
	}
	if !ok {
		return Workspace{}, access.NoSuchWorkspace(w)
	}
	return found, nil
}

// List reads a page of the workspaces that the account is a member of, the oldest first;
// next is nil on the last page. A handle limits it to the workspace with exactly that
// handle: clients take the first item.
func (s *Service) List(ctx context.Context, account id.Account, handle string, page db.Page) (list []Workspace, next *db.Key, err error) {
	if handle != "" && !isHandle(handle) {
		return []Workspace{}, nil, nil
	}
	list, err = selectWorkspacesOf(ctx, s.DB.Reader(ctx), account, handle, page)
	if err != nil {
		return nil, nil, db.Convert(err)
	}
	list, next = db.Cut(list, page, func(w Workspace) db.Key { return db.Key{At: w.CreatedAt.UnixMilli(), ID: string(w.ID)} })
	return list, next, nil
}

// Update changes a workspace. An update that changes nothing leaves no audit record.
// Forbidden when the actor's role does not allow one of the given fields, AlreadyExists
// when the handle is taken.
func (s *Service) Update(ctx context.Context, actor access.Actor, u Update) (w Workspace, err error) {
	for _, needed := range u.permissions() {
		if err := actor.Require(needed); err != nil {
			return Workspace{}, err
		}
	}
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if w, err = existing(ctx, tx, actor.Workspace); err != nil {
			return err
		}
		did, err := w.apply(u)
		if err != nil || did.none() {
			return err
		}
		if slices.Contains(did.fields, "handle") {
			holder, taken, err := selectHolder(ctx, tx, w.Handle)
			if err != nil {
				return db.Convert(err)
			}
			if taken && holder != w.ID {
				return handleTaken(w.Handle)
			}
		}
		return s.save(ctx, tx, &w, did)
	})
	if err != nil {
		return Workspace{}, err
	}
	return w, nil
}

// save writes a changed workspace and the audit records of the change.
func (s *Service) save(ctx context.Context, tx *db.Tx, w *Workspace, did changes) error {
	w.UpdatedAt = s.Clock.Now()
	if err := db.Convert(updateWorkspace(ctx, tx, *w)); err != nil {
		// Another transaction took the handle since it was looked up.
		if fault.Is(err, fault.AlreadyExists) {
			return handleTaken(w.Handle)
		}
		return err
	}
	act := access.Act{Resource: string(w.ID), Name: w.Name}
	if len(did.fields) > 0 {
		act.Action, act.Value = "UPDATE_WORKSPACE", strings.Join(did.fields, ", ")
		if err := s.Trail.Record(ctx, tx, w.ID, act); err != nil {
			return err
		}
	}
	if did.spending {
		act.Action, act.Value = "SET_SPENDING_LIMIT", w.SpendingLimit.String()
		return s.Trail.Record(ctx, tx, w.ID, act)
	}
	return nil
}

// Delete deletes a workspace with everything in it; its audit records stay.
// ReferenceConstraint for the platform's own workspace.
func (s *Service) Delete(ctx context.Context, w id.Workspace) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		found, err := existing(ctx, tx, w)
		if err != nil {
			return err
		}
		platform, _, err := s.Platform(ctx, tx)
		if err != nil {
			return err
		}
		if w == platform {
			return fault.New(fault.ReferenceConstraint, "The workspace %q is the platform's own, which publishes what this installation offers to everybody. It cannot be deleted.", fault.Bounded(found.Name))
		}
		for _, leaver := range s.Leavers {
			if err := leaver.DeleteWorkspace(ctx, tx, w); err != nil {
				return err
			}
		}
		if err := deleteWorkspace(ctx, tx, w); err != nil {
			return db.Convert(err)
		}
		return s.Trail.Record(ctx, tx, w, access.Act{Action: "CLOSE_WORKSPACE", Resource: string(w), Name: found.Name})
	})
}

// Public reads what everybody may know of a workspace. ResourceNotFound when there is no
// such workspace, or it is not public and the account is not a member.
func (s *Service) Public(ctx context.Context, account id.Account, w id.Workspace) (Workspace, error) {
	missing := fault.New(fault.ResourceNotFound, "There is no public workspace %q, and you are not a member of one with this id.", fault.Bounded(string(w)))
	if !storable(string(w)) {
		return Workspace{}, missing
	}
	q := s.DB.Reader(ctx)
	found, ok, err := selectWorkspace(ctx, q, w)
	if err != nil {
		return Workspace{}, db.Convert(err)
	}
	if ok && !found.Public {
		_, ok, err = selectMembership(ctx, q, w, account)
	}
	if err != nil {
		return Workspace{}, db.Convert(err)
	}
	if !ok {
		return Workspace{}, missing
	}
	return found, nil
}

const (
	// maxIDs is how many workspaces a list can be limited to.
	maxIDs = 100
	// searchBatch is how many workspaces a search reads at a time. Names are compared
	// here and not in SQL, because the engines fold case differently.
	searchBatch = 500
)

// ListPublic reads a page of the public workspaces in the order of their ids, which is
// that of creation; next is nil on the last page. InvalidQuery when it is limited to too
// many ids.
func (s *Service) ListPublic(ctx context.Context, f PublicFilter, page db.Page) (list []Workspace, next *db.Key, err error) {
	if n := len(f.IDs); n > maxIDs {
		return nil, nil, fault.New(fault.InvalidQuery, "workspaceIds names %d workspaces; at most %d are allowed in one request.", n, maxIDs)
	}
	list = []Workspace{}
	narrowed := len(f.IDs) > 0
	f.IDs = slices.DeleteFunc(slices.Clone(f.IDs), func(w id.Workspace) bool { return !storable(string(w)) })
	if narrowed && len(f.IDs) == 0 {
		return list, nil, nil
	}
	size, after := page.Size+1, ""
	if f.Search != "" {
		size = searchBatch
	}
	if page.After != nil {
		after = page.After.ID
	}
	for q := s.DB.Reader(ctx); ; {
		batch, err := selectPublic(ctx, q, f.IDs, after, size)
		if err != nil {
			return nil, nil, db.Convert(err)
		}
		for _, w := range batch {
			if f.matches(w) {
				list = append(list, w)
			}
		}
		if len(batch) < size || len(list) > page.Size {
			break
		}
		after = string(batch[len(batch)-1].ID)
	}
	list = list[:min(len(list), page.Size+1)]
	list, next = db.Cut(list, page, func(w Workspace) db.Key { return db.Key{ID: string(w.ID)} })
	return list, next, nil
}

// CheckHandle says whether a handle is available, and suggests others if it is not.
//
// That a handle is taken is no secret: packages are published under it. Who has it may be
// one, so UsedBy names the workspace only if it is public or the account is a member.
func (s *Service) CheckHandle(ctx context.Context, account id.Account, handle string) (Availability, error) {
	q := s.DB.Reader(ctx)
	near := candidates(handle)
	taken, err := selectTaken(ctx, q, append(near, handle))
	if err != nil {
		return Availability{}, db.Convert(err)
	}
	if isHandle(handle) && !taken[handle] {
		return Availability{Available: true, Suggestions: []string{}}, nil
	}
	answer := Availability{Suggestions: suggest(near, taken)}
	holder, found, err := selectHolder(ctx, q, handle)
	if err != nil {
		return Availability{}, db.Convert(err)
	}
	if found {
		_, err := s.Public(ctx, account, holder)
		if err != nil && !fault.Is(err, fault.ResourceNotFound) {
			return Availability{}, err
		}
		if err == nil {
			answer.UsedBy = string(holder)
		}
	}
	return answer, nil
}

// SetPlan changes the plan of a workspace, as package billing decides. It joins the
// transaction of ctx, if there is one. InvalidPayload when there is no such plan.
func (s *Service) SetPlan(ctx context.Context, w id.Workspace, plan Plan) error {
	if err := checkPlan(plan); err != nil {
		return err
	}
	return s.change(ctx, w, "plan="+string(plan), func(w *Workspace) bool {
		changed := w.Plan != plan
		w.Plan = plan
		return changed
	})
}

// SetBlocked blocks a workspace whose invoices are not paid, or lifts the block. It joins
// the transaction of ctx, if there is one.
func (s *Service) SetBlocked(ctx context.Context, w id.Workspace, blocked bool) error {
	return s.change(ctx, w, "blocked="+strconv.FormatBool(blocked), func(w *Workspace) bool {
		changed := w.Blocked != blocked
		w.Blocked = blocked
		return changed
	})
}

// SetTrial sets the trial of a workspace; empty ends it. It joins the transaction of ctx,
// if there is one.
func (s *Service) SetTrial(ctx context.Context, w id.Workspace, t id.Trial) error {
	did := "trial=" + string(t)
	if t == "" {
		did = "trial ended"
	}
	return s.change(ctx, w, did, func(w *Workspace) bool {
		changed := w.ActiveTrial != string(t)
		w.ActiveTrial = string(t)
		return changed
	})
}

// MigrateToV4 moves a workspace to the current billing version, if it is not there
// already.
func (s *Service) MigrateToV4(ctx context.Context, w id.Workspace) error {
	return s.change(ctx, w, "billingVersion="+currentBilling, func(w *Workspace) bool {
		changed := w.BillingVersion != currentBilling
		w.BillingVersion = currentBilling
		return changed
	})
}

// change applies edit, which says whether it changed anything, to a workspace. value is
// what the audit record says.
func (s *Service) change(ctx context.Context, w id.Workspace, value string, edit func(*Workspace) bool) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		found, err := existing(ctx, tx, w)
		if err != nil || !edit(&found) {
			return err
		}
		return s.save(ctx, tx, &found, changes{fields: []string{value}})
	})
}

// Platform is the workspace that the installation itself publishes from, which is its
// first one. There is none before the first start.
func (s *Service) Platform(ctx context.Context, q db.Querier) (w id.Workspace, found bool, err error) {
	w, found, err = selectPlatform(ctx, q)
	return w, found, db.Convert(err)
}

// SetPlatform makes w the platform's workspace, in the caller's transaction. Once there is
// one, it does nothing.
func (s *Service) SetPlatform(ctx context.Context, tx *db.Tx, w id.Workspace) error {
	return db.Convert(insertPlatform(ctx, tx, w))
}

// SetPreference stores a JSON value under a key. LimitExceeded when it is too large, or
// the workspace has too many keys.
func (s *Service) SetPreference(ctx context.Context, w id.Workspace, key, value string) error {
	if err := checkPreference(key, value); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := existing(ctx, tx, w); err != nil {
			return err
		}
		others, err := countOtherPreferences(ctx, tx, w, key)
		if err != nil {
			return db.Convert(err)
		}
		if others >= maxPreferences {
			return fault.New(fault.LimitExceeded, "A workspace can have at most %d preferences and this one has %d. Keep several values under one key.", maxPreferences, others)
		}
		return db.Convert(upsertPreference(ctx, tx, w, key, value))
	})
}

// Preference reads the JSON under a key; found is false when none was set.
func (s *Service) Preference(ctx context.Context, w id.Workspace, key string) (value string, found bool, err error) {
	if err := checkKey(key); err != nil {
		return "", false, err
	}
	value, found, err = selectPreference(ctx, s.DB.Reader(ctx), w, key)
	return value, found, db.Convert(err)
}
