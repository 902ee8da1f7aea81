package db

import (
	"context"
	"iter"
	"strconv"
	"strings"
)

// Statement assembles SQL from fragments, which must be the program's own and never a
// caller's, and collects the values of its placeholders.
type Statement struct {
	text strings.Builder
	args []any
}

// Add writes a fragment, in which every ? becomes the placeholder of the next value.
// It panics if there are too few values.
func (s *Statement) Add(fragment string, values ...any) {
	for {
		before, after, found := strings.Cut(fragment, "?")
		s.text.WriteString(before)
		if !found {
			return
		}
		s.args = append(s.args, values[0])
		s.text.WriteByte('$')
		s.text.WriteString(strconv.Itoa(len(s.args)))
		fragment, values = after, values[1:]
	}
}

// AddList writes a parenthesised list with a placeholder for each value.
func (s *Statement) AddList(values ...any) {
	s.text.WriteByte('(')
	for i, value := range values {
		if i > 0 {
			s.text.WriteString(", ")
		}
		s.Add("?", value)
	}
	s.text.WriteByte(')')
}

// Text is the SQL so far, and Args the values of its placeholders.
func (s *Statement) Text() string { return s.text.String() }

// Args are the values of the placeholders, in their order.
func (s *Statement) Args() []any { return s.args }

// maxValues bounds the placeholders of one statement; both engines accept many more.
const maxValues = 1024

// Chunks splits rows into parts of at most most rows whose sizes are powers of two: their
// statements then have only a few different texts, which stay prepared.
func Chunks[T any](rows []T, most int) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		size := 1
		for size*2 <= most {
			size *= 2
		}
		for len(rows) > 0 {
			for size > len(rows) {
				size /= 2
			}
			if !yield(rows[:size:size]) {
				return
			}
			rows = rows[size:]
		}
	}
}

// InsertRows inserts rows in statements of up to a thousand values. insert ends with
// VALUES; conflict is empty or an ON CONFLICT clause.
func InsertRows(ctx context.Context, q Querier, insert, conflict string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	for chunk := range Chunks(rows, max(1, maxValues/len(rows[0]))) {
		var s Statement
		s.Add(insert)
		for i, row := range chunk {
			if i > 0 {
				s.Add(", ")
			}
			s.AddList(row...)
		}
		s.Add(conflict)
		if _, err := q.Exec(ctx, s.Text(), s.Args()...); err != nil {
			return err
		}
	}
	return nil
}
