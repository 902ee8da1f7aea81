package billing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stripe/stripe-go/v85"
	"github.com/stripe/stripe-go/v85/webhook"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/internal/secret"
)

// StripeOptions are what taking payments by Stripe needs.
type StripeOptions struct {
	Key secret.Value // sk_… or rk_…
	// WebhookSecret signs the events that Stripe sends us; without it none is taken.
	WebhookSecret secret.Value
	// URL replaces that of Stripe's API; empty is Stripe's own.
	URL string
}

// stripeTime bounds one call of Stripe, which may take that long to ask a bank.
const stripeTime = 30 * time.Second

// signatureAge is how old a signed event may be: what is older may be a replay.
const signatureAge = 5 * time.Minute

// Stripe charges cards by Stripe. A charge is a payment intent: it is created unconfirmed,
// so that its id is known before any money moves, and then confirmed. An intent takes
// money at most once, however often it is confirmed, so a charge with an unknown outcome
// is looked up and never made again.
type Stripe struct {
	client *stripe.Client
	secret secret.Value
}

// NewStripe makes the provider.
func NewStripe(o StripeOptions) *Stripe {
	config := &stripe.BackendConfig{
		HTTPClient:        &http.Client{Timeout: stripeTime},
		LeveledLogger:     &stripe.LeveledLogger{Level: stripe.LevelNull},
		MaxNetworkRetries: stripe.Int64(1),
		EnableTelemetry:   stripe.Bool(false),
	}
	if o.URL != "" {
		config.URL = stripe.String(strings.TrimRight(o.URL, "/"))
	}
	return &Stripe{
		client: stripe.NewClient(o.Key.Reveal(), stripe.WithBackends(stripe.NewBackendsWithConfig(config))),
		secret: o.WebhookSecret,
	}
}

// Name implements Provider.
func (*Stripe) Name() string { return "stripe" }

// RequiresMethod implements Provider.
func (*Stripe) RequiresMethod() bool { return true }

// MinCharge implements Provider: Stripe charges no less than 50 cents.
func (*Stripe) MinCharge() plan.Cents { return 50 }

// Keys of our metadata on Stripe's objects.
const (
	stripeWorkspace = "botyard_workspace"
	stripeInvoice   = "botyard_invoice"
	stripePayment   = "botyard_payment"
)

// Customer implements Provider.
func (s *Stripe) Customer(ctx context.Context, w id.Workspace, name, email string) (string, error) {
	params := &stripe.CustomerCreateParams{Name: stripe.String(name), Metadata: map[string]string{stripeWorkspace: string(w)}}
	if email != "" {
		params.Email = stripe.String(email)
	}
	// With other parameters Stripe refuses a key that it knows, and the name may have
	// changed since a request whose answer was lost.
	params.SetIdempotencyKey("customer-" + string(w) + "-" + digest(name, email))
	customer, err := s.client.V1Customers.Create(ctx, params)
	if err != nil {
		return "", asFault(err)
	}
	return customer.ID, nil
}

