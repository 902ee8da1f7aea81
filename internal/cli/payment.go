package cli

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/billing"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/id"
)

type paymentCommand struct {
	List   paymentListCommand   `cmd:"" help:"List the payments whose outcome is unknown."`
	Settle paymentSettleCommand `cmd:"" help:"Record the outcome of a payment that the provider does not report."`
}

type paymentListCommand struct {
	JSON bool `name:"json" help:"Print the result as JSON, one payment a line."`

	config.Installation
}

type waitingJSON struct {
	InvoiceID   string `json:"invoiceId"`
	WorkspaceID string `json:"workspaceId"`
	Cents       int64  `json:"cents"`
	Currency    string `json:"currency"`
	Since       string `json:"since"`
	Provider    string `json:"provider,omitempty"`
	Reference   string `json:"reference,omitempty"`
	Purchase    bool   `json:"purchase"`
}

// Run lists the payments without an outcome.
func (l *paymentListCommand) Run(ctx context.Context, c console) error {
	return withInstallation(ctx, l.Installation, c, func(it *app.App) error {
		if l.JSON {
			return it.Billing.PaymentsWaiting(ctx, func(w billing.Waiting) error {
				return c.printJSON(waitingJSON{
					InvoiceID: string(w.Invoice), WorkspaceID: string(w.Workspace), Cents: int64(w.Amount), Currency: w.Currency,
					Since: w.Since.Format(time.RFC3339), Provider: w.Provider, Reference: w.Reference, Purchase: w.Purchase,
				})
			})
		}
		table := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "INVOICE\tWORKSPACE\tAMOUNT\tSINCE\tPROVIDER\tREFERENCE\tOF")
		err := it.Billing.PaymentsWaiting(ctx, func(w billing.Waiting) error {
			of := "an invoice"
			if w.Purchase {
				of = "a purchase"
			}
			_, err := fmt.Fprintf(table, "%s\t%s\t%s %s\t%s\t%s\t%s\t%s\n", w.Invoice, w.Workspace, w.Amount, w.Currency,
				w.Since.Format(time.RFC3339), w.Provider, w.Reference, of)
			return err
		})
		if err != nil {
			return err
		}
		return table.Flush()
	})
}

type paymentSettleCommand struct {
	ID     string `arg:"" help:"The id of the payment's invoice, as in botyard payment list."`
	As     string `name:"as" required:"" enum:"paid,declined" help:"The outcome according to the provider's own pages: ${enum}."`
	Reason string `name:"reason" required:"" help:"How you know, which is kept with the payment."`
	JSON   bool   `name:"json" help:"Print the result as JSON."`

	config.Installation
}

// Run settles a payment.
func (s *paymentSettleCommand) Run(ctx context.Context, c console) error {
	return withInstallation(ctx, s.Installation, c, func(it *app.App) error {
		if err := it.Billing.SettlePayment(ctx, id.Invoice(s.ID), s.As == "paid", s.Reason); err != nil {
			return err
		}
		if s.JSON {
			return c.printJSON(map[string]string{"invoiceId": s.ID, "settledAs": s.As})
		}
		_, err := fmt.Fprintf(c.out, "The payment of %s is settled as %s.\n", s.ID, s.As)
		return err
	})
}
