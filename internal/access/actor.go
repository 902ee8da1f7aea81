package access

import (
	"context"
	"time"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// Kind is what stands behind a request.
type Kind string

// The kinds of actor. An operator has no token: it is the local command line.
const (
	KindAccount     Kind = "account"
	KindBot         Kind = "bot"
	KindIntegration Kind = "integration"
	KindOperator    Kind = "operator"
)

// Actor is who makes a request, and in which workspace.
type Actor struct {
	Kind    Kind
	Account id.Account // of an account
	Email   string     // of an account, for the audit trail
	Subject string     // the id of a bot or integration
	Token   id.Token
	// Workspace is the one the request is about; empty for operations that
	// stand outside workspaces. It is only ever set after membership was
	// checked, so a store that filters by it cannot reach a foreign row.
	Workspace id.Workspace
	Role      Role
	// Confined says that the workspace has bots which the role alone does not open: their
	// allowlists have to be checked.
	Confined bool
	// Blocked says that the workspace's invoices are not paid; see Paid.
	Blocked bool
	// Plan is the workspace's, and Rate how the workspace's rate differs from the plan's.
	Plan     plan.ID
	Rate     plan.Adjustment
	lastUsed time.Time
}

// ID identifies the actor across its tokens. Rate limits and idempotency keys are counted
// per ID or per token.
func (a Actor) ID() string {
	if a.Kind == KindAccount {
		return string(a.Account)
	}
	return string(a.Kind) + ":" + a.Subject
}

// Require is nil when the actor's role grants p, and a Forbidden fault otherwise.
func (a Actor) Require(p Permission) error {
	if a.Role.Allows(p) {
		return nil
	}
	return fault.New(fault.Forbidden, "Your role in this workspace is %q, which does not allow %s. Ask an administrator of the workspace for a role that does.", a.Role, p)
}

// Paid is PaymentRequired when the actor's workspace is blocked, else nil. It is checked
// before everything that a blocked workspace may not do: changes, calls of its bots and
// integrations, ingest.
func (a Actor) Paid() error {
	if !a.Blocked {
		return nil
	}
	return Unpaid(a.Workspace)
}

// Unpaid is the PaymentRequired of a blocked workspace, for callers without an Actor.
func Unpaid(w id.Workspace) error {
	return fault.New(fault.PaymentRequired, "Workspace %s is blocked because invoices are overdue. Its data can be read and its bots do not run until they are. See what is open with GET /v2/billing/invoices, set a card that works with POST /v2/billing/payment-methods, and pay with POST /v2/billing/invoices/{invoiceId}/pay or POST /v1/admin/workspaces/%s/billing/invoices/charge-unpaid: the block ends with the payment.", w, w).
		With("workspaceId", string(w))
}

// NoSuchBot is the one answer for a bot that does not exist, one of another workspace, and
// one that keeps the caller out.
func NoSuchBot(bot id.Bot) error {
	return fault.New(fault.ResourceNotFound, "Bot %q does not exist, or it is not in a workspace you are a member of.", fault.Bounded(string(bot)))
}

type actorKey struct{}

// With puts the actor into a request's context.
func With(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// From is the actor of a request; the zero Actor, which may do nothing, when
// the operation is open to all.
func From(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}

// Act is one thing an actor did, for the audit trail: what, to which resource
// (its id and readable name), with which readable new value. Empty is unknown.
type Act struct {
	Action   string
	Resource string
	Name     string
	Value    string
}
