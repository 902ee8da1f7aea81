package billing

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// CardDetails is a card as the API shows it.
type CardDetails struct {
	Brand    string  `json:"brand" doc:"The brand, such as visa."`
	LastFour string  `json:"lastFour" doc:"The last four digits."`
	ExpMonth float64 `json:"expMonth" doc:"The month of expiry, 1 to 12."`
	ExpYear  float64 `json:"expYear" doc:"The year of expiry."`
}

// PaymentMethodDetails is the payment method of a workspace.
type PaymentMethodDetails struct {
	ID   string                     `json:"id" doc:"The payment provider's id of the payment method."`
	Type string                     `json:"type" doc:"The kind of payment method, such as card."`
	Card wire.Nullable[CardDetails] `json:"card" doc:"The card; null when the payment method is not a card."`
}

// PaymentMethodAnswer is the answer of getPaymentMethod.
type PaymentMethodAnswer struct {
	PaymentMethod wire.Nullable[PaymentMethodDetails] `json:"paymentMethod" doc:"The payment method; null when none is set."`
}

// SetPaymentMethodBody is the body of setPaymentMethod.
type SetPaymentMethodBody struct {
	PaymentMethodID string `json:"paymentMethodId" doc:"The payment provider's id of the payment method, which the browser received for the intent."`
}

// PaymentMethodIntentAnswer is the answer of createPaymentMethodIntent.
type PaymentMethodIntentAnswer struct {
	ClientSecret string `json:"clientSecret" doc:"The secret with which a browser confirms a payment method at the payment provider."`
}

// PayInvoiceBody is the body of payInvoice.
type PayInvoiceBody struct {
	IdempotencyKey string `json:"idempotencyKey,omitempty" doc:"An idempotency key of at most 255 characters: a request that repeats the key gets the first response and is not charged again."`
}

// ChargeUnpaidBody is the body of chargeWorkspaceUnpaidInvoices.
type ChargeUnpaidBody struct {
	InvoiceIDs []string `json:"invoiceIds,omitempty" minItems:"1" doc:"The invoices, at most 100; all unpaid ones when absent."`
}

// ChargedInvoice is an invoice that was charged.
type ChargedInvoice struct {
	ID     string  `json:"id" doc:"The invoice."`
	Amount float64 `json:"amount" doc:"The amount charged, in US dollars."`
}

// FailedInvoice is an invoice that was not charged.
type FailedInvoice struct {
	ID           string  `json:"id" doc:"The invoice."`
	Amount       float64 `json:"amount" doc:"The amount due, in US dollars."`
	FailedReason string  `json:"failedReason" doc:"Why the charge failed."`
}

// ChargeUnpaidAnswer is the answer of chargeWorkspaceUnpaidInvoices.
type ChargeUnpaidAnswer struct {
	ChargedInvoices []ChargedInvoice `json:"chargedInvoices" doc:"The invoices that are now paid."`
	FailedInvoices  []FailedInvoice  `json:"failedInvoices" doc:"The invoices that could not be charged."`
}

type (
	methodOutput       struct{ Body PaymentMethodAnswer }
	setMethodInput     struct{ Body SetPaymentMethodBody }
	setMethodOutput    struct{ Body PaymentMethodDetails }
	methodIntentOutput struct{ Body PaymentMethodIntentAnswer }
	payInvoiceInput    struct {
		InvoiceID string `path:"invoiceId" doc:"The invoice."`
		Body      *PayInvoiceBody
	}
	payInvoiceOutput  struct{ Body InvoiceDetails }
	chargeUnpaidInput struct {
		ID   string `path:"id" doc:"The workspace's id."`
		Body *ChargeUnpaidBody
	}
	chargeUnpaidOutput struct{ Body ChargeUnpaidAnswer }
)

// maxRequestKey bounds an idempotency key, in bytes.
const maxRequestKey = 255

