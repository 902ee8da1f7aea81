package db

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// Errors of what was asked are told from those of the database.
func TestOfData(t *testing.T) {
	each(t, func(t *testing.T, o Options) {
		d := things(t, o)
		fails := func(statement string, args ...any) error {
			err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
				_, err := tx.Exec(ctx, statement, args...)
				return err
			})
			if err == nil {
				t.Fatalf("%s does not fail", statement)
			}
			return err
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		own := errors.New("the function's own")
		for what, one := range map[string]struct {
			err  error
			want bool
		}{
			"a key that is taken": {fails(`INSERT INTO things (id, n) VALUES ('a', 1), ('a', 1)`), true},
			"no value":            {fails(`INSERT INTO things (id, n) VALUES ('a', $1)`, nil), true},
			"no such table":       {fails(`INSERT INTO nothings (id) VALUES ('a')`), false},
			"the caller left":     {d.Tx(ended, func(context.Context, *Tx) error { return nil }), false},
			"the program's own":   {fmt.Errorf("in a function: %w", own), true},
			"converted":           {Convert(own), true},
			"in time":             {context.DeadlineExceeded, false},
			"none":                {nil, false},
		} {
			if got := OfData(one.err); got != one.want {
				t.Errorf("%s: %v is of the data: %t", what, one.err, got)
			}
		}
	})
}
