package billing

import (
	"context"
	"strconv"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// stand brings the state of a subscription and the block of its workspace in line
// with the invoices that are not paid.
func (s *Service) stand(ctx context.Context, tx *db.Tx, w id.Workspace) error {
	unpaid, action, err := selectDebts(ctx, tx, w)
	if err != nil {
		return db.Convert(err)
	}
	p, there, err := selectParty(ctx, tx, w)
	if err != nil {
		return db.Convert(err)
	}
	if !there {
		return s.forget(ctx, tx, w, unpaid)
	}
	status, blocked := standing(unpaid, action)
	sub, found, err := selectSubscription(ctx, tx, w)
	if err != nil {
		return db.Convert(err)
	}
	if found && sub.Status != status {
		sub.Status = status
		if err := s.save(ctx, tx, sub); err != nil {
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
