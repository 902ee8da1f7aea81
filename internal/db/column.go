package db

import (
	"database/sql"
	"time"
)

// Text is the value of a column that is NULL when there is nothing to say.
func Text(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// Millis is a time as columns have it, milliseconds since 1970 UTC; NULL for the
// zero time.
func Millis(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMilli(), Valid: !t.IsZero()}
}

// Moment is the time that a column has.
func Moment(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// MomentOf is the time that a column has that may be NULL, which is the zero time.
func MomentOf(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return Moment(ms.Int64)
}
