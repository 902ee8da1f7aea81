package bot

import (
	"context"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/id"
)

// Called reads the instance of a webhook for a call from outside: one query, and one for
// where its integration runs. There is no workspace to check: whoever knows the webhook
// may call it.
func (s *Service) Called(ctx context.Context, w id.Webhook) (i definition.Instance, found bool, err error) {
	row, found, err := selectCalled(ctx, s.DB.Reader(ctx), w)
	if err != nil || !found {
		return i, false, db.Convert(err)
	}
	i.Enabled, i.Blocked, i.Unpaid, i.Identifier = row.instance.Enabled, row.blocked, row.unpaid, row.instance.Identifier
	i.Callee, err = s.calleeOf(ctx, row)
	return i, err == nil, err
}

// Identified answers which instance an identifier stands for in a scope; see
// definition.Endpoint.
func (s *Service) Identified(ctx context.Context, scope, identifier string) (w id.Webhook, found bool, err error) {
	w, _, found, err = selectIdentified(ctx, s.DB.Reader(ctx), scope, identifier)
	return w, found, db.Convert(err)
}

// identifierTaken is the reason of an instance whose identifier belongs to an instance in
// another workspace.
const identifierTaken = "What the integration was authorised for is in use by an installation in another workspace. Remove it there first, or authorise another one."

// Identify stores the identifier under which the external service knows an instance, and
// registers the instance if that is still to be done. An identifier has one owner: an
// instance of the same workspace gives it up; one of another workspace keeps it, and the
// registration of this one fails.
//
// Scope is where the identifier has one owner; see definition.Endpoint. Nothing is stored if
// the instance has left it since it was called, or was switched off: it is not the
// instance's any more.
func (s *Service) Identify(ctx context.Context, w id.Webhook, scope, identifier string) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		row, found, err := selectCalled(ctx, tx, w)
		if err != nil || !found || !row.instance.Enabled || row.instance.Identifier == identifier {
			return db.Convert(err)
		}
		endpoint, found, err := s.Endpoints.Endpoint(ctx, tx, row.instance.Integration)
		if err != nil || !found || endpoint.Scope != scope {
			return err
		}
		owner, workspace, taken, err := selectIdentified(ctx, tx, scope, identifier)
		if err != nil {
			return db.Convert(err)
		}
		if taken && workspace != row.workspace {
			return db.Convert(updateIdentifier(ctx, tx, w, scope, row.instance.Identifier, standing{RegistrationFailed, identifierTaken}))
		}
		if taken {
			if err := clearIdentifier(ctx, tx, owner); err != nil {
				return db.Convert(err)
			}
		}
		if row.instance.Status == Registered {
			return db.Convert(updateIdentifier(ctx, tx, w, scope, identifier, standing{Registered, ""}))
		}
		if err := updateIdentifier(ctx, tx, w, scope, identifier, standing{Pending, notCalled}); err != nil {
			return db.Convert(err)
		}
		return s.enqueue(ctx, tx, jobCallInstance, order{Workspace: row.workspace, Webhook: w})
	})
}