// digest is a short hash that tells texts apart.
func digest(texts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(texts, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// Intent implements Provider.
func (s *Stripe) Intent(ctx context.Context, customer string) (string, error) {
	intent, err := s.client.V1SetupIntents.Create(ctx, &stripe.SetupIntentCreateParams{
		Customer: stripe.String(customer), Usage: stripe.String("off_session"), PaymentMethodTypes: []*string{stripe.String("card")},
	})
	if err != nil {
		return "", asFault(err)
	}
	return intent.ClientSecret, nil
}

// Attach implements Provider.
func (s *Stripe) Attach(ctx context.Context, customer, method string) (Method, error) {
	if strings.ContainsAny(method, "/?#%\\. ") {
		return Method{}, fault.New(fault.InvalidPayload, "%q is not the id of a payment method, such as pm_1MqLiJLkdIwHu7ix.", fault.Bounded(method))
	}
	m, err := s.client.V1PaymentMethods.Attach(ctx, method, &stripe.PaymentMethodAttachParams{Customer: stripe.String(customer)})
	if err != nil {
		return Method{}, asFault(err)
	}
	if _, err := s.client.V1Customers.Update(ctx, customer, &stripe.CustomerUpdateParams{
		InvoiceSettings: &stripe.CustomerUpdateInvoiceSettingsParams{DefaultPaymentMethod: stripe.String(m.ID)},
	}); err != nil {
		return Method{}, asFault(err)
	}
	kept := Method{ID: m.ID, Type: string(m.Type)}
	if c := m.Card; c != nil {
		kept.Card = &Card{Brand: string(c.Brand), LastFour: c.Last4, ExpMonth: c.ExpMonth, ExpYear: c.ExpYear}
	}
	return kept, nil
}

// Prepare implements Provider.
func (s *Stripe) Prepare(ctx context.Context, a Attempt) (string, error) {
	params := &stripe.PaymentIntentCreateParams{
		Amount: stripe.Int64(int64(a.Amount)), Currency: stripe.String(strings.ToLower(a.Currency)),
		Customer: stripe.String(a.Customer), PaymentMethod: stripe.String(a.Method), PaymentMethodTypes: []*string{stripe.String("card")},
		Metadata: map[string]string{stripeWorkspace: string(a.Workspace), stripeInvoice: string(a.Invoice), stripePayment: string(a.ID)},
	}
	params.SetIdempotencyKey(string(a.ID))
	intent, err := s.client.V1PaymentIntents.Create(ctx, params)
	if err != nil {
		return "", asFault(err)
	}
	return intent.ID, nil
}

// Confirm implements Provider.
func (s *Stripe) Confirm(ctx context.Context, a Attempt) (Outcome, error) {
	intent, err := s.client.V1PaymentIntents.Confirm(ctx, a.Reference, &stripe.PaymentIntentConfirmParams{OffSession: stripe.Bool(true)})
	if err == nil {
		return s.outcome(ctx, intent)
	}
	var e *stripe.Error
	if errors.As(err, &e) && e.Type == stripe.ErrorTypeCard {
		return declined(e), nil
	}
	if no := asFault(err); !fault.Is(no, fault.InvalidPayload) {
		return Outcome{}, no
	}
	// It has been confirmed already, or the method is gone.
	o, lookErr := s.Look(ctx, a)
	if lookErr == nil && o.State == AttemptPrepared {
		o = Outcome{AttemptDeclined, fault.From(asFault(err)).Message}
	}
	return o, lookErr
}

// Look implements Provider. No error means no: with the key of another account Stripe finds
// no intent either, and it may have taken money in the first.
func (s *Stripe) Look(ctx context.Context, a Attempt) (Outcome, error) {
	intent, err := s.client.V1PaymentIntents.Retrieve(ctx, a.Reference, nil)
	if err != nil {
		return Outcome{}, unclear(err)
	}
	return s.outcome(ctx, intent)
}

func (s *Stripe) outcome(ctx context.Context, intent *stripe.PaymentIntent) (Outcome, error) {
	switch intent.Status {
	case stripe.PaymentIntentStatusSucceeded:
		return Outcome{State: AttemptPaid}, nil
	case stripe.PaymentIntentStatusProcessing:
		return Outcome{State: AttemptPending}, nil
	case stripe.PaymentIntentStatusRequiresConfirmation:
		return Outcome{State: AttemptPrepared}, nil
	case stripe.PaymentIntentStatusRequiresPaymentMethod:
		if intent.LastPaymentError != nil {
			return declined(intent.LastPaymentError), nil
		}
		return Outcome{AttemptDeclined, "The payment method cannot be used any more."}, nil
	case stripe.PaymentIntentStatusCanceled:
		return Outcome{AttemptDeclined, "The payment was cancelled."}, nil
	case stripe.PaymentIntentStatusRequiresAction:
		// Nobody is there to act. Once cancelled, it can take no money any more.
		if _, err := s.client.V1PaymentIntents.Cancel(ctx, intent.ID, nil); err != nil {
			// Perhaps the payer was faster.
			return Outcome{}, fmt.Errorf("a payment that waits for its payer cannot be cancelled: %w", unclear(err))
		}
		return Outcome{AttemptActionRequired, "The bank wants the cardholder to confirm the payment."}, nil
	}
	return Outcome{}, fmt.Errorf("Stripe answers that payment intent %s is %q, which is not understood", intent.ID, intent.Status)
}

// declined is the outcome of a card error, in Stripe's words, which are meant for payers.
func declined(e *stripe.Error) Outcome {
	o := Outcome{AttemptDeclined, e.Msg}
	if e.Code == stripe.ErrorCodeAuthenticationRequired || e.DeclineCode == stripe.DeclineCodeAuthenticationRequired {
		o.State = AttemptActionRequired
	}
	if o.Reason == "" {
		o.Reason = "The card was declined."
	}
	return o
}

// Refund implements Provider.
func (s *Stripe) Refund(ctx context.Context, a Attempt) error {
	params := &stripe.RefundCreateParams{PaymentIntent: stripe.String(a.Reference), Reason: stripe.String("duplicate")}
	params.SetIdempotencyKey("refund-" + string(a.ID))
	_, err := s.client.V1Refunds.Create(ctx, params)
	var e *stripe.Error
	if errors.As(err, &e) && e.Code == stripe.ErrorCodeChargeAlreadyRefunded {
		return nil
	}
	return asFault(err)
}

// asFault turns Stripe's error into ours. A declined card is PaymentRequired, a request that
// Stripe finds wrong InvalidPayload; anything else, a rejected key included, leaves open
// what happened. Callers see Stripe's texts about cards and methods only, never the key.
func asFault(err error) error {
	var e *stripe.Error
	if err == nil || !errors.As(err, &e) {
		return unclear(err)
	}
	cause := unclear(err)
	switch {
	case e.Type == stripe.ErrorTypeCard:
		return fault.New(fault.PaymentRequired, "%s", declined(e).Reason).Because(cause)
	case e.HTTPStatusCode == http.StatusBadRequest, e.HTTPStatusCode == http.StatusNotFound, e.HTTPStatusCode == http.StatusPaymentRequired:
		return fault.New(fault.InvalidPayload, "The payment provider does not accept this: %s", fault.BoundedTo(e.Msg, 300)).Because(cause)
	}
	return cause
}

// unclear turns Stripe's error into one that leaves open what happened; nil stays nil.
func unclear(err error) error {
	var e *stripe.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return fmt.Errorf("Stripe answered %d %s %s: %s (request %s)", e.HTTPStatusCode, e.Type, e.Code, e.Msg, e.RequestID)
	}
	return fmt.Errorf("Stripe cannot be reached: %w", err)
}

// event parses an event that Stripe sent; ok is false when its type does not matter here.
// Forbidden when it was not signed by Stripe, or too long ago.
func (s *Stripe) event(payload []byte, signature string) (e event, ok bool, err error) {
	if s.secret == "" {
		return e, false, fault.New(fault.Forbidden, "This server has no stripe_webhook_secret, so it cannot verify who sent an event and accepts none.")
	}
	signed, err := webhook.ConstructEventWithOptions(payload, signature, s.secret.Reveal(), webhook.ConstructEventOptions{
		Tolerance: signatureAge, IgnoreAPIVersionMismatch: true,
	})
	if err != nil {
		return e, false, fault.New(fault.Forbidden, "The event is not signed by Stripe with this endpoint's secret within the last %s. Check stripe_webhook_secret and the clock.", signatureAge).Because(err)
	}
	if signed.ID == "" || signed.Data == nil {
		return e, false, fault.New(fault.InvalidPayload, "The event has no id or no data.")
	}
	e = event{ID: signed.ID}
	switch signed.Type {
	case stripe.EventTypePaymentIntentSucceeded, stripe.EventTypePaymentIntentPaymentFailed, stripe.EventTypePaymentIntentProcessing,
		stripe.EventTypePaymentIntentCanceled, stripe.EventTypePaymentIntentRequiresAction:
		var intent struct {
			ID             string            `json:"id"`
			AmountReceived int64             `json:"amount_received"`
			Currency       string            `json:"currency"`
			Metadata       map[string]string `json:"metadata"`
		}
		if err := json.Unmarshal(signed.Data.Raw, &intent); err != nil {
			return e, false, fault.New(fault.InvalidPayload, "The payment intent of the event cannot be parsed.").Because(err)
		}
		e.Reference, e.Payment, e.Changed = intent.ID, id.Payment(intent.Metadata[stripePayment]), true
		e.Paid = signed.Type == stripe.EventTypePaymentIntentSucceeded
		e.Amount, e.Currency = intent.AmountReceived, intent.Currency
		return e, e.Reference != "", nil
	case stripe.EventTypeChargeDisputeCreated, stripe.EventTypeChargeDisputeUpdated, stripe.EventTypeChargeDisputeClosed:
		var dispute struct {
			PaymentIntent string `json:"payment_intent"`
			Status        string `json:"status"`
		}
		if err := json.Unmarshal(signed.Data.Raw, &dispute); err != nil {
			return e, false, fault.New(fault.InvalidPayload, "The dispute of the event cannot be parsed.").Because(err)
		}
		e.Reference, e.Dispute = dispute.PaymentIntent, DisputeOpen
		switch stripe.DisputeStatus(dispute.Status) {
		case stripe.DisputeStatusLost:
			e.Dispute = DisputeLost
		case stripe.DisputeStatusWon, stripe.DisputeStatusWarningClosed:
			e.Dispute = DisputeWon
		}
		return e, e.Reference != "", nil
	}
	return e, false, nil
}
