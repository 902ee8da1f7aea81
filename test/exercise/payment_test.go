package exercise_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/workspace"
	"github.com/botyard/botyard/test/harness"
	"github.com/botyard/botyard/test/stripe"
)

// issued is an invoice as the v1 list shows it.
type issued struct {
	ID                     string
	Amount                 float64
	PaymentStatus          string
	PaymentAttemptCount    int
	NextPaymentAttemptDate *time.Time
	PDFURL                 string
}

func issuedInvoices(t *testing.T, a *harness.Actor) []issued {
	t.Helper()
	var out struct{ Invoices []issued }
	a.Do(t, "GET", workspacesPath+"/"+a.Workspace+"/billing/invoices", nil, &out)
	return out.Invoices
}

func setCard(t *testing.T, a *harness.Actor, method string) {
	t.Helper()
	a.Do(t, "POST", billingPath+"/payment-methods", object{"paymentMethodId": method}, nil)
}

func status(t *testing.T, a *harness.Actor) string {
	t.Helper()
	var sub subscription
	a.Do(t, "GET", billingPath+"/subscriptions", nil, &sub)
	return sub.Plan.Current.Status
}

func isBlocked(t *testing.T, a *harness.Actor) bool {
	t.Helper()
	var w struct{ Blocked bool }
	a.Do(t, "GET", workspacesPath+"/"+a.Workspace, nil, &w)
	return w.Blocked
}

func advance(t *testing.T, s *harness.Server, by time.Duration) {
	t.Helper()
	if _, err := development(s).Advance(by); err != nil {
		t.Fatal(err)
	}
}

func payPath(invoice string) string { return billingPath + "/invoices/" + invoice + "/pay" }

// customer is a person on the plan plus who owes its first invoice.
func customer(t *testing.T, s *harness.Server) (a *harness.Actor, invoice string) {
	t.Helper()
	a = s.Person(t)
	setPlan(t, s, a, workspace.Community)
	a.Do(t, "PUT", billingPath+"/plans", object{"planId": "plus", "interval": "month"}, nil)
	list := issuedInvoices(t, a)
	if len(list) != 1 || list[0].PaymentStatus != "open" || list[0].Amount <= 0 {
		t.Fatalf("the invoices are %+v", list)
	}
	return a, list[0].ID
}

// tries waits until an invoice was tried so often, and answers it.
func tries(t *testing.T, a *harness.Actor, invoice string, n int) (i issued) {
	t.Helper()
	harness.Eventually(t, fmt.Sprintf("%d tries", n), func() bool {
		list := issuedInvoices(t, a)
		i = list[slices.IndexFunc(list, func(i issued) bool { return i.ID == invoice })]
		return i.PaymentAttemptCount >= n
	})
	if i.PaymentAttemptCount != n {
		t.Errorf("%d tries, want %d", i.PaymentAttemptCount, n)
	}
	return i
}

