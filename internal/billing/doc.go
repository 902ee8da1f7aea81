// Package billing owns what workspaces pay for: subscriptions, trials, discounts and
// credits, the invoices for them, and how those are paid.
//
// It does not own what plans allow and cost (package plan), how much was used (package
// meter), or the plan whose limits a workspace has (package workspace), though it sets
// that plan.
//
// Invariants:
//   - Money is integer. Every amount comes from the one pure function rate, which
//     serves the preview of a change, the upcoming invoice and the issued one: from
//     the same inputs it makes the same lines.
//   - Whatever is paid for has a coverage, which says from when until when and what it
//     cost. Only what has no coverage is charged; only what has one is credited.
//   - The lines of an invoice add up to its total, which is never negative. Once an
//     invoice has a number, only its payment status changes; numbers have no gaps.
//     Mistakes are corrected by voiding the invoice or by a credit to the balance.
//   - An attempt to charge is written down before the provider is called, which happens
//     outside any transaction, and an invoice has at most one pending attempt. Its outcome
//     is looked up, never guessed, so a crash charges nothing twice.
//   - Money that was taken for something nobody owes any more is refunded.
//   - A month is closed once, in order, by whichever server comes first.
//   - The balance, which is what we owe the workspace, is never negative, and is used
//     before anything is charged.
//   - On the plan managed everything is free.
package billing
