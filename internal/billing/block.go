package billing

import (
	"context"
	"strconv"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// syncStanding derives the status of a subscription, and whether its workspace is blocked,
// from the invoices that are unpaid. When a block ends, the plan and the add-ons are
// charged again from that moment on.
func (s *Service) syncStanding(ctx context.Context, tx *db.Tx, w id.Workspace) error {
	unpaid, action, err := selectDebts(ctx, tx, w)
	if err != nil {
		return db.Convert(err)
	}
	p, there, err := selectParty(ctx, tx, w)
	if err != nil {
		return db.Convert(err)
	}
	if !there {
		return s.forgetPayer(ctx, tx, w, unpaid)
	}
	status, blocked := standing(unpaid, action)
	sub, found, err := selectSubscription(ctx, tx, w)
	if err != nil {
		return db.Convert(err)
	}
	if found && sub.Status != status {
		if err := s.changeStatus(ctx, tx, sub, p, status); err != nil {
			return err
		}
	}
	if err := s.Workspaces.SetBlocked(ctx, w, blocked); err != nil || !blocked || p.blocked || s.Issues == nil {
		return err
	}
	return s.Issues.ReportToAll(ctx, tx, w, fault.Issue{
		Code: "workspace_blocked", Category: fault.Other, Title: "The workspace is blocked",
		Description: "Invoices of the workspace are due and were not paid. Its bots do not run and take no calls until they are; its data can be read. The block ends with the payment.",
		Data:        map[string]string{"workspaceId": string(w), "unpaidInvoices": strconv.Itoa(len(unpaid))},
	})
}

// changeStatus sets the status of a subscription. When that ends a block, the months that
// ended during it are closed first, while nothing is charged for them, and then the rest
// of the current month is charged.
func (s *Service) changeStatus(ctx context.Context, tx *db.Tx, sub Subscription, of party, to Status) (err error) {
	resumes := sub.Status == Canceled && sub.Held == ""
	if resumes {
		if sub, of, err = s.catchUp(ctx, tx, sub, of); err != nil {
			return err
		}
	}
	sub.Status = to
	if !resumes {
		return s.save(ctx, tx, sub)
	}
	at := sub.billedAt(s.Clock.Now())
	invoice := id.NewInvoice(at)
	b := rate(rating{Catalog: s.Plans, Subscription: sub, At: at, Invoice: invoice})
	if len(b.Lines) > 0 {
		if _, err := s.issue(ctx, tx, s.draft(of, b, invoice, ChangeInvoice, monthOf(at), at)); err != nil {
			return err
		}
	}
	return s.save(ctx, tx, b.Subscription)
}
