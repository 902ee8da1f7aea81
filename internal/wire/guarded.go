package wire

import (
	"context"
	"net/http"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// Guarded is a route beside the operations that requires a token, for requests that are not
// plain JSON: its handler reads the body itself. Tokens, rate limits, roles, request ids,
// logs, metrics and errors work as for operations.
type Guarded struct {
	Name   string // in logs and metrics
	Method string
	Path   string
	// Permission is what an account's role must allow, in the workspace of the
	// x-workspace-id header.
	Permission access.Permission
	// Keys allows the keys of bots and integrations too.
	Keys bool
	// WhileBlocked allows blocked workspaces.
	WhileBlocked bool
	// Time is how long a request may take; 0 is no limit.
	Time time.Duration
}

// Guard adds a route. The handler's error is answered like that of an operation; a handler
// that has answered returns nil. access.From(ctx) is the caller, with its workspace set.
func (m *Mux) Guard(route Guarded, handler func(ctx context.Context, w http.ResponseWriter, r *http.Request) error) {
	if route.Permission == "" {
		panic(route.Name + ": a route must declare its permission")
	}
	op := &Operation{ID: route.Name, Method: route.Method, Path: route.Path, Permission: route.Permission, WhileBlocked: route.WhileBlocked}
	m.router.Method(route.Method, route.Path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if route.Time > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, route.Time)
			defer cancel()
			// The connections of some tests have no deadlines.
			_ = http.NewResponseController(w).SetReadDeadline(clock.Deadline(route.Time))
		}
		x := exchangeOf(ctx)
		x.operation = op
		actor, err := m.admitGuarded(ctx, &route, op, w.Header(), r)
		if x.actor = actor; err == nil {
			err = handler(access.With(ctx, actor), w, r)
		}
		if err != nil {
			m.Refuse(w, r, err)
		}
	}))
}

// admitGuarded is admit for a guarded route.
func (m *Mux) admitGuarded(ctx context.Context, route *Guarded, op *Operation, header http.Header, r *http.Request) (access.Actor, error) {
	token := bearer(r.Header.Get("Authorization"))
	if err := m.rates.token(token, r, header); err != nil {
		return access.Actor{}, err
	}
	named := id.Workspace(r.Header.Get(workspaceHeader))
	malformed := checkTexts(r)
	if malformed != nil {
		named = ""
	}
	actor, err := m.access.Authenticate(ctx, token, named)
	if fault.Is(err, fault.Unauthorized) {
		// Made-up tokens: see admit.
		if limited := m.rates.address(r, header); limited != nil {
			err = limited
		}
	}
	if err == nil {
		err = malformed
	}
	if err != nil {
		return actor, err
	}
	if actor.Kind == access.KindAccount {
		if named == "" {
			return actor, fault.New(fault.InvalidPayload, "request/headers must have required property '%s': name the workspace that the request is about.", workspaceHeader)
		}
		err = actor.Require(op.Permission)
	} else if !route.Keys {
		err = fault.New(fault.Forbidden, "This is the key of a %s. It opens the runtime and ingest; %s needs a personal access token (bp_pat_…).", actor.Kind, route.Name)
	}
	if err == nil {
		err = m.rates.workspace(actor, m.plans, header)
	}
	if err == nil && !op.openToBlocked() {
		err = actor.Paid()
	}
	return actor, err
}
