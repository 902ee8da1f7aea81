package billing

import (
	"strings"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/secret"
	"github.com/botyard/botyard/test/stripe"
)

func stripeAt(url string) *Stripe {
	return NewStripe(StripeOptions{Key: stripe.Key, WebhookSecret: stripe.WebhookSecret, URL: url})
}

// Every request that we make is one that Stripe's own document allows.
func TestStripeMock(t *testing.T) {
	s, ctx := stripeAt(stripe.Mock(t)), t.Context()
	customer, err := s.Customer(ctx, "wkspace_1", "Ünïque Ltd", "a@example.com")
	if err != nil || !strings.HasPrefix(customer, "cus_") {
		t.Fatalf("customer %q: %v", customer, err)
	}
	if intent, err := s.Intent(ctx, customer); err != nil || !strings.Contains(intent, "_secret_") {
		t.Errorf("setup intent %q: %v", intent, err)
	}
	m, err := s.Attach(ctx, customer, "pm_card_visa")
	if err != nil || m.Type != "card" || m.Card == nil || len(m.Card.LastFour) != 4 || m.Card.ExpYear == 0 {
		t.Errorf("method %+v: %v", m, err)
	}
	a := Attempt{ID: "payment_1", Workspace: "wkspace_1", Invoice: "invoice_1", Customer: customer, Method: m.ID, Amount: 8900, Currency: "usd"}
	if a.Reference, err = s.Prepare(ctx, a); err != nil || !strings.HasPrefix(a.Reference, "pi_") {
		t.Errorf("payment intent %q: %v", a.Reference, err)
	}
	for name, ask := range map[string]func() (Outcome, error){
		"confirm": func() (Outcome, error) { return s.Confirm(ctx, a) },
		"look":    func() (Outcome, error) { return s.Look(ctx, a) },
	} {
		// stripe-mock remembers nothing: its one intent needs a method.
		if o, err := ask(); err != nil || o.State == "" {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
	if err := s.Refund(ctx, a); err != nil {
		t.Errorf("refund: %v", err)
	}
}

// What Stripe says of a charge is understood, and what it does not say is unknown.
func TestStripeOutcomes(t *testing.T) {
	f := stripe.New(t)
	s, ctx := stripeAt(f.URL), t.Context()
	customer, err := s.Customer(ctx, "wkspace_1", "W", "")
	if err != nil {
		t.Fatal(err)
	}
	begin := func(name, method string) Attempt {
		t.Helper()
		a := Attempt{ID: "payment_" + id.Payment(name), Invoice: "invoice_1", Customer: customer, Method: method, Amount: 100, Currency: "usd"}
		a.Reference, err = s.Prepare(ctx, a)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for method, want := range map[string]Outcome{
		"pm_card_visa":                   {State: AttemptPaid},
		"pm_card_chargeDeclined":         {AttemptDeclined, "Your card was declined."},
		"pm_card_authenticationRequired": {AttemptActionRequired, "Your card was declined. This transaction requires authentication."},
		"pm_card_action":                 {AttemptActionRequired, "The bank wants the cardholder to confirm the payment."},
		"pm_card_slow":                   {State: AttemptPending},
	} {
		a := begin(method, method)
		if o, err := s.Look(ctx, a); err != nil || o.State != AttemptPrepared {
			t.Errorf("%s, prepared: %+v, %v", method, o, err)
		}
		if o, err := s.Confirm(ctx, a); err != nil || o != want {
			t.Errorf("%s: %+v, %v; want %+v", method, o, err, want)
		}
		again, err := s.Confirm(ctx, a)
		if method == "pm_card_action" {
			want = Outcome{AttemptDeclined, "The payment was cancelled."}
		}
		if err != nil || again.State != want.State {
			t.Errorf("%s, confirmed again: %+v, %v; want %+v", method, again, err, want)
		}
	}
	if _, times := f.Taken("invoice_1"); times != 1 {
		t.Errorf("money was taken %d times", times)
	}
	// Prepared again is the same charge.
	a := begin("twice", "pm_card_visa")
	if again, err := s.Prepare(ctx, a); err != nil || again != a.Reference {
		t.Errorf("prepared again: %q, %v; want %q", again, err, a.Reference)
	}
	for name, trouble := range map[string]stripe.Trouble{"lost": stripe.LostRequest, "unanswered": stripe.LostAnswer, "broken": stripe.ServerError} {
		a := begin(name, "pm_card_visa")
		f.OnStep(func(string) stripe.Trouble { return trouble })
		o, err := s.Confirm(ctx, a)
		if err == nil || fault.Is(err, fault.PaymentRequired) || fault.Is(err, fault.InvalidPayload) {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
		f.OnStep(nil)
		if o, err := s.Confirm(ctx, a); err != nil || o.State != AttemptPaid {
			t.Errorf("%s, asked again: %+v, %v", name, o, err)
		}
	}
	if _, times := f.Taken("invoice_1"); times != 4 {
		t.Errorf("money was taken %d times, for four charges", times)
	}
	if _, err := NewStripe(StripeOptions{Key: "sk_other", URL: f.URL}).Prepare(ctx, a); err == nil || fault.Is(err, fault.InvalidPayload) || fault.Is(err, fault.PaymentRequired) {
		t.Errorf("a key that is not taken is no refusal of the card: %v", err)
	}
	// The payer confirms at the bank while we give up waiting for it.
	faster := begin("faster", "pm_card_action")
	f.OnStep(func(step string) stripe.Trouble {
		if step == "cancel" {
			f.Succeed(faster.Reference)
		}
		return stripe.NoTrouble
	})
	if o, err := s.Confirm(ctx, faster); err == nil || fault.Is(err, fault.InvalidPayload) {
		t.Errorf("a payment that cannot be cancelled: %+v, %v; it is not known to be declined", o, err)
	}
	f.OnStep(nil)
	if o, err := s.Look(ctx, faster); err != nil || o.State != AttemptPaid {
		t.Errorf("looked up: %+v, %v", o, err)
	}
	// Of another account we know nothing.
	elsewhere := a
	elsewhere.Reference = "pi_elsewhere"
	for name, ask := range map[string]func() (Outcome, error){
		"confirm": func() (Outcome, error) { return s.Confirm(ctx, elsewhere) },
		"look":    func() (Outcome, error) { return s.Look(ctx, elsewhere) },
	} {
		if o, err := ask(); err == nil || fault.Is(err, fault.InvalidPayload) || o.State == AttemptDeclined {
			t.Errorf("%s of an intent that is not found: %+v, %v; it is not known to be declined", name, o, err)
		}
	}
	for _, method := range []string{"card", "pm_x/confirm", "pm_card_attachDeclined", "pm_..", "pm_%2e"} {
		if _, err := s.Attach(ctx, customer, method); !fault.Is(err, fault.InvalidPayload) && !fault.Is(err, fault.PaymentRequired) {
			t.Errorf("attaching %q: %v", method, err)
		}
	}
	if err := s.Refund(ctx, begin("none", "pm_card_visa")); err == nil {
		t.Error("a charge that took nothing was refunded")
	}
}

func TestStripeEvents(t *testing.T) {
	s, now := stripeAt(""), time.Now()
	intent := map[string]any{"id": "pi_1", "amount_received": 8900, "currency": "usd", "metadata": map[string]string{"botyard_payment": "payment_1"}}
	dispute := func(status string) any {
		return map[string]any{"id": "dp_1", "payment_intent": "pi_1", "status": status}
	}
	for kind, of := range map[string]struct {
		object any
		want   event
	}{
		"payment_intent.succeeded":      {intent, event{ID: "evt_1", Reference: "pi_1", Payment: "payment_1", Paid: true, Changed: true, Amount: 8900, Currency: "usd"}},
		"payment_intent.payment_failed": {intent, event{ID: "evt_1", Reference: "pi_1", Payment: "payment_1", Changed: true, Amount: 8900, Currency: "usd"}},
		"charge.dispute.created":        {dispute("needs_response"), event{ID: "evt_1", Reference: "pi_1", Dispute: DisputeOpen}},
		"charge.dispute.updated":        {dispute("won"), event{ID: "evt_1", Reference: "pi_1", Dispute: DisputeWon}},
		"charge.dispute.closed":         {dispute("lost"), event{ID: "evt_1", Reference: "pi_1", Dispute: DisputeLost}},
	} {
		payload := stripe.Event("evt_1", kind, of.object)
		got, matters, err := s.event(payload, stripe.Sign(payload, stripe.WebhookSecret, now))
		if err != nil || !matters || got != of.want {
			t.Errorf("%s: %+v, %t, %v", kind, got, matters, err)
		}
	}
	payload := stripe.Event("evt_2", "customer.created", map[string]any{"id": "cus_1"})
	if _, matters, err := s.event(payload, stripe.Sign(payload, stripe.WebhookSecret, now)); err != nil || matters {
		t.Errorf("an event that does not matter: %t, %v", matters, err)
	}
	payload = stripe.Event("evt_1", "payment_intent.succeeded", intent)
	good := stripe.Sign(payload, stripe.WebhookSecret, now)
	for name, forged := range map[string]struct {
		payload []byte
		header  string
	}{
		"unsigned":        {payload, ""},
		"nonsense":        {payload, "t=x,v1=y"},
		"other secret":    {payload, stripe.Sign(payload, "whsec_other", now)},
		"old":             {payload, stripe.Sign(payload, stripe.WebhookSecret, now.Add(-6*time.Minute))},
		"changed":         {[]byte(strings.Replace(string(payload), "8900", "9900", 1)), good},
		"other signature": {payload, strings.Replace(good, "v1=", "v0=", 1)},
	} {
		if e, matters, err := s.event(forged.payload, forged.header); !fault.Is(err, fault.Forbidden) || matters {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	// Clocks that differ by minutes do no harm.
	for _, skew := range []time.Duration{-4 * time.Minute, 4 * time.Minute} {
		if _, _, err := s.event(payload, stripe.Sign(payload, stripe.WebhookSecret, now.Add(skew))); err != nil {
			t.Errorf("%s away: %v", skew, err)
		}
	}
	if _, _, err := NewStripe(StripeOptions{Key: secret.Value("sk_x")}).event(payload, good); !fault.Is(err, fault.Forbidden) {
		t.Errorf("without a secret: %v", err)
	}
}