// A declined card: past due, tried again by day, blocked; a good card lifts it.
func TestDunning(t *testing.T) {
	harness.RunAlone(t, nil, func(t *testing.T, s *harness.Server) {
		a, invoice := customer(t, s)
		bot := createBot(t, a, object{"name": "works"})["id"].(string)
		setCard(t, a, "pm_card_chargeDeclined")
		first := tries(t, a, invoice, 1)
		if status(t, a) != "past_due" || isBlocked(t, a) {
			t.Errorf("after the first refusal: %s, blocked %t", status(t, a), isBlocked(t, a))
		}
		day := 0
		for n, at := range []int{1, 3, 5, 7} {
			next := first.NextPaymentAttemptDate
			if next == nil {
				t.Fatalf("no try is to follow on day %d", at)
			}
			if days := next.Sub(s.Clock.Now()).Hours() / 24; days > float64(at-day) || days < float64(at-day)-0.1 {
				t.Errorf("try %d is in %.3f days, want %d", n+2, days, at-day)
			}
			a.Do(t, "PUT", botsPath+"/"+bot, object{"name": fmt.Sprint("day ", day)}, nil)
			advance(t, s, time.Duration(at-day)*24*time.Hour)
			day = at
			first = tries(t, a, invoice, n+2)
		}
		if first.NextPaymentAttemptDate != nil || !isBlocked(t, a) || status(t, a) != "canceled" {
			t.Errorf("after the last refusal: next %v, blocked %t, %s", first.NextPaymentAttemptDate, isBlocked(t, a), status(t, a))
		}
		a.Refused(t, fault.PaymentRequired, []string{"blocked", a.Workspace, "/pay"}, "PUT", botsPath+"/"+bot, object{"name": "no"})
		a.Do(t, "GET", botsPath+"/"+bot, nil, nil)
		if told := issuesOf(t, a, bot, 1)[0]; told["code"] != "workspace_blocked" {
			t.Errorf("the owner of the bot is told %v", told)
		}
		a.Refused(t, fault.PaymentRequired, []string{"declined"}, "POST", payPath(invoice), object{})
		if !isBlocked(t, a) {
			t.Error("a payment that was refused lifted the block")
		}
		setCard(t, a, "pm_card_visa")
		harness.Eventually(t, "the block to be lifted by a good card", func() bool { return !isBlocked(t, a) })
		if got := issuedInvoices(t, a); got[len(got)-1].PaymentStatus != "paid" || status(t, a) != "active" {
			t.Errorf("after the payment: %+v, %s", got, status(t, a))
		}
		a.Do(t, "PUT", botsPath+"/"+bot, object{"name": "again"}, nil)
		issuesOf(t, a, bot, 1) // blocked once, and told of once
		var records struct {
			Records []struct{ Action, Value string }
		}
		a.Do(t, "GET", workspacesPath+"/"+a.Workspace+"/audit-records?pageSize=100", nil, &records)
		told := fmt.Sprint(records.Records)
		for _, says := range []string{"{UPDATE_PAYMENT_METHOD visa ending in 0002}", "{UPDATE_PAYMENT_METHOD visa ending in 4242}", "blocked=true", "blocked=false"} {
			if !strings.Contains(told, says) {
				t.Errorf("the audit trail does not say %s: %s", says, told)
			}
		}
	})
}

