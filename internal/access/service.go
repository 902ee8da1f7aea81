package access

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// maxTokensPerAccount bounds a list that the API answers without pages.
const maxTokensPerAccount = 1000

// lastUseEvery is the precision of a token's last use: recording every request would turn
// every read into a write.
const lastUseEvery = time.Minute

// Service authenticates tokens. It caches nothing: a deleted token is refused by the next
// request, on every server of the installation.
type Service struct {
	db    *db.DB
	clock clock.Clock
	log   *slog.Logger

	mu   sync.Mutex
	used map[id.Token]time.Time // last uses that are not written yet
}

// New makes the service over a migrated database.
func New(d *db.DB, c clock.Clock, log *slog.Logger) *Service {
	return &Service{db: d, clock: c, log: log, used: map[id.Token]time.Time{}}
}

func unauthorized(format string, args ...any) error {
	return fault.New(fault.Unauthorized, format, args...)
}

// Authenticate returns the actor behind a token. With a workspace, it also checks the
// membership: an unknown workspace, and one that the actor is not a member of, are the
// same ResourceNotFound, so that nobody learns which ids exist. An unknown, deleted,
// expired or malformed token is Unauthorized.
func (s *Service) Authenticate(ctx context.Context, token string, w id.Workspace) (Actor, error) {
	kind, ok := WellFormed(token)
	if !ok {
		return Actor{}, unauthorized("The Authorization header must be \"Bearer \" and an access token (bp_pat_… and 36 characters). Make one with createPersonalAccessToken or \"botyard token create\".")
	}
	hash, now := hashOf(token), s.clock.Now()
	q := s.db.Reader(ctx)
	var a Actor
	var expires time.Time
	var found bool
	var err error
	member := false
	if kind == PAT && w != "" && utf8.ValidString(string(w)) {
		a, expires, found, err = actorInWorkspace(ctx, q, hash, w)
		member = found
	}
	if err == nil && !found {
		a, expires, found, err = actorOf(ctx, q, hash)
	}
	if err != nil {
		return Actor{}, db.Convert(err)
	}
	if !found {
		return Actor{}, unauthorized("This access token is not known: it was deleted, or belongs to another installation. Make a new one.")
	}
	if !expires.IsZero() && !expires.After(now) {
		return Actor{}, unauthorized("This access token expired at %s. Make a new one.", expires.Format(time.RFC3339))
	}
	s.noteUse(a, now)
	if w != "" && !member && a.Kind == KindAccount {
		return a, NoSuchWorkspace(w)
	}
	return a, nil
}

// NoSuchWorkspace is the one answer for a workspace that does not exist and for
// one that the caller is not a member of.
func NoSuchWorkspace(w id.Workspace) error {
	return fault.New(fault.ResourceNotFound, "Workspace %q does not exist, or you are not a member of it.", fault.Bounded(string(w)))
}

// noteUse remembers a use until the next flush, unless one was recorded within the last
// minute.
func (s *Service) noteUse(a Actor, now time.Time) {
	if now.Sub(a.lastUsed) < lastUseEvery {
		return
	}
	s.mu.Lock()
	s.used[a.Token] = now
	s.mu.Unlock()
}

// Run flushes last uses regularly until ctx is done, and once more then.
func (s *Service) Run(ctx context.Context) {
	ticker := time.NewTicker(5 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			s.Flush(last)
			cancel()
			return
		case <-ticker.C:
			s.Flush(ctx)
		}
	}
}

