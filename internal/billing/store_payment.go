package billing

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

const attemptColumns = `id, workspace_id, invoice_id, provider, customer, method, amount, currency, state, reference, reason,
	request_key, started_at, ended_at, dispute, refunded_at`

func scanAttempt(row interface{ Scan(...any) error }) (a Attempt, found bool, err error) {
	var reference, request sql.NullString
	var started int64
	var ended, refunded sql.NullInt64
	err = row.Scan(&a.ID, &a.Workspace, &a.Invoice, &a.Provider, &a.Customer, &a.Method, &a.Amount, &a.Currency, &a.State,
		&reference, &a.Reason, &request, &started, &ended, &a.Dispute, &refunded)
	if errors.Is(err, sql.ErrNoRows) {
		return Attempt{}, false, nil
	}
	a.Reference, a.Request, a.StartedAt = reference.String, request.String, db.Moment(started)
	a.EndedAt, a.RefundedAt = db.MomentOf(ended), db.MomentOf(refunded)
	return a, err == nil, err
}

func insertAttempt(ctx context.Context, q db.Querier, a Attempt) error {
	_, err := q.Exec(ctx, `
		INSERT INTO payment_attempts (id, workspace_id, invoice_id, provider, customer, method, amount, currency, state,
			reference, reason, request_key, started_at, ended_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		string(a.ID), string(a.Workspace), string(a.Invoice), a.Provider, a.Customer, a.Method, int64(a.Amount), a.Currency,
		string(a.State), db.Text(a.Reference), a.Reason, db.Text(a.Request), a.StartedAt.UnixMilli(), db.Millis(a.EndedAt))
	return err
}

// updateAttempt writes what may change of an attempt.
func updateAttempt(ctx context.Context, q db.Querier, a Attempt) error {
	_, err := q.Exec(ctx, `
		UPDATE payment_attempts SET state = $2, reference = $3, reason = $4, ended_at = $5, dispute = $6, refunded_at = $7 WHERE id = $1`,
		string(a.ID), string(a.State), db.Text(a.Reference), a.Reason, db.Millis(a.EndedAt), string(a.Dispute), db.Millis(a.RefundedAt))
	return err
}

// selectAttempt reads an attempt by its own id. Jobs and events know nothing else of
// it; no caller of the API gets here.
func selectAttempt(ctx context.Context, q db.Querier, which id.Payment) (Attempt, bool, error) {
	return scanAttempt(q.QueryRow(ctx, `SELECT `+attemptColumns+` FROM payment_attempts WHERE id = $1`, string(which)))
}

func selectAttemptByReference(ctx context.Context, q db.Querier, provider, reference string) (Attempt, bool, error) {
	return scanAttempt(q.QueryRow(ctx, `SELECT `+attemptColumns+` FROM payment_attempts WHERE provider = $1 AND reference = $2`, provider, reference))
}

func selectPending(ctx context.Context, q db.Querier, i id.Invoice) (Attempt, bool, error) {
	return scanAttempt(q.QueryRow(ctx, `SELECT `+attemptColumns+` FROM payment_attempts WHERE invoice_id = $1 AND state = 'pending'`, string(i)))
}

func selectRequested(ctx context.Context, q db.Querier, w id.Workspace, i id.Invoice, request string) (Attempt, bool, error) {
	return scanAttempt(q.QueryRow(ctx, `
		SELECT `+attemptColumns+` FROM payment_attempts WHERE workspace_id = $1 AND invoice_id = $2 AND request_key = $3`,
		string(w), string(i), request))
}

// selectLatest reads the last attempt for an invoice.
func selectLatest(ctx context.Context, q db.Querier, w id.Workspace, i id.Invoice) (Attempt, bool, error) {
	return scanAttempt(q.QueryRow(ctx, `
		SELECT `+attemptColumns+` FROM payment_attempts WHERE workspace_id = $1 AND invoice_id = $2 ORDER BY id DESC LIMIT 1`,
		string(w), string(i)))
}

// sumWaived adds up what was waived in a month: attempts that are paid although no provider
// was asked.
func sumWaived(ctx context.Context, q db.Querier, w id.Workspace, month Period) (total int64, err error) {
	err = q.QueryRow(ctx, `
		SELECT COALESCE(SUM(amount), 0) FROM payment_attempts
		WHERE workspace_id = $1 AND state = 'paid' AND reference IS NULL AND started_at >= $2 AND started_at < $3`,
		string(w), month.Start.UnixMilli(), month.End.UnixMilli()).Scan(&total)
	return total, err
}

// What waits for a payment: attempts that are pending, and held purchases without one,
// because the server died before it began or after it ended.
const (
	pendingAttempts = `
		FROM payment_attempts a JOIN invoices i ON i.id = a.invoice_id WHERE a.state = 'pending' AND a.invoice_id > $1`
	heldAlone = `
		FROM subscriptions s JOIN invoices i ON i.id = s.held_invoice WHERE s.held_invoice > $1
			AND NOT EXISTS (SELECT 1 FROM payment_attempts a WHERE a.invoice_id = s.held_invoice AND a.state = 'pending')`
)

// selectWaiting reads what waits for a payment, in the order of the invoices, after a given
// one: pending attempts or, with alone, held purchases without one.
func selectWaiting(ctx context.Context, q db.Querier, alone bool, after id.Invoice, most int) ([]Waiting, error) {
	query := `SELECT a.invoice_id, i.workspace_id, i.total, i.currency, i.status, a.started_at, a.provider, COALESCE(a.reference, '')` +
		pendingAttempts + ` ORDER BY a.invoice_id LIMIT $2`
	if alone {
		query = `SELECT s.held_invoice, i.workspace_id, i.total, i.currency, i.status, i.created_at, '', ''` +
			heldAlone + ` ORDER BY s.held_invoice LIMIT $2`
	}
	rows, err := q.Query(ctx, query, string(after), most)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Waiting
	for rows.Next() {
		var w Waiting
		var since int64
		var status InvoiceStatus
		if err := rows.Scan(&w.Invoice, &w.Workspace, &w.Amount, &w.Currency, &status, &since, &w.Provider, &w.Reference); err != nil {
			return nil, err
		}
		w.Since, w.Purchase = db.Moment(since), status == Draft
		list = append(list, w)
	}
	return list, rows.Err()
}

// countWaiting counts what has waited since before a given time.
func countWaiting(ctx context.Context, q db.Querier, before time.Time) (n int, err error) {
	for _, of := range []string{pendingAttempts + ` AND a.started_at < $2`, heldAlone + ` AND i.created_at < $2`} {
		var part int
		if err := q.QueryRow(ctx, `SELECT COUNT(*)`+of, "", before.UnixMilli()).Scan(&part); err != nil {
			return 0, err
		}
		n += part
	}
	return n, nil
}

// selectDebts reads the collection state of a workspace's unpaid invoices, the oldest first,
// and nothing else of them; and whose last try needs the cardholder.
func selectDebts(ctx context.Context, q db.Querier, w id.Workspace) (unpaid []Invoice, action map[id.Invoice]bool, err error) {
	rows, err := q.Query(ctx, `
		SELECT i.id, i.status, i.attempts, i.next_attempt_at, COALESCE((
			SELECT a.state FROM payment_attempts a WHERE a.workspace_id = i.workspace_id AND a.invoice_id = i.id ORDER BY a.id DESC LIMIT 1), '')
		FROM invoices i WHERE i.workspace_id = $1 AND i.status IN ('open', 'uncollectible') ORDER BY i.created_at, i.id`, string(w))
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	action = map[id.Invoice]bool{}
	for rows.Next() {
		var i Invoice
		var next sql.NullInt64
		var last AttemptState
		if err := rows.Scan(&i.ID, &i.Status, &i.Attempts, &next, &last); err != nil {
			return nil, nil, err
		}
		i.Workspace, i.NextAttempt = w, db.MomentOf(next)
		action[i.ID] = last == AttemptActionRequired
		unpaid = append(unpaid, i)
	}
	return unpaid, action, rows.Err()
}

// selectFirstRefusal reads when a charge of an invoice was first declined; the zero time
// when none was.
func selectFirstRefusal(ctx context.Context, q db.Querier, w id.Workspace, i id.Invoice) (time.Time, error) {
	var at sql.NullInt64
	err := q.QueryRow(ctx, `
		SELECT MIN(ended_at) FROM payment_attempts
		WHERE workspace_id = $1 AND invoice_id = $2 AND state IN ('declined', 'action_required')`, string(w), string(i)).Scan(&at)
	return db.MomentOf(at), err
}

// payer is a workspace as the provider's customer, with its payment method.
type payer struct {
	provider string
	customer string
	method   Method // its ID is empty when none was set
}

func selectPayer(ctx context.Context, q db.Querier, w id.Workspace) (p payer, found bool, err error) {
	var method sql.NullString
	var card Card
	err = q.QueryRow(ctx, `
		SELECT provider, customer, method, type, brand, last_four, exp_month, exp_year FROM payment_methods WHERE workspace_id = $1`,
		string(w)).Scan(&p.provider, &p.customer, &method, &p.method.Type, &card.Brand, &card.LastFour, &card.ExpMonth, &card.ExpYear)
	if errors.Is(err, sql.ErrNoRows) {
		return payer{}, false, nil
	}
	p.method.ID = method.String
	if card.LastFour != "" {
		p.method.Card = &card
	}
	return p, err == nil, err
}

func upsertPayer(ctx context.Context, q db.Querier, w id.Workspace, p payer, at time.Time) error {
	var card Card
	if p.method.Card != nil {
		card = *p.method.Card
	}
	_, err := q.Exec(ctx, `
		INSERT INTO payment_methods (workspace_id, provider, customer, method, type, brand, last_four, exp_month, exp_year, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (workspace_id) DO UPDATE SET provider = excluded.provider, customer = excluded.customer, method = excluded.method,
			type = excluded.type, brand = excluded.brand, last_four = excluded.last_four, exp_month = excluded.exp_month,
			exp_year = excluded.exp_year, updated_at = excluded.updated_at`,
		string(w), p.provider, p.customer, db.Text(p.method.ID), p.method.Type, card.Brand, card.LastFour, card.ExpMonth, card.ExpYear, at.UnixMilli())
	return err
}

func deletePayer(ctx context.Context, q db.Querier, w id.Workspace) error {
	_, err := q.Exec(ctx, `DELETE FROM payment_methods WHERE workspace_id = $1`, string(w))
	return err
}

// noteEvent records that an event of a provider is processed; fresh is false when it was
// processed before.
func noteEvent(ctx context.Context, q db.Querier, provider, event string, at time.Time) (fresh bool, err error) {
	n, err := q.Exec(ctx, `
		INSERT INTO payment_events (provider, event_id, received_at) VALUES ($1, $2, $3) ON CONFLICT (provider, event_id) DO NOTHING`,
		provider, event, at.UnixMilli())
	return n > 0, err
}

func forgetEvents(ctx context.Context, q db.Querier, before time.Time) error {
	_, err := q.Exec(ctx, `DELETE FROM payment_events WHERE received_at < $1`, before.UnixMilli())
	return err
}

// selectInvoiceOf reads an invoice by its id alone, for the operator, whose books
// outlive workspaces, and for jobs.
func selectInvoiceOf(ctx context.Context, q db.Querier, which id.Invoice) (i Invoice, found bool, err error) {
	i, err = scanInvoice(q.QueryRow(ctx, `SELECT `+invoiceColumns+` FROM invoices WHERE id = $1`, string(which)))
	if errors.Is(err, sql.ErrNoRows) {
		return Invoice{}, false, nil
	}
	return i, err == nil, err
}

// selectByStatus reads the invoices of all workspaces in a state, the oldest first,
// after a key.
func selectByStatus(ctx context.Context, q db.Querier, status InvoiceStatus, after db.Key, size int) ([]Invoice, error) {
	return selectInvoiceRows(ctx, q, `
		SELECT `+invoiceColumns+` FROM invoices WHERE status = $1 AND (created_at, id) > ($2, $3)
		ORDER BY created_at, id LIMIT $4`, string(status), after.At, after.ID, size)
}
