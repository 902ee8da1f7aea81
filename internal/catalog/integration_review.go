package catalog

import (
	"context"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/secret"
)

// secretGrace is how long the previous signing secret stays valid after a rotation.
const secretGrace = 24 * time.Hour

// change reads an integration of the workspace and has do change it, in one transaction.
// It records what do says that it did, unless that is empty.
func (s *Service) change(ctx context.Context, w id.Workspace, i id.Integration, do func(context.Context, *db.Tx, Integration) (string, error)) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		found, ok, err := selectIntegration(ctx, tx, w, i)
		if err != nil {
			return db.Convert(err)
		}
		if !ok {
			return errNotFound(IntegrationKind, string(i))
		}
		done, err := do(ctx, tx, found)
		if err != nil || done == "" {
			return db.Convert(err)
		}
		return s.record(ctx, tx, found.release(), done)
	})
}

// RequestVerification asks the operator to review an integration; it does nothing when a
// review is pending or has approved it. ResourceNotFound when the workspace has no such
// integration, InvalidPayload for a development integration.
func (s *Service) RequestVerification(ctx context.Context, w id.Workspace, i id.Integration) error {
	return s.change(ctx, w, i, func(ctx context.Context, tx *db.Tx, found Integration) (string, error) {
		if found.Dev {
			return "", fault.New(fault.InvalidPayload, "The integration %q is a development integration, and those are not reviewed. Publish a production version.", fault.Bounded(string(i)))
		}
		if found.Verification == Pending || found.Verification == Approved {
			return "", nil
		}
		return "verification requested", updateReview(ctx, tx, i, Pending, later(found.UpdatedAt, s.Clock.Now()))
	})
}

// Review records the operator's decision on an integration of any workspace.
// ResourceNotFound when there is none with that id, InvalidPayload when the decision is
// neither approved nor rejected.
func (s *Service) Review(ctx context.Context, i id.Integration, v Verification) error {
	if v != Approved && v != Rejected {
		return fault.New(fault.InvalidPayload, "%q is not an outcome of a review; it must be approved or rejected.", fault.Bounded(string(v)))
	}
	w, err := s.owner(ctx, i)
	if err != nil {
		return err
	}
	return s.change(ctx, w, i, func(ctx context.Context, tx *db.Tx, found Integration) (string, error) {
		return "verification " + string(v), updateReview(ctx, tx, i, v, later(found.UpdatedAt, s.Clock.Now()))
	})
}

// asReviewed says whether an integration is, in what a review looks at, as it was before: an
// approval is not for the code that took the place of what was approved.
func (i Integration) asReviewed(before Integration) bool {
	return i.Definition == before.Definition && i.Code == before.Code && i.URL == before.URL
}

// Deprecate keeps an integration of any workspace from being newly installed; bots that
// have it keep it. It is for the operator. ResourceNotFound when there is none with that
// id.
func (s *Service) Deprecate(ctx context.Context, i id.Integration) error {
	w, err := s.owner(ctx, i)
	if err != nil {
		return err
	}
	return s.change(ctx, w, i, func(ctx context.Context, tx *db.Tx, found Integration) (string, error) {
		return "integration deprecated", updateLifecycle(ctx, tx, i, Deprecated, later(found.UpdatedAt, s.Clock.Now()))
	})
}

// owner reads which workspace an integration belongs to, for the operator.
func (s *Service) owner(ctx context.Context, i id.Integration) (id.Workspace, error) {
	w, found, err := selectOwner(ctx, s.DB.Reader(ctx), i)
	if err == nil && !found {
		err = fault.New(fault.ResourceNotFound, "There is no integration %q.", fault.Bounded(string(i)))
	}
	return w, db.Convert(err)
}

// RotateSigningSecret gives an integration a new signing secret, which only this answer
// shows. The previous one stays valid for 24 hours; the one before it ends now.
// ResourceNotFound when the workspace has no such integration.
func (s *Service) RotateSigningSecret(ctx context.Context, w id.Workspace, i id.Integration) (signingSecret string, err error) {
	signingSecret = secret.Text(signingSecretLength)
	return signingSecret, s.change(ctx, w, i, func(ctx context.Context, tx *db.Tx, found Integration) (string, error) {
		plain, err := signingSecretColumn.Open(s.Keys, found.SigningSecret, string(i))
		if err != nil {
			return "", err
		}
		old := oldSigningSecretColumn.Seal(s.Keys, plain, string(i))
		until := s.Clock.Now().Add(secretGrace)
		return "signing secret rotated", updateSigningSecrets(ctx, tx, i, s.sealSigningSecret(i, signingSecret), old, until)
	})
}

// maxKeys bounds the keys of an integration, which the API lists without pages.
const maxKeys = 100

// CreateKey makes a key that acts as an integration of the workspace; value is its only
// copy. ResourceNotFound when the workspace has no such integration, LimitExceeded when
// the integration has too many keys, InvalidPayload when the note is too long.
func (s *Service) CreateKey(ctx context.Context, w id.Workspace, i id.Integration, note string) (key access.Token, value string, err error) {
	if len(note) > maxNote {
		return key, "", fault.New(fault.InvalidPayload, "The note has %d bytes; at most %d are allowed.", len(note), maxNote)
	}
	err = s.change(ctx, w, i, func(ctx context.Context, tx *db.Tx, _ Integration) (string, error) {
		keys, err := s.Tokens.Keys(ctx, tx, access.IAK, w, string(i))
		if err != nil {
			return "", err
		}
		if len(keys) >= maxKeys {
			return "", fault.New(fault.LimitExceeded, "An integration can have at most %d keys and this one has %d. Delete some that are not used.", maxKeys, len(keys)).
				With("limit", maxKeys).With("count", len(keys))
		}
		key, value, err = s.Tokens.CreateKey(ctx, tx, access.IAK, w, string(i), note)
		return "key created: " + string(key.ID), err
	})
	return key, value, err
}

// maxNote bounds the note of a key, in bytes.
const maxNote = 1000

// ListKeys lists the keys of an integration, newest first. ResourceNotFound when the
// workspace has no such integration.
func (s *Service) ListKeys(ctx context.Context, w id.Workspace, i id.Integration) ([]access.Token, error) {
	q := s.DB.Reader(ctx)
	if owner, found, err := selectOwner(ctx, q, i); err != nil || !found || owner != w {
		if err == nil {
			err = errNotFound(IntegrationKind, string(i))
		}
		return nil, db.Convert(err)
	}
	return s.Tokens.Keys(ctx, q, access.IAK, w, string(i))
}

// DeleteKey deletes a key of an integration of the workspace; it stops working at once.
// ResourceNotFound when the workspace has no such key.
func (s *Service) DeleteKey(ctx context.Context, w id.Workspace, key id.Token) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := s.Tokens.DeleteKey(ctx, tx, access.IAK, w, key); err != nil {
			return err
		}
		return s.Trail.Record(ctx, tx, w, access.Act{Action: "UNKNOWN", Resource: string(key), Value: "key of an integration deleted"})
	})
}
