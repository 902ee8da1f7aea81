// Package billing owns what workspaces pay for: subscriptions, trials, discounts and
// credits, the invoices that come of them, and how those are paid.
//
// It does not own what plans allow and cost (package plan), how much was used
// (package meter), nor the plan that a workspace is held to (package workspace),
// which it sets.
//
// Invariants:
//   - Money is integer. Every amount comes from the one pure function rate, which
//     serves the preview of a change, the upcoming invoice and the issued one: from
//     the same inputs it makes the same lines.
//   - What is paid for is covered: a coverage says from when until when, and what it
//     cost. Only what is not covered is charged, only what is covered is credited.
//   - The lines of an invoice add up to its total, which is never negative. An
//     invoice that has a number never changes but in its state of payment; numbers
//     have no gaps. What was wrong is voided, or credited to the balance.
//   - An attempt to charge is written before the provider is asked, outside of any
//     transaction, and an invoice has one under way at most. What became of it is looked
//     up, not guessed, so a crash charges nothing twice.
//   - What nobody owes any more when it was taken is given back.
//   - A month is closed once, in order, by whichever server comes first.
//   - The balance, which is what we owe the workspace, is never negative, and is used
//     before anything is charged.
//   - On the plan managed nothing costs anything.
package billing
