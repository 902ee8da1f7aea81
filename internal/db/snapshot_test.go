package db

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSnapshot(t *testing.T) {
	each(t, func(t *testing.T, o Options) {
		d := things(t, o)
		count := func(ctx context.Context, q Querier) (n int) {
			if err := q.QueryRow(ctx, "SELECT COUNT(*) FROM things").Scan(&n); err != nil {
				t.Error(err)
			}
			return n
		}
		if err := d.Snapshot(t.Context(), func(ctx context.Context, q Querier) error {
			before := count(ctx, q)
			if err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, "meanwhile") }); err != nil {
				return err
			}
			if after := count(ctx, q); before != 0 || after != 0 {
				t.Errorf("%d things, then %d: it is not of one moment", before, after)
			}
			_, err := q.Exec(ctx, "DELETE FROM things")
			if err == nil {
				t.Error("a snapshot writes")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		expect(t, d, "meanwhile")
		// The connection is as good as new.
		if err := d.Snapshot(t.Context(), func(context.Context, Querier) error { return errOwn }); err != errOwn {
			t.Errorf("the function's error became %v", err)
		}
		if n := count(t.Context(), d.Reader(t.Context())); n != 1 {
			t.Errorf("%d things, want 1", n)
		}
	})
}

// Rows that are read and inserted elsewhere are the rows that were there, whatever
// their types hold.
func TestRowsAreCopiedAsTheyAre(t *testing.T) {
	rows := [][]any{
		{"a", int64(-1), true, 0.5, []byte{0, 255}},
		{"é\u2028", int64(1) << 62, false, -1e300, []byte{}},
		{"nothing", nil, nil, nil, nil},
	}
	each(t, func(t *testing.T, o Options) {
		d := open(t, o)
		var got [][]any
		if err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
			got = nil
			if _, err := tx.Exec(ctx, "CREATE TABLE kinds (a TEXT PRIMARY KEY, b BIGINT, c BOOLEAN, d DOUBLE PRECISION, e BYTEA)"); err != nil {
				return err
			}
			described, err := Describe(ctx, tx, "kinds")
			if err != nil {
				return err
			}
			want := Table{"kinds", []Column{{"a", TextColumn}, {"b", IntegerColumn}, {"c", BooleanColumn}, {"d", RealColumn}, {"e", BytesColumn}}}
			if diff := cmp.Diff(want, described); diff != "" {
				t.Error(diff)
			}
			if err := InsertInto(ctx, tx, described, rows); err != nil {
				return err
			}
			return EachRow(ctx, tx, described, func(values []any) error {
				got = append(got, append([]any{}, values...))
				return nil
			})
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(rows, got); diff != "" {
			t.Error(diff)
		}
		tables, err := d.Tables(t.Context(), d.Reader(t.Context()))
		if err != nil || len(tables) != 1 || tables[0].Name != "kinds" {
			t.Errorf("the tables are %v (%v)", tables, err)
		}
	})
}

// sealedBy writes the name of its key and the place before what it seals.
type sealedBy struct{ key string }

func (s sealedBy) Seal(plain []byte, table, row, field string) string {
	return fmt.Sprintf("%s:%s.%s.%s:%s", s.key, table, row, field, plain)
}

func (s sealedBy) Open(sealed, table, row, field string) ([]byte, error) {
	_, rest, _ := strings.Cut(sealed, ":")
	plain, right := strings.CutPrefix(rest, fmt.Sprintf("%s.%s.%s:", table, row, field))
	if !right {
		return nil, fmt.Errorf("%s was sealed for another place than %s.%s.%s", sealed, table, row, field)
	}
	return []byte(plain), nil
}

func (s sealedBy) NeedsRotation(sealed string) bool { return !strings.HasPrefix(sealed, s.key+":") }

func TestReseal(t *testing.T) {
	const many = 2*resealBatch + 1
	column := SealedColumn{Table: "seals", Key: []string{"a", "b"}, Column: "value"}
	each(t, func(t *testing.T, o Options) {
		d := open(t, o)
		before, after := sealedBy{"old"}, sealedBy{"new"}
		if err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
			if _, err := tx.Exec(ctx, "CREATE TABLE seals (a TEXT NOT NULL, b TEXT NOT NULL, value TEXT, PRIMARY KEY (a, b))"); err != nil {
				return err
			}
			var rows [][]any
			for i := range many {
				a, b := fmt.Sprint(i%7), fmt.Sprintf("%d/x", i)
				var value any = column.Seal(before, fmt.Append(nil, i), a, b)
				switch i {
				case 1:
					value = nil
				case 2:
					value = column.Seal(after, fmt.Append(nil, i), a, b)
				}
				rows = append(rows, []any{a, b, value})
			}
			return InsertRows(ctx, tx, "INSERT INTO seals (a, b, value) VALUES ", "", rows)
		}); err != nil {
			t.Fatal(err)
		}
		for _, want := range []int{many - 2, 0} {
			if n, err := d.Reseal(t.Context(), after, column); err != nil || n != want {
				t.Errorf("%d values were sealed anew (%v), want %d", n, err, want)
			}
		}
		var left, right int
		if err := d.Reader(t.Context()).QueryRow(t.Context(), `SELECT
			COALESCE(SUM(CASE WHEN value LIKE 'old:%' THEN 1 ELSE 0 END), 0),
			COALESCE(SUM(CASE WHEN value = 'new:seals.' || a || '/' || b || '.value:' || REPLACE(b, '/x', '') THEN 1 ELSE 0 END), 0)
			FROM seals`).Scan(&left, &right); err != nil {
			t.Fatal(err)
		}
		if left != 0 || right != many-1 {
			t.Errorf("%d values have the old key and %d are what they were, sealed with the new one; want 0 and %d", left, right, many-1)
		}
	})
}

// What is appended under one key can be read in the order of the commits: whoever
// sees a number sees all numbers before it.
func TestExclusiveKeepsTheOrder(t *testing.T) {
	each(t, func(t *testing.T, o Options) {
		d := things(t, o)
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for j := range 10 {
					if err := d.Exclusive(t.Context(), "line", func(ctx context.Context, tx *Tx) error {
						var last int
						if err := tx.QueryRow(ctx, "SELECT COALESCE(MAX(n), 0) FROM things").Scan(&last); err != nil {
							return err
						}
						_, err := tx.Exec(ctx, "INSERT INTO things (id, n) VALUES ($1, $2)", fmt.Sprintf("%d-%d", i, j), last+1)
						return err
					}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		var count, last int
		if err := d.Reader(t.Context()).QueryRow(t.Context(), "SELECT COUNT(DISTINCT n), MAX(n) FROM things").Scan(&count, &last); err != nil {
			t.Fatal(err)
		}
		if count != 80 || last != 80 {
			t.Errorf("%d numbers up to %d, want 80 up to 80", count, last)
		}
	})
}