// Paying by hand, one and all, again, at once and what is none of one's own.
func TestPayInvoice(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, invoice := customer(t, s)
		var none struct{ PaymentMethod any }
		a.Do(t, "GET", billingPath+"/payment-methods", nil, &none)
		if none.PaymentMethod != nil {
			t.Errorf("before one is set: %v", none)
		}
		a.Refused(t, fault.PaymentRequired, []string{"No payment method"}, "POST", payPath(invoice), object{})
		a.Refused(t, fault.InvalidPayload, []string{"pm_nothing", "pm_card_visa"}, "POST", billingPath+"/payment-methods", object{"paymentMethodId": "pm_nothing"})
		for _, wrong := range []object{{}, {"paymentMethodId": ""}, {"paymentMethodId": 5}, {"paymentMethodId": strings.Repeat("p", 256)}} {
			a.Refused(t, fault.InvalidPayload, []string{"paymentMethodId"}, "POST", billingPath+"/payment-methods", wrong)
		}
		var intent struct{ ClientSecret string }
		a.Do(t, "POST", billingPath+"/payment-methods/intent", object{}, &intent)
		if intent.ClientSecret == "" {
			t.Error("the intent has no secret")
		}
		var failed struct {
			ChargedInvoices []struct{ ID string }
			FailedInvoices  []struct {
				ID, FailedReason string
				Amount           float64
			}
		}
		charge := workspacesPath + "/" + a.Workspace + "/billing/invoices/charge-unpaid"
		a.Do(t, "POST", charge, object{}, &failed)
		if len(failed.ChargedInvoices) != 0 || len(failed.FailedInvoices) != 1 || failed.FailedInvoices[0].ID != invoice || !strings.Contains(failed.FailedInvoices[0].FailedReason, "No payment method") {
			t.Errorf("charging without a method: %+v", failed)
		}
		stranger := s.Person(t)
		missing := stranger.Ask(t, "POST", payPath("invoice_0"), object{})
		foreign := stranger.Ask(t, "POST", payPath(invoice), object{})
		if strings.Replace(foreign.WithoutID(), invoice, "invoice_0", 1) != missing.WithoutID() {
			t.Errorf("foreign: %s\nmissing: %s", foreign.Body, missing.Body)
		}
		stranger.Refused(t, fault.ResourceNotFound, []string{invoice}, "POST", workspacesPath+"/"+stranger.Workspace+"/billing/invoices/charge-unpaid", object{"invoiceIds": []string{invoice}})
		a.Refused(t, fault.InvalidPayload, []string{"invoiceIds"}, "POST", charge, object{"invoiceIds": []string{}})
		a.Refused(t, fault.InvalidPayload, []string{"idempotencyKey", "255"}, "POST", payPath(invoice), object{"idempotencyKey": strings.Repeat("k", 256)})

		var method struct {
			ID, Type string
			Card     struct{ LastFour string }
		}
		a.Do(t, "POST", billingPath+"/payment-methods", object{"paymentMethodId": "pm_card_mastercard"}, &method)
		if method.ID != "pm_card_mastercard" || method.Type != "card" || method.Card.LastFour != "4444" {
			t.Errorf("the method is %+v", method)
		}
		// Setting it has the invoice charged too: whoever comes second finds it paid.
		var paid invoicePaid
		a.Do(t, "POST", payPath(invoice), object{"idempotencyKey": "one"}, &paid)
		a.Do(t, "POST", payPath(invoice), object{"idempotencyKey": "one"}, &paid)
		a.Do(t, "POST", payPath(invoice), nil, &paid, "Idempotency-Key", "two")
		if paid.Status != "paid" || paid.ID != invoice {
			t.Errorf("paid: %+v", paid)
		}
		var n int
		row := s.DB.Reader(t.Context()).QueryRow(t.Context(), `SELECT COUNT(*) FROM payment_attempts WHERE invoice_id = $1 AND state = 'paid'`, invoice)
		if err := row.Scan(&n); err != nil || n != 1 {
			t.Errorf("%d payments, %v", n, err)
		}
		a.Do(t, "POST", charge, object{"invoiceIds": []string{invoice}}, &failed)
		if len(failed.ChargedInvoices) != 0 || len(failed.FailedInvoices) != 1 || !strings.Contains(failed.FailedInvoices[0].FailedReason, "paid already") {
			t.Errorf("charging what is paid: %+v", failed)
		}
		// The paper is at the address that the list answers, for a day.
		list := issuedInvoices(t, a)
		pdf := stranger.As("").In("").Ask(t, "GET", strings.TrimPrefix(list[0].PDFURL, s.Base), nil)
		if pdf.Status != http.StatusOK || !bytes.HasPrefix(pdf.Body, []byte("%PDF-")) || pdf.Header.Get("Content-Type") != "application/pdf" {
			t.Errorf("the PDF: %d %.100s", pdf.Status, pdf.Body)
		}
	})
}

type invoicePaid struct{ ID, Status string }

// serveStripe runs a behaviour on servers that take payments by a fake of Stripe.
func serveStripe(t *testing.T, behaviour func(t *testing.T, s *harness.Server, f *stripe.Fake)) {
	for _, engine := range harness.Engines {
		t.Run(string(engine), func(t *testing.T) {
			f := stripe.New(t)
			s := harness.Start(t, engine, stripeFlags(f)...)
			behaviour(t, s, f)
		})
	}
}

func stripeFlags(f *stripe.Fake) []string {
	return []string{"--payment-provider", "stripe", "--stripe-key", stripe.Key, "--stripe-webhook-secret", stripe.WebhookSecret, "--stripe-url", f.URL}
}

