package db

import (
	"context"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStatement(t *testing.T) {
	var s Statement
	s.Add("SELECT a FROM b WHERE c = ? AND d = ?", 1, "two")
	s.Add(" AND e IN ")
	s.AddList(3, 4)
	s.Add(" LIMIT 5")
	if want := "SELECT a FROM b WHERE c = $1 AND d = $2 AND e IN ($3, $4) LIMIT 5"; s.Text() != want {
		t.Errorf("the text is %q, want %q", s.Text(), want)
	}
	if diff := cmp.Diff([]any{1, "two", 3, 4}, s.Args()); diff != "" {
		t.Error(diff)
	}
}

// Rows of any number go in, in as many statements as they need.
func TestInsertRows(t *testing.T) {
	each(t, func(t *testing.T, o Options) {
		d := things(t, o)
		for _, many := range []int{0, 1, maxValues / 2, maxValues/2 + 1, 3 * maxValues} {
			var n int
			err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
				if _, err := tx.Exec(ctx, `DELETE FROM things`); err != nil {
					return err
				}
				var rows [][]any
				for i := range many {
					rows = append(rows, []any{strconv.Itoa(i), 1})
				}
				for range 2 { // the second time, each is there
					if err := InsertRows(ctx, tx, `INSERT INTO things (id, n) VALUES `, ` ON CONFLICT (id) DO UPDATE SET n = 2`, rows); err != nil {
						return err
					}
				}
				return tx.QueryRow(ctx, `SELECT COUNT(*) FROM things WHERE n = 2`).Scan(&n)
			})
			if err != nil || n != many {
				t.Errorf("%d rows of %d went in (%v)", n, many, err)
			}
		}
	})
}

// Every row is in one chunk, in order, and the sizes are few.
func TestChunks(t *testing.T) {
	sizes := map[int]bool{}
	for n := range 1100 {
		rows := make([]int, n)
		for i := range rows {
			rows[i] = i
		}
		var all []int
		for chunk := range Chunks(rows, 300) {
			sizes[len(chunk)] = true
			all = append(all, chunk...)
		}
		if len(all) != n || n > 0 && (all[0] != 0 || all[n-1] != n-1) {
			t.Fatalf("%d rows become %d", n, len(all))
		}
	}
	if len(sizes) != 9 || !sizes[256] || !sizes[1] {
		t.Errorf("the sizes are %v", sizes)
	}
	for range Chunks([]int{1, 2, 3}, 2) {
		break
	}
}

func TestUnnumbered(t *testing.T) {
	for query, want := range map[string]string{
		"SELECT 1": "SELECT 1",
		"SELECT a FROM b WHERE c = $1 AND d = $2":               "SELECT a FROM b WHERE c = ? AND d = ?",
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)": "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		"a = '' AND b = $1 AND c = 'it''s' AND d = $2":          "a = '' AND b = ? AND c = 'it''s' AND d = ?",
		// These stay as they are.
		"a = $2 AND b = $1":      "",
		"a = $1 OR b = $1":       "",
		"a = $1 AND b = $12":     "",
		"a = $1 AND b = '$2'":    "",
		"a = $1 AND b = ?":       "",
		"a = $name":              "",
		"a = 'what?' AND b = $1": "a = 'what?' AND b = ?",
	} {
		if want == "" {
			want = query
		}
		if got := unnumbered(query); got != want {
			t.Errorf("%q becomes %q, want %q", query, got, want)
		}
	}
}