// Flush writes the uses since the previous flush. A failure is logged and the uses are
// dropped: the next request notes its own.
func (s *Service) Flush(ctx context.Context) {
	s.mu.Lock()
	used := s.used
	s.used = map[id.Token]time.Time{}
	s.mu.Unlock()
	if len(used) == 0 {
		return
	}
	err := s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		// In order, so that two servers which flush the same tokens cannot deadlock.
		for _, t := range slices.Sorted(maps.Keys(used)) {
			if err := touch(ctx, tx, t, used[t]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.log.WarnContext(ctx, "the last use of tokens could not be written", "tokens", len(used), "error", err)
	}
}

// CreatePAT makes an access token of an account, in the caller's transaction.
// The value is the only copy. LimitExceeded when the account has too many.
func (s *Service) CreatePAT(ctx context.Context, tx *db.Tx, account id.Account, note string, expires time.Time) (Token, string, error) {
	value := NewTokenValue(PAT)
	t, err := s.AddPAT(ctx, tx, account, note, expires, value)
	return t, value, err
}

// AddPAT is CreatePAT with a value chosen by the operator, for unattended starts.
func (s *Service) AddPAT(ctx context.Context, tx *db.Tx, account id.Account, note string, expires time.Time, value string) (Token, error) {
	if kind, ok := WellFormed(value); !ok || kind != PAT {
		return Token{}, fault.New(fault.InvalidPayload, "The given value is not an access token: one is bp_pat_ followed by 36 of the characters A-Z a-z 0-9 _ -.")
	}
	n, err := countTokens(ctx, tx, account)
	if err != nil {
		return Token{}, db.Convert(err)
	}
	if n >= maxTokensPerAccount {
		return Token{}, fault.New(fault.LimitExceeded, "An account can have at most %d access tokens and this one has %d. Delete unused ones first.", maxTokensPerAccount, n)
	}
	now := s.clock.Now()
	t := Token{ID: id.NewToken(string(PAT), now), Kind: PAT, Account: account, Note: note, CreatedAt: now, ExpiresAt: expires}
	return t, db.Convert(insertToken(ctx, tx, t, hashOf(value)))
}

// CreateKey makes a key that acts as a bot or an integration of a workspace.
func (s *Service) CreateKey(ctx context.Context, tx *db.Tx, kind TokenKind, w id.Workspace, subject, note string) (Token, string, error) {
	now, value := s.clock.Now(), NewTokenValue(kind)
	t := Token{ID: id.NewToken(string(kind), now), Kind: kind, Workspace: w, Subject: subject, Note: note, CreatedAt: now}
	return t, value, db.Convert(insertToken(ctx, tx, t, hashOf(value)))
}

// Keys lists the keys of one kind that act as a bot or an integration, newest first.
func (s *Service) Keys(ctx context.Context, q db.Querier, kind TokenKind, w id.Workspace, subject string) ([]Token, error) {
	tokens, err := keysOf(ctx, q, kind, w, subject)
	return tokens, db.Convert(err)
}

// NoSuchKey is the one answer for a key that does not exist, one of another workspace, and
// one of a bot that keeps the caller out.
func NoSuchKey(key id.Token) error {
	return fault.New(fault.ResourceNotFound, "This workspace has no key %q.", fault.Bounded(string(key)))
}

// Key reads a key of a workspace's bot or integration. ResourceNotFound when the
// workspace has no such key of this kind.
func (s *Service) Key(ctx context.Context, q db.Querier, kind TokenKind, w id.Workspace, key id.Token) (Token, error) {
	subject, found, err := subjectOf(ctx, q, kind, w, key)
	if err != nil {
		return Token{}, db.Convert(err)
	}
	if !found {
		return Token{}, NoSuchKey(key)
	}
	return Token{ID: key, Kind: kind, Workspace: w, Subject: subject}, nil
}

// DeleteKey deletes a key of a workspace's bot or integration; it stops working at
// once. ResourceNotFound when the workspace has no such key of this kind.
func (s *Service) DeleteKey(ctx context.Context, tx *db.Tx, kind TokenKind, w id.Workspace, key id.Token) error {
	deleted, err := deleteKey(ctx, tx, kind, w, key)
	if err != nil {
		return db.Convert(err)
	}
	if !deleted {
		return NoSuchKey(key)
	}
	return nil
}

// PATs lists an account's access tokens, newest first.
func (s *Service) PATs(ctx context.Context, account id.Account) ([]Token, error) {
	tokens, err := tokensOf(ctx, s.db.Reader(ctx), account)
	return tokens, db.Convert(err)
}

// DeletePAT deletes an access token of the account; it stops working at once.
// ResourceNotFound when the account has no such token.
func (s *Service) DeletePAT(ctx context.Context, account id.Account, t id.Token) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		deleted, err := deleteToken(ctx, tx, account, t)
		if err != nil {
			return db.Convert(err)
		}
		if !deleted {
			return fault.New(fault.ResourceNotFound, "You have no access token %q.", fault.Bounded(string(t)))
		}
		return nil
	})
}

// DeleteAccount deletes every token of an account, in the caller's transaction.
func (s *Service) DeleteAccount(ctx context.Context, tx *db.Tx, account id.Account) error {
	return db.Convert(deleteTokensOf(ctx, tx, account))
}

// DeleteWorkspace deletes every key of a workspace's bots and integrations.
func (s *Service) DeleteWorkspace(ctx context.Context, tx *db.Tx, w id.Workspace) error {
	return db.Convert(deleteTokensIn(ctx, tx, w))
}

// MoveSubject moves the keys of a bot or an integration to another workspace; they
// stay good.
func (s *Service) MoveSubject(ctx context.Context, tx *db.Tx, from, to id.Workspace, subject string) error {
	return db.Convert(moveTokensFor(ctx, tx, from, to, subject))
}

// DeleteSubject deletes every key of one bot or integration.
func (s *Service) DeleteSubject(ctx context.Context, tx *db.Tx, w id.Workspace, subject string) error {
	return db.Convert(deleteTokensFor(ctx, tx, w, subject))
}