// debtor is a customer of Stripe's with an open invoice: of the month that begins,
// charged to a card that is declined by then.
func debtor(t *testing.T, s *harness.Server) (a *harness.Actor, invoice string) {
	t.Helper()
	a = s.Person(t)
	setPlan(t, s, a, workspace.Community)
	setCard(t, a, "pm_card_visa")
	a.Do(t, "PUT", billingPath+"/plans", object{"planId": "plus", "interval": "month"}, nil)
	setCard(t, a, "pm_card_chargeDeclined")
	toMonth(t, s, 1)
	harness.Eventually(t, "the invoice of the new month", func() bool {
		list := issuedInvoices(t, a)
		invoice = list[0].ID
		return len(list) == 2
	})
	tries(t, a, invoice, 1)
	return a, invoice
}

// send sends an event to the server as Stripe does, and answers the status.
func send(t *testing.T, s *harness.Server, payload []byte, header string) harness.Answer {
	t.Helper()
	nobody := &harness.Actor{Client: s.Client}
	return nobody.Ask(t, "POST", "/webhooks/stripe", payload, "Stripe-Signature", header)
}

// A declined purchase buys nothing; outcomes that are not known are found out, and
// nothing is charged twice, whoever pays how often at once.
func TestStripePayments(t *testing.T) {
	serveStripe(t, func(t *testing.T, s *harness.Server, f *stripe.Fake) {
		a := s.Person(t)
		setPlan(t, s, a, workspace.Community)
		plus := object{"planId": "plus", "interval": "month"}
		a.Refused(t, fault.PaymentRequired, []string{"No payment method"}, "PUT", billingPath+"/plans", plus)
		setCard(t, a, "pm_card_chargeDeclined")
		a.Refused(t, fault.PaymentRequired, []string{"declined"}, "PUT", billingPath+"/plans", plus)
		if list := issuedInvoices(t, a); len(list) != 0 {
			t.Errorf("a purchase that was declined left %+v", list)
		}

		b, invoice := debtor(t, s)
		setCard(t, b, "pm_card_authenticationRequired")
		tries(t, b, invoice, 2)
		if got := status(t, b); got != "action_required" {
			t.Errorf("when the bank wants the payer: %s", got)
		}
		// The answer is lost after the money was taken.
		f.OnStep(func(step string) stripe.Trouble {
			if step == "confirm" {
				return stripe.LostAnswer
			}
			return stripe.NoTrouble
		})
		setCard(t, b, "pm_card_visa")
		harness.Eventually(t, "the charge", func() bool { _, n := f.Taken(invoice); return n == 1 })
		f.OnStep(nil)
		var wins atomic.Int64
		harness.Together(t, 32, func(int) error {
			answer, err := b.Try(t.Context(), "POST", payPath(invoice), object{})
			if err == nil && answer.Status == http.StatusOK {
				wins.Add(1)
			} else if err == nil && answer.Status != http.StatusConflict {
				err = fmt.Errorf("paying at once answered %d: %s", answer.Status, answer.Body)
			}
			return err
		})
		advance(t, s, 3*time.Minute)
		harness.Eventually(t, "the outcome", func() bool { return issuedInvoices(t, b)[0].PaymentStatus == "paid" })
		amount, times := f.Taken(invoice)
		if times != 1 || amount != 8900 {
			t.Errorf("%d cents were taken, in %d payments; %d requests paid", amount, times, wins.Load())
		}
	})
}

