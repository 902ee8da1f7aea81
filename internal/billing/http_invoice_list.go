package billing

import (
	"context"
	"net/http"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/wire"
)

// IssuedInvoice is an invoice as the v1 API shows it.
type IssuedInvoice struct {
	ID                     string                   `json:"id" doc:"The invoice."`
	Period                 InvoicePeriod            `json:"period" doc:"The month that the invoice covers."`
	Date                   wire.Time                `json:"date" doc:"When the invoice was issued."`
	Amount                 float64                  `json:"amount" doc:"The amount due, in US dollars."`
	Currency               string                   `json:"currency" maxLength:"3" doc:"The currency, such as usd."`
	PaymentStatus          wire.Nullable[string]    `json:"paymentStatus" enum:"deleted,draft,open,paid,uncollectible,void" doc:"The status."`
	DueDate                string                   `json:"dueDate,omitempty" doc:"When the invoice is due."`
	PaymentAttemptCount    wire.Nullable[float64]   `json:"paymentAttemptCount" doc:"How many payment attempts have failed."`
	NextPaymentAttemptDate wire.Nullable[wire.Time] `json:"nextPaymentAttemptDate" doc:"When payment is attempted next; null when no attempt is scheduled."`
	PDFURL                 string                   `json:"pdfUrl" format:"uri" doc:"The URL of the invoice as a PDF; it expires."`
}

// IssuedInvoiceList is the answer of listWorkspaceInvoices.
type IssuedInvoiceList struct {
	Invoices []IssuedInvoice `json:"invoices" doc:"Newest first."`
}

type issuedInvoicesOutput struct{ Body IssuedInvoiceList }

func mountIssuedInvoices(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{
		ID: "listWorkspaceInvoices", Method: http.MethodGet, Path: "/v1/admin/workspaces/{id}/billing/invoices", Area: "billing",
		Summary: "List a workspace's invoices", Detail: "All invoices, newest first, with their payment status.", Scope: wire.InPath, Permission: access.BillingRead,
	}, func(ctx context.Context, _ *workspaceIDInput) (*issuedInvoicesOutput, error) {
		list, _, err := s.Invoices(ctx, access.From(ctx).Workspace, db.Page{})
		if err != nil {
			return nil, err
		}
		out := &issuedInvoicesOutput{IssuedInvoiceList{[]IssuedInvoice{}}}
		for _, i := range list {
			out.Body.Invoices = append(out.Body.Invoices, s.issuedInvoice(i))
		}
		return out, nil
	})
}

func (s *Service) issuedInvoice(i Invoice) IssuedInvoice {
	return IssuedInvoice{
		ID: string(i.ID), Period: InvoicePeriod{float64(i.Period.Start.Month()), float64(i.Period.Start.Year())}, Date: wire.TimeOf(i.CreatedAt),
		Amount: i.Total.Dollars(), Currency: i.Currency, PaymentStatus: wordOr(string(i.Status)), DueDate: text(i.DueAt),
		PaymentAttemptCount:    wire.Nullable[float64]{Value: float64(i.Attempts), Valid: true},
		NextPaymentAttemptDate: wire.Nullable[wire.Time]{Value: wire.TimeOf(i.NextAttempt), Valid: !i.NextAttempt.IsZero()},
		PDFURL:                 s.PDFURL(i),
	}
}
