package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/botyard/botyard/internal/fault"
)

// Convert turns a driver's error into one that a caller understands. It leaves three
// kinds alone: a *fault.Error, which somebody who knew more has made; sql.ErrNoRows,
// which the store translates; and context.Canceled, whose answer nobody will read.
//
// A duplicate key becomes AlreadyExists, a violated foreign key ReferenceConstraint;
// whoever can name the object replaces the message. Text that PostgreSQL cannot store
// becomes InvalidPayload. What only the operator can fix becomes Internal with a message
// that says so, and so does everything else, without one.
func Convert(err error) error {
	var known *fault.Error
	if err == nil || errors.As(err, &known) || errors.Is(err, sql.ErrNoRows) || errors.Is(err, context.Canceled) {
		return err
	}
	if t, message := describe(err); message != "" {
		return fault.New(t, "%s", message).Because(err)
	}
	return fault.From(err)
}

// The messages of failures that are recognised.
const (
	messageTaken       = "An object with the same key exists already; the key must be unique."
	messageReference   = "Another object refers to this one, or an object that this one refers to does not exist."
	messageCharacter   = "A text contains a character that cannot be stored, such as U+0000; texts must be valid Unicode without it."
	messageDiskFull    = "The database has no space left on its disk. Nothing was changed. The operator of this server must free space; then repeat the request."
	messageDisk        = "The database cannot read or write its disk. Nothing was changed. The operator of this server must look at the log."
	messageReadOnly    = "The database is read-only at the moment. Nothing was changed. The operator of this server must make it writable."
	messageDamaged     = "The database file is damaged. Nothing was changed. The operator of this server must restore a backup."
	messageBusy        = "The database was busy for too long. Nothing was changed; repeat the request."
	messageUnreachable = "The database cannot be reached. Nothing was changed; repeat the request later."
	messageUnknown     = "The connection to the database was lost while the change was being committed. Check whether it took effect before you repeat the request."
	messageTimeout     = "The database did not finish in time. Nothing was changed; repeat the request."
	messageClosed      = "This server is shutting down. Nothing was changed; repeat the request."
)

// describe recognises a failure by its code; the message is empty for an unknown one.
func describe(err error) (fault.Type, string) {
	var u *unknown
	switch {
	case errors.As(err, &u):
		return fault.Internal, messageUnknown
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, sql.ErrTxDone):
		return fault.OperationTimeout, messageTimeout
	case errors.Is(err, errClosed):
		return fault.Internal, messageClosed
	}
	if c := extendedCode(err); c != 0 {
		return describeSQLite(c)
	}
	if state := sqlState(err); state != "" {
		return describePostgres(state)
	}
	var network net.Error
	if errors.As(err, &network) || unexpectedEnd(err) || errors.Is(err, driver.ErrBadConn) || pgconn.SafeToRetry(err) {
		return fault.Internal, messageUnreachable
	}
	return fault.Internal, ""
}

func describeSQLite(extended int) (fault.Type, string) {
	switch extended {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return fault.AlreadyExists, messageTaken
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return fault.ReferenceConstraint, messageReference
	}
	switch extended & 0xff {
	case sqlite3.SQLITE_FULL:
		return fault.Internal, messageDiskFull
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		return fault.Internal, messageDisk
	case sqlite3.SQLITE_READONLY:
		return fault.Internal, messageReadOnly
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fault.Internal, messageDamaged
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fault.ResourceLockedConflict, messageBusy
	}
	return fault.Internal, ""
}

func describePostgres(state string) (fault.Type, string) {
	switch state {
	case "23505":
		return fault.AlreadyExists, messageTaken
	case "23503":
		return fault.ReferenceConstraint, messageReference
	case "22021":
		return fault.InvalidPayload, messageCharacter
	case "53100":
		return fault.Internal, messageDiskFull
	case "58030", "XX001", "XX002":
		return fault.Internal, messageDisk
	case "25006":
		return fault.Internal, messageReadOnly
	case "40001", "40P01", "55P03":
		return fault.ResourceLockedConflict, messageBusy
	case "57014":
		return fault.OperationTimeout, messageTimeout
	}
	for _, class := range []string{"08", "53", "57"} { // connection, resources, operator intervention
		if strings.HasPrefix(state, class) {
			return fault.Internal, messageUnreachable
		}
	}
	return fault.Internal, ""
}

// sqlState is the five-letter code of PostgreSQL in err, or "".
func sqlState(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func unexpectedEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
