package billing

import (
	"context"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/internal/secret"
)

// Provider takes payments. It is never called within a transaction. PaymentRequired and
// InvalidPayload are a definite no; any other error leaves open what happened.
type Provider interface {
	// Name is the name of the provider in the database.
	Name() string
	// RequiresMethod says that only workspaces with a payment method can buy anything.
	RequiresMethod() bool
	// MinCharge is the smallest amount that can be charged. Less is waived.
	MinCharge() plan.Cents
	// Customer creates a customer for a workspace and returns the provider's id of it.
	// Called again soon, it returns the same.
	Customer(ctx context.Context, w id.Workspace, name, email string) (string, error)
	// Intent returns the secret with which a browser gives the provider a payment method.
	Intent(ctx context.Context, customer string) (clientSecret string, err error)
	// Attach makes a method the one that the customer is charged by. InvalidPayload
	// when it is not known or cannot be used.
	Attach(ctx context.Context, customer, method string) (Method, error)
	// Prepare creates a charge without taking money, and returns the provider's id of it.
	// Called again, it returns the same charge, or another that is never confirmed.
	Prepare(ctx context.Context, a Attempt) (reference string, err error)
	// Confirm takes the money of a prepared charge, once however often it is called.
	Confirm(ctx context.Context, a Attempt) (Outcome, error)
	// Look returns the state of a prepared charge. None of its errors is a no.
	Look(ctx context.Context, a Attempt) (Outcome, error)
	// Refund refunds a charge, once however often it is called.
	Refund(ctx context.Context, a Attempt) error
}

// Outcome is the state of a charge, with a reason for people when it was declined.
type Outcome struct {
	State  AttemptState
	Reason string
}

// Method is a payment method, as much of it as we keep.
type Method struct {
	ID   string
	Type string // "card"
	Card *Card
}

// Card is the part of a card that is not secret.
type Card struct {
	Brand             string
	LastFour          string
	ExpMonth, ExpYear int64
}

// TestProvider takes play money, for installations that are started with --dev: the name
// of the method, which is one of Stripe's test cards, decides the outcome of a charge. It
// has no state, so all replicas get the same answers, also after a crash.
func TestProvider() Provider { return playMoney{} }

type playMoney struct{}

// playCards are the methods that exist.
var playCards = map[string]struct {
	Card
	Outcome
}{
	"pm_card_visa":                            {Card{"visa", "4242", 12, 2034}, Outcome{State: AttemptPaid}},
	"pm_card_mastercard":                      {Card{"mastercard", "4444", 12, 2034}, Outcome{State: AttemptPaid}},
	"pm_card_amex":                            {Card{"amex", "8431", 12, 2034}, Outcome{State: AttemptPaid}},
	"pm_card_chargeDeclined":                  {Card{"visa", "0002", 12, 2034}, Outcome{AttemptDeclined, "Your card was declined."}},
	"pm_card_chargeDeclinedInsufficientFunds": {Card{"visa", "9995", 12, 2034}, Outcome{AttemptDeclined, "Your card has insufficient funds."}},
	"pm_card_authenticationRequired":          {Card{"visa", "3184", 12, 2034}, Outcome{AttemptActionRequired, "Your bank wants you to confirm this payment."}},
}

// Name implements Provider.
func (playMoney) Name() string { return "test" }

// RequiresMethod implements Provider.
func (playMoney) RequiresMethod() bool { return false }

// MinCharge implements Provider.
func (playMoney) MinCharge() plan.Cents { return 1 }

// Customer implements Provider.
func (playMoney) Customer(_ context.Context, w id.Workspace, _, _ string) (string, error) {
	return "cus_test_" + string(w), nil
}

// Intent implements Provider.
func (playMoney) Intent(context.Context, string) (string, error) {
	return "seti_test_" + secret.Text(16) + "_secret_" + secret.Text(24), nil
}

// Attach implements Provider.
func (playMoney) Attach(_ context.Context, _, method string) (Method, error) {
	of, known := playCards[method]
	if !known {
		return Method{}, fault.New(fault.InvalidPayload, "There is no payment method %q. This server takes play money: a card that works is pm_card_visa, one that is declined is pm_card_chargeDeclined.", fault.Bounded(method))
	}
	return Method{ID: method, Type: "card", Card: &of.Card}, nil
}

// Prepare implements Provider.
func (playMoney) Prepare(_ context.Context, a Attempt) (string, error) {
	return "pi_test_" + string(a.ID), nil
}

// Confirm implements Provider.
func (playMoney) Confirm(_ context.Context, a Attempt) (Outcome, error) {
	return playCards[a.Method].Outcome, nil
}

// Look implements Provider.
func (playMoney) Look(context.Context, Attempt) (Outcome, error) {
	return Outcome{State: AttemptPrepared}, nil
}

// Refund implements Provider.
func (playMoney) Refund(context.Context, Attempt) error { return nil }
