package billing

import (
	"context"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/internal/secret"
)

// Provider takes payments for us. None is asked within a transaction. An error that
// is a PaymentRequired or an InvalidPayload is a definite no; any other leaves open
// what happened.
type Provider interface {
	// Name is what the database knows the provider by.
	Name() string
	// RequiresMethod says that nothing is sold to who has not given a method of payment.
	RequiresMethod() bool
	// MinCharge is the smallest amount that can be charged. What is less is waived.
	MinCharge() plan.Cents
	// Customer makes a workspace known and answers the provider's name of it. Asked
	// again soon, it answers the same.
	Customer(ctx context.Context, w id.Workspace, name, email string) (string, error)
	// Intent lets a browser give the provider a method of payment: it answers the
	// secret that the browser does it with.
	Intent(ctx context.Context, customer string) (clientSecret string, err error)
	// Attach makes a method the one that the customer is charged by. InvalidPayload
	// when it is not known or cannot be used.
	Attach(ctx context.Context, customer, method string) (Method, error)
	// Prepare makes a charge known without taking money, and answers the provider's
	// name of it. Asked again, it answers the same, or one that is never confirmed.
	Prepare(ctx context.Context, a Attempt) (reference string, err error)
	// Confirm takes the money of a charge that was prepared. It takes it once, however
	// often it is asked.
	Confirm(ctx context.Context, a Attempt) (Outcome, error)
	// Look answers how a charge that was prepared stands, and changes nothing.
	Look(ctx context.Context, a Attempt) (Outcome, error)
	// Refund gives back what a charge took, once however often it is asked.
	Refund(ctx context.Context, a Attempt) error
}

// Outcome is how a charge stands, in words for people where it was refused.
type Outcome struct {
	State  AttemptState
	Reason string
}

// Method is what a workspace pays with, as much of it as we keep.
type Method struct {
	ID   string
	Type string // "card"
	Card *Card
}

// Card is what everybody may know of a card.
type Card struct {
	Brand             string
	LastFour          string
	ExpMonth, ExpYear int64
}

// TestProvider takes play money, for installations that are started with --dev: what
// becomes of a charge is decided by the name of the method, which is one of Stripe's
// test cards. It remembers nothing, so it answers the same to all replicas and after
// every crash.
func TestProvider() Provider { return playMoney{} }

type playMoney struct{}

// playCards are the methods that there are.
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
