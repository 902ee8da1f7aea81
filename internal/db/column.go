package db

import (
	"database/sql"
	"time"
)

// Text is the value of a text column, in which the empty string is NULL.
func Text(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// Millis is a time as it is stored: milliseconds since 1970 UTC, or NULL for the zero
// time.
func Millis(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMilli(), Valid: !t.IsZero()}
}

// Moment is the time of a stored number of milliseconds.
func Moment(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// MomentOf is Moment for a column that may be NULL, which is the zero time.
func MomentOf(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return Moment(ms.Int64)
}
