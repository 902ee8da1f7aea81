package explain

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/botyard/botyard/internal/db"
)

// Plan is how an engine carries out a statement.
type Plan struct {
	Statement string
	Text      string
}

// Scans says that rows are read which no index has found.
func (p Plan) Scans() bool {
	for line := range strings.Lines(p.Text) {
		if strings.Contains(line, "Seq Scan") || strings.Contains(line, "SCAN") && !strings.Contains(line, "CONSTANT ROW") && !strings.Contains(line, "VALUES CLAUSE") {
			return true
		}
	}
	return false
}

// Statement is the plan of one statement. PostgreSQL is kept from what it does with
// tables that are nearly empty: a scan that is left has no index to take its place.
func Statement(t testing.TB, d *db.DB, statement string, args []any) Plan {
	t.Helper()
	p := Plan{Statement: statement}
	if err := d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		if err := prepare(ctx, d, tx); err != nil {
			return err
		}
		p.Text, err = explain(ctx, d, tx, statement, args)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return p
}

// errDone ends the transaction of All: what was run in it is undone.
var errDone = errors.New("explained")

// All are the plans of all that run does through q, but for inserts of values.
func All(t testing.TB, d *db.DB, run func(ctx context.Context, q db.Querier) error) []Plan {
	t.Helper()
	var plans []Plan
	err := d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		r := &recorder{Querier: tx}
		if err := run(ctx, r); err != nil {
			return err
		}
		if err := prepare(ctx, d, tx); err != nil {
			return err
		}
		plans = nil
		for _, s := range r.statements {
			text, err := explain(ctx, d, tx, s.text, s.args)
			if err != nil {
				return err
			}
			plans = append(plans, Plan{s.text, text})
		}
		return errDone
	})
	if !errors.Is(err, errDone) {
		t.Fatal(err)
	}
	if len(plans) == 0 {
		t.Fatal("nothing was run that could be explained")
	}
	return plans
}

// NoScans fails the test when one of the statements that run does scans a table.
func NoScans(t testing.TB, d *db.DB, run func(ctx context.Context, q db.Querier) error) {
	t.Helper()
	for _, p := range All(t, d, run) {
		if p.Scans() {
			t.Errorf("%s\n%s", p.Statement, p.Text)
		}
	}
}

// recorder notes the statements that it passes on.
type recorder struct {
	db.Querier
	statements []statement
}

type statement struct {
	text string
	args []any
}

func (r *recorder) note(text string, args []any) {
	if !strings.HasPrefix(strings.ToUpper(strings.TrimSpace(text)), "INSERT") {
		r.statements = append(r.statements, statement{text, args})
	}
}

// Exec is Querier's.
func (r *recorder) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	r.note(query, args)
	return r.Querier.Exec(ctx, query, args...)
}

// Query is Querier's.
func (r *recorder) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	r.note(query, args)
	return r.Querier.Query(ctx, query, args...)
}

// QueryRow is Querier's.
func (r *recorder) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	r.note(query, args)
	return r.Querier.QueryRow(ctx, query, args...)
}

func prepare(ctx context.Context, d *db.DB, tx *db.Tx) error {
	if d.Engine() != db.PostgreSQL {
		return nil
	}
	for _, setting := range []string{"enable_seqscan", "enable_bitmapscan", "enable_sort", "enable_incremental_sort"} {
		if _, err := tx.Exec(ctx, "SET LOCAL "+setting+" = off"); err != nil {
			return err
		}
	}
	return nil
}

func explain(ctx context.Context, d *db.DB, tx *db.Tx, statement string, args []any) (string, error) {
	postgres := d.Engine() == db.PostgreSQL
	query := "EXPLAIN QUERY PLAN " + statement
	if postgres {
		query = "EXPLAIN " + statement
	}
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var text strings.Builder
	for rows.Next() {
		var line string
		if postgres {
			err = rows.Scan(&line)
		} else {
			var a, b, c int
			err = rows.Scan(&a, &b, &c, &line)
		}
		if err != nil {
			return "", err
		}
		text.WriteString(line + "\n")
	}
	return text.String(), rows.Err()
}
