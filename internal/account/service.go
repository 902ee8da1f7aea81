package account

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// Options are what the service needs.
type Options struct {
	DB          *db.DB
	Clock       clock.Clock
	Tokens      *access.Service
	Memberships memberships
}

// Service holds the use cases of accounts.
type Service struct{ Options }

// New makes the service.
func New(o Options) *Service { return &Service{o} }

// Create makes an account in the caller's transaction and turns the invitations
// of its address into memberships. AlreadyExists when the address has one.
func (s *Service) Create(ctx context.Context, tx *db.Tx, email, name string) (Account, error) {
	email, err := Address(email)
	if err != nil {
		return Account{}, err
	}
	a := Account{ID: id.NewAccount(), Email: email, EmailVerified: true, CreatedAt: s.Clock.Now()}
	if name != "" {
		if err := a.apply(Update{DisplayName: &name}); err != nil {
			return Account{}, err
		}
	}
	created, err := insertAccount(ctx, tx, a)
	if err != nil {
		return Account{}, db.Convert(err)
	}
	if !created {
		return Account{}, fault.New(fault.AlreadyExists, "There already is an account for %s.", email)
	}
	return a, s.Memberships.LinkMember(ctx, tx, a.ID, email)
}

// Get reads an account. ResourceNotFound when it is gone.
func (s *Service) Get(ctx context.Context, account id.Account) (Account, error) {
	a, found, err := selectAccount(ctx, s.DB.Reader(ctx), account)
	if err != nil {
		return Account{}, db.Convert(err)
	}
	if !found {
		return Account{}, gone()
	}
	return a, nil
}

func gone() error { return fault.New(fault.ResourceNotFound, "This account no longer exists.") }

// ByEmail answers the account of an address; found is false when it has none.
func (s *Service) ByEmail(ctx context.Context, q db.Querier, email string) (account id.Account, found bool, err error) {
	account, found, err = selectByEmail(ctx, q, Key(email))
	return account, found, db.Convert(err)
}

// Update changes what people see of an account.
func (s *Service) Update(ctx context.Context, account id.Account, u Update) (a Account, err error) {
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		var found bool
		a, found, err = selectAccount(ctx, tx, account)
		if err != nil {
			return db.Convert(err)
		}
		if !found {
			return gone()
		}
		if err := a.apply(u); err != nil {
			return err
		}
		return db.Convert(updateAccount(ctx, tx, a))
	})
	return a, err
}

// Delete deletes an account with its tokens, preferences and memberships. It is
// refused while the account owns a workspace: nobody could manage it any more.
// Audit records keep the e-mail address.
func (s *Service) Delete(ctx context.Context, account id.Account) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		owned, err := s.Memberships.Owned(ctx, tx, account)
		if err != nil {
			return db.Convert(err)
		}
		if len(owned) > 0 {
			return fault.New(fault.ReferenceConstraint, "This account owns %s. Delete the workspaces it owns first.", list(owned))
		}
		if err := s.Memberships.DeleteAccount(ctx, tx, account); err != nil {
			return err
		}
		if err := s.Tokens.DeleteAccount(ctx, tx, account); err != nil {
			return err
		}
		return db.Convert(deleteAccount(ctx, tx, account))
	})
}

func list(names []string) string {
	const most = 5
	quoted := make([]string, 0, most)
	for i, name := range names {
		if i == most {
			return strings.Join(quoted, ", ") + " and others"
		}
		quoted = append(quoted, `"`+fault.Bounded(name)+`"`)
	}
	return strings.Join(quoted, ", ")
}

// mustExist is ResourceNotFound when the account was deleted since its token was checked:
// what is made for it now would outlive it.
func mustExist(ctx context.Context, tx *db.Tx, account id.Account) error {
	_, found, err := selectAccount(ctx, tx, account)
	if err != nil {
		return db.Convert(err)
	}
	if !found {
		return gone()
	}
	return nil
}

// CreatePAT makes an access token for the account; value is the only copy.
// ResourceNotFound when the account is gone.
func (s *Service) CreatePAT(ctx context.Context, account id.Account, note string) (t access.Token, value string, err error) {
	if n := utf8.RuneCountInString(note); n > maxNote {
		return t, "", fault.New(fault.InvalidPayload, "note has %d characters; at most %d are allowed.", n, maxNote)
	}
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := mustExist(ctx, tx, account); err != nil {
			return err
		}
		t, value, err = s.Tokens.CreatePAT(ctx, tx, account, note, noExpiry)
		return err
	})
	return t, value, err
}

// SetPreference keeps a value under a key; the value is any JSON.
func (s *Service) SetPreference(ctx context.Context, account id.Account, key, value string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if len(value) > maxPreference {
		return fault.New(fault.LimitExceeded, "The preference has %d bytes; at most %d are allowed.", len(value), maxPreference)
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := mustExist(ctx, tx, account); err != nil {
			return err
		}
		n, err := countPreferences(ctx, tx, account, key)
		if err != nil {
			return db.Convert(err)
		}
		if n >= maxPreferred {
			return fault.New(fault.LimitExceeded, "An account can have at most %d preferences and this one has %d. Keep several values under one key.", maxPreferred, n)
		}
		return db.Convert(upsertPreference(ctx, tx, account, key, value))
	})
}

// Preference is the value under a key; "" when there is none.
func (s *Service) Preference(ctx context.Context, account id.Account, key string) (string, error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	value, err := selectPreference(ctx, s.DB.Reader(ctx), account, key)
	return value, db.Convert(err)
}
