package billing

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/internal/wire"
)

// InvoiceDetails is an invoice as the v2 API shows it.
type InvoiceDetails struct {
	ID          string                `json:"id" doc:"The invoice."`
	Amount      float64               `json:"amount" doc:"The amount due, in US dollars."`
	Currency    string                `json:"currency" doc:"The currency, such as usd."`
	Status      string                `json:"status" enum:"draft,open,paid,uncollectible,void" doc:"The status."`
	CreatedAt   string                `json:"createdAt" doc:"When the invoice was issued."`
	PeriodStart wire.Nullable[string] `json:"periodStart" doc:"The start of the month that the invoice covers."`
	PeriodEnd   wire.Nullable[string] `json:"periodEnd" doc:"The end of the month that the invoice covers."`
	DueDate     wire.Nullable[string] `json:"dueDate" doc:"When the invoice is due."`
	PDFURL      wire.Nullable[string] `json:"pdfUrl" doc:"The URL of the invoice as a PDF; it expires."`
}

// InvoiceList is the answer of listInvoices.
type InvoiceList struct {
	Invoices []InvoiceDetails `json:"invoices" doc:"Newest first."`
	Meta     wire.Meta        `json:"meta" doc:"The cursor of the next page."`
}

// InvoicePeriod is a month.
type InvoicePeriod struct {
	Month float64 `json:"month" doc:"1 to 12."`
	Year  float64 `json:"year" doc:"The year."`
}

// UpcomingLine is a line of the upcoming invoice.
type UpcomingLine struct {
	ID                  string                 `json:"id" doc:"The line item's id."`
	Description         string                 `json:"description" doc:"The text shown on the invoice."`
	TotalInCents        float64                `json:"totalInCents" doc:"The amount in cents; negative for a deduction."`
	Currency            string                 `json:"currency" maxLength:"3" doc:"The currency, such as usd."`
	PricePerUnitInCents wire.Nullable[float64] `json:"pricePerUnitInCents" doc:"The unit price, in cents."`
	Quantity            wire.Nullable[float64] `json:"quantity" doc:"The quantity."`
	Type                string                 `json:"type" enum:"invoiceitem,subscription" doc:"The kind of line: subscription, for the plan and the add-ons."`
	PeriodStart         Date                   `json:"periodStart" doc:"The first day covered."`
	PeriodEnd           Date                   `json:"periodEnd" doc:"The end of the period covered, exclusive."`
}

// UpcomingInvoice is the answer of getUpcomingInvoice.
type UpcomingInvoice struct {
	Total     float64        `json:"total" doc:"The amount due, in US dollars."`
	LineItems []UpcomingLine `json:"lineItems" doc:"The line items so far."`
}

// Date is a day, UTC, or null.
type Date time.Time

// MarshalJSONTo writes the day, or null for the zero time.
func (d Date) MarshalJSONTo(enc *jsontext.Encoder) error {
	if time.Time(d).IsZero() {
		return enc.WriteToken(jsontext.Null)
	}
	return enc.WriteToken(jsontext.String(time.Time(d).UTC().Format(time.DateOnly)))
}

// Schema is that of a date or null.
func (Date) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date", Nullable: true}
}

type (
	listInvoicesInput struct {
		wire.PageQuery
	}
	listInvoicesOutput struct{ Body InvoiceList }
	upcomingOutput     struct{ Body UpcomingInvoice }
)

func mountInvoices(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{
		ID: "listInvoices", Method: http.MethodGet, Path: billingPath + "/invoices", Area: "billing",
		Summary: "List the workspace's invoices", Detail: "Newest first.", Scope: wire.InHeader, Permission: access.BillingRead,
	}, func(ctx context.Context, in *listInvoicesInput) (*listInvoicesOutput, error) {
		page, err := m.Page(ctx, in.PageQuery)
		if err != nil {
			return nil, err
		}
		return s.list(ctx, m, page)
	})
	wire.Register(m, wire.Operation{
		ID: "getUpcomingInvoice", Method: http.MethodGet, Path: "/v1/admin/workspaces/{id}/billing/upcoming-invoice", Area: "billing",
		Summary: "Get the upcoming invoice",
		Detail:  "A projection that assumes no further purchases or usage: next month's plan and add-ons, and this month's AI spend.",
		Scope:   wire.InPath, Permission: access.BillingRead,
	}, func(ctx context.Context, _ *workspaceIDInput) (*upcomingOutput, error) {
		_, lines, err := s.Upcoming(ctx, access.From(ctx).Workspace)
		if err != nil {
			return nil, err
		}
		return &upcomingOutput{s.upcomingDetails(lines)}, nil
	})
}

func (s *Service) list(ctx context.Context, m *wire.Mux, page db.Page) (*listInvoicesOutput, error) {
	list, next, err := s.Invoices(ctx, access.From(ctx).Workspace, page)
	if err != nil {
		return nil, err
	}
	out := &listInvoicesOutput{InvoiceList{[]InvoiceDetails{}, m.Meta(ctx, next)}}
	for _, i := range list {
		out.Body.Invoices = append(out.Body.Invoices, s.invoiceDetails(i))
	}
	return out, nil
}

func (s *Service) invoiceDetails(i Invoice) InvoiceDetails {
	d := InvoiceDetails{
		ID: string(i.ID), Amount: i.Total.Dollars(), Currency: i.Currency, Status: string(i.Status), CreatedAt: text(i.CreatedAt),
		PeriodStart: textOr(i.Period.Start), PeriodEnd: textOr(i.Period.End), DueDate: textOr(i.DueAt),
	}
	if s.PDFURL != nil {
		d.PDFURL = wordOr(s.PDFURL(i))
	}
	return d
}

func (s *Service) upcomingDetails(lines []Line) UpcomingInvoice {
	u := UpcomingInvoice{LineItems: []UpcomingLine{}}
	var total plan.Cents
	for n, l := range lines {
		kind := "invoiceitem"
		if l.Kind == PlanLine || l.Kind == AddonLine {
			kind = "subscription"
		}
		u.LineItems = append(u.LineItems, UpcomingLine{
			ID: strconv.Itoa(n+1) + "_" + l.ID, Description: l.Description, TotalInCents: float64(l.Amount), Currency: s.Plans.Currency,
			PricePerUnitInCents: numberOr(float64(l.UnitPrice)), Quantity: numberOr(float64(l.Quantity)), Type: kind,
			PeriodStart: Date(l.From), PeriodEnd: Date(l.Until),
		})
		total += l.Amount
	}
	u.Total = total.Dollars()
	return u
}