// Events: forged, of other amounts, twice, late, in the wrong order, of disputes.
func TestStripeWebhooks(t *testing.T) {
	serveStripe(t, func(t *testing.T, s *harness.Server, f *stripe.Fake) {
		a, invoice := debtor(t, s)
		sign := func(payload []byte) string { return stripe.Sign(payload, stripe.WebhookSecret, time.Now()) }
		intentOf := func(invoice string) string {
			list := f.Intents()
			return list[slices.IndexFunc(list, func(i stripe.Intent) bool { return i.Metadata["botyard_invoice"] == invoice })].ID
		}
		declined := intentOf(invoice)
		object := f.Object(declined)
		paidObject := f.Object(declined)
		paidObject["amount_received"], paidObject["status"] = 8900, "succeeded"
		success := stripe.Event("evt_paid", "payment_intent.succeeded", paidObject)
		open := func() bool { return issuedInvoices(t, a)[0].PaymentStatus == "open" }

		for name, header := range map[string]string{"unsigned": "", "forged": stripe.Sign(success, "whsec_x", time.Now()), "replayed": stripe.Sign(success, stripe.WebhookSecret, time.Now().Add(-time.Hour))} {
			if answer := send(t, s, success, header); answer.Status != http.StatusForbidden || !open() {
				t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
			}
		}
		wrong := f.Object(declined)
		wrong["amount_received"] = 100
		foreign := f.Object(declined)
		foreign["id"], foreign["metadata"] = "pi_foreign", map[string]string{}
		for name, payload := range map[string][]byte{
			"another amount": stripe.Event("evt_wrong", "payment_intent.succeeded", wrong),
			"not ours":       stripe.Event("evt_foreign", "payment_intent.succeeded", foreign),
			"of no matter":   stripe.Event("evt_customer", "customer.updated", object),
			"failed again":   stripe.Event("evt_failed", "payment_intent.payment_failed", object),
		} {
			if answer := send(t, s, payload, sign(payload)); answer.Status != http.StatusOK || !open() {
				t.Errorf("%s: %d %s, open %t", name, answer.Status, answer.Body, open())
			}
		}
		if answer := send(t, s, bytes.Repeat([]byte("x"), 300<<10), ""); answer.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("a huge event: %d", answer.Status)
		}
		// The charge succeeded after all, and is told of twice and again late.
		for range 3 {
			if answer := send(t, s, success, sign(success)); answer.Status != http.StatusOK {
				t.Errorf("paid: %d %s", answer.Status, answer.Body)
			}
		}
		late := stripe.Event("evt_late", "payment_intent.payment_failed", object)
		send(t, s, late, sign(late))
		if open() || status(t, a) != "active" {
			t.Errorf("after the events: %+v, %s", issuedInvoices(t, a)[0], status(t, a))
		}
		// A dispute that is lost, told of before it is told that it began.
		dispute := func(id, kind, status string) {
			t.Helper()
			payload := stripe.Event(id, kind, map[string]any{"id": "dp_1", "object": "dispute", "payment_intent": declined, "status": status})
			if answer := send(t, s, payload, sign(payload)); answer.Status != http.StatusOK {
				t.Errorf("%s: %d %s", kind, answer.Status, answer.Body)
			}
		}
		dispute("evt_closed", "charge.dispute.closed", "lost")
		dispute("evt_created", "charge.dispute.created", "needs_response")
		if got := issuedInvoices(t, a)[0]; got.PaymentStatus != "uncollectible" || !isBlocked(t, a) {
			t.Errorf("after a lost dispute: %+v, blocked %t", got, isBlocked(t, a))
		}
		// The customer pays it with another card.
		setCard(t, a, "pm_card_visa")
		a.Do(t, "POST", payPath(invoice), nil, nil)
		if isBlocked(t, a) || issuedInvoices(t, a)[0].PaymentStatus != "paid" {
			t.Error("the payment did not lift the block")
		}
		// A charge that was declined succeeded, but its invoice was paid by another card:
		// what nobody owes is given back.
		b, second := debtor(t, s)
		surplus := intentOf(second)
		setCard(t, b, "pm_card_visa")
		b.Do(t, "POST", payPath(second), nil, nil)
		f.Succeed(surplus)
		again := f.Object(surplus)
		twice := stripe.Event("evt_surplus", "payment_intent.succeeded", again)
		send(t, s, twice, sign(twice))
		harness.Eventually(t, "the refund", func() bool { _, times := f.Taken(second); return times == 1 })
		refunded := f.Intents()
		if i := slices.IndexFunc(refunded, func(i stripe.Intent) bool { return i.ID == surplus }); !refunded[i].Refunded {
			t.Errorf("the other charge was refunded: %+v", refunded)
		}
	})
}
