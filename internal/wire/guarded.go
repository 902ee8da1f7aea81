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

// Guarded is an address beside the operations that tokens open, for what is no JSON in and JSON out: its
// handler reads the body by itself. Tokens, rates, roles, request ids, logs, metrics
// and errors are those of operations.
type Guarded struct {
	Name   string // in logs and metrics
	Method string
	Path   string
	// Permission is what an account's role must allow, in the workspace of the
	// x-workspace-id header.
	Permission access.Permission
	// Keys says that the keys of bots and integrations open the route too.
	Keys bool
	// WhileBlocked says that a blocked workspace may use it.
	WhileBlocked bool
	// Time is how long a request may take; 0 is no limit.
	Time time.Duration
}

// Guard adds a route. The handler's error is answered as that of an operation; one
// that answers by itself returns nil. access.From(ctx) is who asks; its workspace is
// set.
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
			// Not every connection knows deadlines; those of tests do without.
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

// admitGuarded is the gate of a route, in the order of admit.
func (m *Mux) admitGuarded(ctx context.Context, route *Guarded, op *Operation, header http.Header, r *http.Request) (access.Actor, error) {
	token := bearer(r.Header.Get("Authorization"))
	if err := m.rates.token(token, r, header); err != nil {
		return access.Actor{}, err
	}
	named := id.Workspace(r.Header.Get(workspaceHeader))
	unkeepable := checkTexts(r)
	if unkeepable != nil {
		named = ""
	}
	actor, err := m.access.Authenticate(ctx, token, named)
	if fault.Is(err, fault.Unauthorized) {
		// Every invented token has a window of its own: see admit.
		if limited := m.rates.address(r, header); limited != nil {
			err = limited
		}
	}
	if err == nil {
		err = unkeepable
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