func mountPayments(m *wire.Mux, s *Service) {
	const path = billingPath + "/payment-methods"
	wire.Register(m, wire.Operation{
		ID: "getPaymentMethod", Method: http.MethodGet, Path: path, Area: "billing",
		Summary: "Get the payment method", Scope: wire.InHeader, Permission: access.BillingRead,
	}, func(ctx context.Context, _ *noInput) (*methodOutput, error) {
		method, found, err := s.PaymentMethod(ctx, access.From(ctx).Workspace)
		if err != nil {
			return nil, err
		}
		out := &methodOutput{}
		if found {
			out.Body.PaymentMethod = wire.Nullable[PaymentMethodDetails]{Value: methodDetails(method), Valid: true}
		}
		return out, nil
	})
	wire.Register(m, wire.Operation{
		ID: "setPaymentMethod", Method: http.MethodPost, Path: path, Area: "billing",
		Summary: "Set the payment method",
		Detail:  "A payment method that a browser registered with the payment provider or, with --dev, a test card such as pm_card_visa. Open invoices are charged to it immediately.",
		Scope:   wire.InHeader, Permission: access.BillingWrite, Outward: true, WhileBlocked: true,
	}, func(ctx context.Context, in *setMethodInput) (*setMethodOutput, error) {
		method, err := s.SetPaymentMethod(ctx, access.From(ctx).Workspace, in.Body.PaymentMethodID)
		if err != nil {
			return nil, err
		}
		return &setMethodOutput{methodDetails(method)}, nil
	})
	wire.Register(m, wire.Operation{
		ID: "createPaymentMethodIntent", Method: http.MethodPost, Path: path + "/intent", Area: "billing",
		Summary: "Create an intent to set the payment method",
		Detail:  "With the secret, a browser hands the card directly to the payment provider, never to this server. The id that the provider returns is then set with setPaymentMethod.",
		Scope:   wire.InHeader, Permission: access.BillingWrite, Outward: true, WhileBlocked: true,
	}, func(ctx context.Context, _ *emptyInput) (*methodIntentOutput, error) {
		clientSecret, err := s.PaymentMethodIntent(ctx, access.From(ctx).Workspace)
		if err != nil {
			return nil, err
		}
		return &methodIntentOutput{PaymentMethodIntentAnswer{clientSecret}}, nil
	})
	wire.Register(m, wire.Operation{
		ID: "payInvoice", Method: http.MethodPost, Path: billingPath + "/invoices/{invoiceId}/pay", Area: "billing",
		Summary: "Pay an invoice",
		Detail:  "Charges the invoice to the workspace's payment method now. A paid invoice is returned unchanged. An invoice is never charged twice concurrently, and payment lifts the workspace's block.",
		Scope:   wire.InHeader, Permission: access.BillingWrite, Outward: true, WhileBlocked: true,
	}, func(ctx context.Context, in *payInvoiceInput) (*payInvoiceOutput, error) {
		request := wire.RepeatKey(ctx)
		if in.Body != nil && in.Body.IdempotencyKey != "" {
			if n := len(in.Body.IdempotencyKey); n > maxRequestKey {
				return nil, fault.New(fault.InvalidPayload, "idempotencyKey has %d bytes; at most %d are allowed, and a UUID is a good one.", n, maxRequestKey)
			}
			request = "body " + in.Body.IdempotencyKey
		}
		i, err := s.Pay(ctx, access.From(ctx).Workspace, id.Invoice(in.InvoiceID), request)
		if err != nil {
			return nil, err
		}
		return &payInvoiceOutput{s.invoiceDetails(i)}, nil
	})
	wire.Register(m, wire.Operation{
		ID: "chargeWorkspaceUnpaidInvoices", Method: http.MethodPost, Path: "/v1/admin/workspaces/{id}/billing/invoices/charge-unpaid", Area: "billing",
		Summary: "Charge a workspace's unpaid invoices",
		Detail:  "Charges the named invoices, or all of them, one by one. The response lists which are paid and why the others are not.",
		Scope:   wire.InPath, Permission: access.BillingWrite, Outward: true, WhileBlocked: true,
	}, func(ctx context.Context, in *chargeUnpaidInput) (*chargeUnpaidOutput, error) {
		var only []id.Invoice
		if in.Body != nil {
			for _, which := range in.Body.InvoiceIDs {
				only = append(only, id.Invoice(which))
			}
		}
		charged, failed, err := s.ChargeUnpaid(ctx, access.From(ctx).Workspace, only, wire.RepeatKey(ctx))
		if err != nil {
			return nil, err
		}
		out := &chargeUnpaidOutput{ChargeUnpaidAnswer{[]ChargedInvoice{}, []FailedInvoice{}}}
		for _, i := range charged {
			out.Body.ChargedInvoices = append(out.Body.ChargedInvoices, ChargedInvoice{string(i.ID), i.Total.Dollars()})
		}
		for _, f := range failed {
			out.Body.FailedInvoices = append(out.Body.FailedInvoices, FailedInvoice{string(f.Invoice.ID), f.Invoice.Total.Dollars(), f.Reason})
		}
		return out, nil
	})
	mountIssuedInvoices(m, s)
	mountStripe(m, s)
	mountPDFs(m, s)
}

