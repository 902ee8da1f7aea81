package db

import (
	"context"
	"errors"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"
)

// OfData reports whether an error was caused by the data that a transaction was given,
// rather than by the database: its function returned it, or the database rejected a
// value. A retry with the same data fails again, while other data may well succeed.
// After a failure of the database, its disk or the network, and after a conflict, a retry
// with the same data may succeed.
func OfData(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	if c := extendedCode(err); c != 0 {
		switch c & 0xff {
		case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH:
			return true
		}
		return false
	}
	if state := sqlState(err); state != "" {
		for _, class := range []string{"22", "23", "54"} { // values, constraints, limits
			if strings.HasPrefix(state, class) {
				return true
			}
		}
		return false
	}
	_, known := describe(err)
	return known == ""
}
