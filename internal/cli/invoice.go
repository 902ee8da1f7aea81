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
	"github.com/botyard/botyard/internal/plan"
)

type invoiceCommand struct {
	List     invoiceListCommand     `cmd:"" help:"List the invoices of all workspaces in one state, oldest first."`
	MarkPaid invoiceMarkPaidCommand `cmd:"" help:"Record that an invoice was paid. When nothing more is due, its workspace is unblocked."`
	Void     invoiceVoidCommand     `cmd:"" help:"Void an unpaid invoice: nobody owes it any more."`
	Credit   invoiceCreditCommand   `cmd:"" help:"Credit an amount of a paid invoice to the balance of its workspace."`
}

type invoiceListCommand struct {
	Status string `name:"status" default:"open" enum:"open,paid,uncollectible,void" help:"The state: ${enum}."`
	JSON   bool   `name:"json" help:"Print the result as JSON, one invoice a line."`

	config.Installation
}

type invoiceJSON struct {
	ID             string `json:"id"`
	Number         string `json:"number"`
	WorkspaceID    string `json:"workspaceId"`
	BilledTo       string `json:"billedTo"`
	Status         string `json:"status"`
	TotalCents     int64  `json:"totalCents"`
	Currency       string `json:"currency"`
	CreatedAt      string `json:"createdAt"`
	DueAt          string `json:"dueAt"`
	FailedAttempts int64  `json:"failedAttempts"`
	Reason         string `json:"reason,omitempty"`
}

func printed(i billing.Invoice) invoiceJSON {
	return invoiceJSON{
		ID: string(i.ID), Number: billing.InvoiceNumber(i.Number), WorkspaceID: string(i.Workspace), BilledTo: i.BillTo.Name,
		Status: string(i.Status), TotalCents: int64(i.Total), Currency: i.Currency, CreatedAt: i.CreatedAt.Format(time.RFC3339),
		DueAt: i.DueAt.Format(time.RFC3339), FailedAttempts: i.Attempts, Reason: i.Reason,
	}
}

// Run lists invoices.
func (l *invoiceListCommand) Run(ctx context.Context, c console) error {
	return withInstallation(ctx, l.Installation, c, func(it *app.App) error {
		if l.JSON {
			return it.Billing.InvoicesIn(ctx, billing.InvoiceStatus(l.Status), func(i billing.Invoice) error { return c.printJSON(printed(i)) })
		}
		table := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tNUMBER\tWORKSPACE\tBILLED TO\tTOTAL\tDUE\tFAILED ATTEMPTS")
		err := it.Billing.InvoicesIn(ctx, billing.InvoiceStatus(l.Status), func(i billing.Invoice) error {
			_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%q\t%s %s\t%s\t%d\n", i.ID, billing.InvoiceNumber(i.Number), i.Workspace, i.BillTo.Name,
				i.Total, i.Currency, i.DueAt.Format(time.DateOnly), i.Attempts)
			return err
		})
		if err != nil {
			return err
		}
		return table.Flush()
	})
}

type invoiceMarkPaidCommand struct {
	ID   string `arg:"" help:"The invoice's id."`
	JSON bool   `name:"json" help:"Print the result as JSON."`

	config.Installation
}

// Run marks an invoice as paid. Done again, it changes nothing.
func (m *invoiceMarkPaidCommand) Run(ctx context.Context, c console) error {
	return withInstallation(ctx, m.Installation, c, func(it *app.App) error {
		i, err := it.Billing.MarkInvoicePaid(ctx, id.Invoice(m.ID))
		return told(c, i, m.JSON, err)
	})
}

type invoiceVoidCommand struct {
	ID     string `arg:"" help:"The invoice's id."`
	Reason string `name:"reason" required:"" help:"The reason, which is kept with the invoice."`
	JSON   bool   `name:"json" help:"Print the result as JSON."`

	config.Installation
}

// Run voids an invoice. A paid invoice cannot be voided: it is refunded or credited.
func (v *invoiceVoidCommand) Run(ctx context.Context, c console) error {
	return withInstallation(ctx, v.Installation, c, func(it *app.App) error {
		i, err := it.Billing.VoidInvoice(ctx, id.Invoice(v.ID), v.Reason)
		return told(c, i, v.JSON, err)
	})
}

type invoiceCreditCommand struct {
	ID     string `name:"id" required:"" help:"The invoice's id."`
	Amount string `name:"amount" required:"" help:"How much, such as 12.50; at most what was paid and has not been credited."`
	Reason string `name:"reason" required:"" help:"The reason, which appears on the credit note."`
	JSON   bool   `name:"json" help:"Print the credit note as JSON."`

	config.Installation
}

// Run issues a credit note.
func (n *invoiceCreditCommand) Run(ctx context.Context, c console) error {
	amount, err := plan.ParseCents(n.Amount)
	if err != nil {
		return usageError{err}
	}
	return withInstallation(ctx, n.Installation, c, func(it *app.App) error {
		note, err := it.Billing.CreditInvoice(ctx, id.Invoice(n.ID), amount, n.Reason)
		if err != nil || n.JSON {
			return told(c, note, n.JSON, err)
		}
		_, err = fmt.Fprintf(c.out, "Credit note %s: %s %s are credited to the balance of %s.\n", billing.InvoiceNumber(note.Number), amount, note.Currency, note.Workspace)
		return err
	})
}

func told(c console, i billing.Invoice, asJSON bool, err error) error {
	if err != nil {
		return err
	}
	if asJSON {
		return c.printJSON(printed(i))
	}
	_, err = fmt.Fprintf(c.out, "Invoice %s of %s %s is %s.\n", billing.InvoiceNumber(i.Number), i.Total, i.Currency, i.Status)
	return err
}
