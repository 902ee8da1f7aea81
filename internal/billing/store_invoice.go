package billing

import (
	"context"
	"database/sql"
	"errors"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

const invoiceColumns = `id, workspace_id, number, kind, status, currency, total, period_start, period_end, created_at, due_at,
	paid_at, attempts, next_attempt_at, reason, bill_to, lines, seller, note`

func scanInvoice(row interface{ Scan(...any) error }) (i Invoice, err error) {
	var number, paid, next sql.NullInt64
	var start, end, created, due int64
	var billTo, lines []byte
	err = row.Scan(&i.ID, &i.Workspace, &number, &i.Kind, &i.Status, &i.Currency, &i.Total, &start, &end, &created, &due,
		&paid, &i.Attempts, &next, &i.Reason, &billTo, &lines, &i.Seller, &i.Note)
	if err != nil {
		return Invoice{}, err
	}
	i.Number, i.Period = number.Int64, Period{db.Moment(start), db.Moment(end)}
	i.CreatedAt, i.DueAt, i.PaidAt, i.NextAttempt = db.Moment(created), db.Moment(due), db.MomentOf(paid), db.MomentOf(next)
	if err := json.Unmarshal(billTo, &i.BillTo); err != nil {
		return Invoice{}, err
	}
	return i, json.Unmarshal(lines, &i.Lines)
}

func selectInvoiceRows(ctx context.Context, q db.Querier, query string, args ...any) ([]Invoice, error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []Invoice{}
	for rows.Next() {
		i, err := scanInvoice(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, i)
	}
	return list, rows.Err()
}

func insertInvoice(ctx context.Context, q db.Querier, i Invoice) error {
	billTo, err := json.Marshal(i.BillTo)
	if err != nil {
		return err
	}
	lines, err := json.Marshal(i.Lines)
	if err != nil {
		return err
	}
	_, err = q.Exec(ctx, `
		INSERT INTO invoices (id, workspace_id, number, kind, status, currency, total, period_start, period_end, created_at,
			due_at, paid_at, attempts, next_attempt_at, reason, bill_to, lines, seller, note)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
		string(i.ID), string(i.Workspace), sql.NullInt64{Int64: i.Number, Valid: i.Number != 0}, string(i.Kind), string(i.Status),
		i.Currency, int64(i.Total), i.Period.Start.UnixMilli(), i.Period.End.UnixMilli(), i.CreatedAt.UnixMilli(),
		i.DueAt.UnixMilli(), db.Millis(i.PaidAt), i.Attempts, db.Millis(i.NextAttempt), i.Reason, string(billTo), string(lines), i.Seller, i.Note)
	return err
}

// updateInvoice writes what may change of an invoice: the state of its payment.
func updateInvoice(ctx context.Context, q db.Querier, i Invoice) error {
	_, err := q.Exec(ctx, `
		UPDATE invoices SET status = $2, paid_at = $3, attempts = $4, next_attempt_at = $5, reason = $6 WHERE id = $1`,
		string(i.ID), string(i.Status), db.Millis(i.PaidAt), i.Attempts, db.Millis(i.NextAttempt), i.Reason)
	return err
}

func deleteDraft(ctx context.Context, q db.Querier, w id.Workspace, i id.Invoice) error {
	_, err := q.Exec(ctx, `DELETE FROM invoices WHERE id = $1 AND workspace_id = $2 AND status = 'draft'`, string(i), string(w))
	return err
}

// selectInvoice reads one invoice of a workspace.
func selectInvoice(ctx context.Context, q db.Querier, w id.Workspace, which id.Invoice) (i Invoice, found bool, err error) {
	i, err = scanInvoice(q.QueryRow(ctx, `SELECT `+invoiceColumns+` FROM invoices WHERE id = $1 AND workspace_id = $2`, string(which), string(w)))
	if errors.Is(err, sql.ErrNoRows) {
		return Invoice{}, false, nil
	}
	return i, err == nil, err
}

// selectInvoices reads the issued invoices of a workspace, the newest first, one more than
// the page holds; all of them when the page has size 0.
func selectInvoices(ctx context.Context, q db.Querier, w id.Workspace, page db.Page) ([]Invoice, error) {
	size, after := page.Size+1, db.Key{At: 1 << 62}
	if page.Size == 0 {
		size = 1 << 30
	}
	if page.After != nil {
		after = *page.After
	}
	return selectInvoiceRows(ctx, q, `
		SELECT `+invoiceColumns+` FROM invoices
		WHERE workspace_id = $1 AND number < $2 ORDER BY number DESC LIMIT $3`, string(w), after.At, size)
}

// selectUnpaid reads the invoices of a workspace that are to be paid, the oldest first.
func selectUnpaid(ctx context.Context, q db.Querier, w id.Workspace) ([]Invoice, error) {
	return selectInvoiceRows(ctx, q, `
		SELECT `+invoiceColumns+` FROM invoices WHERE workspace_id = $1 AND status IN ('open', 'uncollectible')
		ORDER BY created_at, id`, string(w))
}

// nextNumber takes the next number of a counter. A transaction that fails returns it, so
// that numbers have no gaps.
func nextNumber(ctx context.Context, q db.Querier, counter string) (n int64, err error) {
	err = q.QueryRow(ctx, `
		INSERT INTO counters (name, value) VALUES ($1, 1)
		ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value`, counter).Scan(&n)
	return n, err
}

func insertGrant(ctx context.Context, q db.Querier, w id.Workspace, g Grant) error {
	_, err := q.Exec(ctx, `
		INSERT INTO credit_grants (id, workspace_id, invoice_id, request, nano_amount, period_start, period_end, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)`,
		g.ID, string(w), string(g.Invoice), db.Text(g.Request), int64(g.Amount), g.Period.Start.UnixMilli(), g.Period.End.UnixMilli(),
		g.Created.UnixMilli())
	return err
}

const grantColumns = `SELECT id, invoice_id, nano_amount, period_start, period_end, created_at FROM credit_grants `

func scanGrant(row *sql.Row) (g Grant, err error) {
	var start, end, created int64
	err = row.Scan(&g.ID, &g.Invoice, &g.Amount, &start, &end, &created)
	g.Period, g.Created = Period{db.Moment(start), db.Moment(end)}, db.Moment(created)
	return g, err
}

// selectGrant reads the grant that an invoice is for.
func selectGrant(ctx context.Context, q db.Querier, w id.Workspace, of id.Invoice) (g Grant, found bool, err error) {
	return oneGrant(q.QueryRow(ctx, grantColumns+`WHERE workspace_id = $1 AND invoice_id = $2`, string(w), string(of)))
}

// selectGrantByRequest reads the grant that a request bought.
func selectGrantByRequest(ctx context.Context, q db.Querier, w id.Workspace, request string) (g Grant, found bool, err error) {
	return oneGrant(q.QueryRow(ctx, grantColumns+`WHERE workspace_id = $1 AND request = $2`, string(w), request))
}

func oneGrant(row *sql.Row) (g Grant, found bool, err error) {
	g, err = scanGrant(row)
	if errors.Is(err, sql.ErrNoRows) {
		return Grant{}, false, nil
	}
	return g, err == nil, err
}

// deleteGrant withdraws the credit that an invoice was for.
func deleteGrant(ctx context.Context, q db.Querier, w id.Workspace, of id.Invoice) error {
	_, err := q.Exec(ctx, `DELETE FROM credit_grants WHERE workspace_id = $1 AND invoice_id = $2`, string(w), string(of))
	return err
}

// sumGrants adds up the credit that a workspace bought for a month.
func sumGrants(ctx context.Context, q db.Querier, w id.Workspace, month Period) (nano int64, err error) {
	err = q.QueryRow(ctx, `
		SELECT COALESCE(SUM(nano_amount), 0) FROM credit_grants WHERE workspace_id = $1 AND period_start >= $2 AND period_start < $3`,
		string(w), month.Start.UnixMilli(), month.End.UnixMilli()).Scan(&nano)
	return nano, err
}

// sumBought adds up the invoices of what a workspace bought within a month.
func sumBought(ctx context.Context, q db.Querier, w id.Workspace, month Period) (total int64, err error) {
	err = q.QueryRow(ctx, `
		SELECT COALESCE(SUM(total), 0) FROM invoices
		WHERE workspace_id = $1 AND created_at >= $2 AND created_at < $3 AND kind IN ('change', 'grant') AND status <> 'void'`,
		string(w), month.Start.UnixMilli(), month.End.UnixMilli()).Scan(&total)
	return total, err
}
