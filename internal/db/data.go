package db

import (
	"context"
	"errors"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"
)

// OfData says whether an error is of what a transaction was given, and not of the
// database: the function made it itself, or the database refused a value. Tried again
// it comes again, while with other data all is well. After a failure of the database,
// of its disk or of the way to it, and after a conflict, the same may work later.
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