func methodDetails(m Method) PaymentMethodDetails {
	d := PaymentMethodDetails{ID: m.ID, Type: m.Type}
	if c := m.Card; c != nil {
		d.Card = wire.Nullable[CardDetails]{Value: CardDetails{c.Brand, c.LastFour, float64(c.ExpMonth), float64(c.ExpYear)}, Valid: true}
	}
	return d
}

const (
	// maxEvent bounds an event of Stripe, in bytes: a real one has a few thousand.
	maxEvent = 256 << 10
	// eventTime bounds how long an event may take to arrive and to be taken in.
	eventTime = 20 * time.Second
)

// mountStripe adds the webhook for Stripe's events. It takes no token: Stripe's signature
// authorises them.
func mountStripe(m *wire.Mux, s *Service) {
	m.Open(wire.Route{Name: "stripe-webhook", Pattern: "/webhooks/stripe", Time: eventTime}, func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			return fault.New(fault.MethodNotFound, "Stripe sends events with POST.")
		}
		provider, ok := s.Provider.(*Stripe)
		if !ok {
			return fault.New(fault.ResourceNotFound, "This server does not take payments through Stripe.")
		}
		payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEvent))
		if err != nil {
			return fault.New(fault.PayloadTooLarge, "An event must have at most %d bytes and arrive within %s.", maxEvent, eventTime).Because(err)
		}
		e, matters, err := provider.event(payload, r.Header.Get("Stripe-Signature"))
		if err == nil && matters {
			err = s.takeEvent(r.Context(), e)
		}
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/json")
		_, err = w.Write([]byte("{}"))
		return err
	})
}

const (
	// papers is the source of downloads that renders invoices.
	papers = "invoice"
	// paperTime is how long the address of a PDF is valid.
	paperTime = 24 * time.Hour
)

// mountPDFs serves invoices as PDFs at signed addresses. They are rendered when they are
// read: an invoice does not change, so neither does its PDF.
func mountPDFs(m *wire.Mux, s *Service) {
	if s == nil {
		return
	}
	m.Downloads(papers, func(ctx context.Context, key string) ([]byte, error) {
		i, found, err := selectInvoiceOf(ctx, s.DB.Reader(ctx), id.Invoice(key))
		if err != nil {
			return nil, err
		}
		if !found || i.Status == Draft {
			return nil, noInvoice(id.Invoice(key))
		}
		return renderPDF(i)
	})
	s.PDFURL = func(i Invoice) string {
		// Rounded, so that the address stays the same for a while.
		until := s.Clock.Now().Truncate(time.Hour).Add(paperTime)
		url, err := m.DownloadURL(wire.Download{Source: papers, Key: string(i.ID), Name: InvoiceNumber(i.Number) + ".pdf", Type: "application/pdf", Until: until})
		if err != nil {
			s.Log.Error("the address of an invoice's PDF cannot be made", "invoice", i.ID, "error", err)
			return ""
		}
		return url
	}
}
