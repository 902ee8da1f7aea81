package billing_test

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/botyard/botyard/internal/billing"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// till is a payment provider with a memory: it is outside, and counts the money that it
// really took. What a card does is its name; what goes wrong on the way is trouble's.
type till struct {
	demands bool
	least   plan.Cents
	// trouble is what becomes of the next confirmation beside its outcome.
	trouble trouble

	mu       sync.Mutex
	charges  map[string]*charge // by reference
	confirms int
}

type charge struct {
	billing.Attempt
	outcome  billing.AttemptState // prepared until it was confirmed
	times    int                  // that money was taken
	refunded bool
}

type trouble int

const (
	none       trouble = iota
	lostBefore         // nothing was done, and nobody answers
	lostAfter          // it was done, and nobody answers
	slow               // the bank decides later
)

// The cards of the till.
const (
	goodCard = "good"
	badCard  = "bad"
	shyCard  = "shy" // its bank wants its owner
)

var errLost = errors.New("the connection was lost")

func newTill() *till { return &till{demands: true, least: 50, charges: map[string]*charge{}} }

func (*till) Name() string { return "till" }

func (t *till) RequiresMethod() bool { return t.demands }

func (t *till) MinCharge() plan.Cents { return t.least }

func (*till) Customer(_ context.Context, w id.Workspace, _, _ string) (string, error) {
	return string(w), nil
}

func (*till) Intent(context.Context, string) (string, error) { return "secret", nil }

func (*till) Attach(_ context.Context, _, method string) (billing.Method, error) {
	return billing.Method{ID: method, Type: "card", Card: &billing.Card{Brand: method, LastFour: "0000", ExpMonth: 1, ExpYear: 2099}}, nil
}

func (t *till) Prepare(_ context.Context, a billing.Attempt) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	name := "charge of " + string(a.ID)
	if t.charges[name] == nil {
		a.Reference = name
		t.charges[name] = &charge{Attempt: a, outcome: billing.AttemptPrepared}
	}
	return name, nil
}

func (t *till) Confirm(_ context.Context, a billing.Attempt) (billing.Outcome, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, what := t.charges[a.Reference], t.trouble
	t.trouble = none
	if what == lostBefore {
		return billing.Outcome{}, errLost
	}
	if c.outcome == billing.AttemptPrepared {
		t.confirms++
		if c.outcome = outcomeOf(c.Method); what == slow {
			c.outcome = billing.AttemptPending
		} else if c.outcome == billing.AttemptPaid {
			c.times++
		}
	}
	if what == lostAfter {
		return billing.Outcome{}, errLost
	}
	return c.answer(), nil
}

func outcomeOf(card string) billing.AttemptState {
	switch card {
	case goodCard:
		return billing.AttemptPaid
	case shyCard:
		return billing.AttemptActionRequired
	}
	return billing.AttemptDeclined
}

func (c *charge) answer() billing.Outcome {
	o := billing.Outcome{State: c.outcome}
	if c.outcome == billing.AttemptDeclined || c.outcome == billing.AttemptActionRequired {
		o.Reason = "the card is " + c.Method
	}
	return o
}

func (t *till) Look(_ context.Context, a billing.Attempt) (billing.Outcome, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.charges[a.Reference].answer(), nil
}

func (t *till) Refund(_ context.Context, a billing.Attempt) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.charges[a.Reference].refunded = true
	return nil
}

// decide has the banks decide what was slow.
func (t *till) decide() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.charges {
		if c.outcome == billing.AttemptPending {
			if c.outcome = outcomeOf(c.Method); c.outcome == billing.AttemptPaid {
				c.times++
			}
		}
	}
}

// undecided says that a bank has a charge of an invoice yet to decide.
func (t *till) undecided(i id.Invoice) bool {
	return slices.ContainsFunc(t.all(), func(c charge) bool { return c.Invoice == i && c.outcome == billing.AttemptPending })
}

// all are copies of the charges.
func (t *till) all() (list []charge) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.charges {
		list = append(list, *c)
	}
	return list
}

// taken is what was taken for an invoice and not given back, and how often.
func (t *till) taken(i id.Invoice) (total plan.Cents, times int) {
	for _, c := range t.all() {
		if c.Invoice == i && !c.refunded {
			total += c.Amount * plan.Cents(c.times)
			times += c.times
		}
	}
	return total, times
}
