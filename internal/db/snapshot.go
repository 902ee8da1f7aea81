package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// ColumnType is the engine-independent type of a column, for copies outside a database.
type ColumnType string

// The types that the schema uses, on both engines.
const (
	TextColumn    ColumnType = "text"
	IntegerColumn ColumnType = "integer"
	BooleanColumn ColumnType = "boolean"
	RealColumn    ColumnType = "real"
	BytesColumn   ColumnType = "bytes"
)

// columnTypes maps the engines' names of types.
var columnTypes = map[string]ColumnType{
	"text": TextColumn, "character varying": TextColumn,
	"bigint": IntegerColumn, "integer": IntegerColumn, "smallint": IntegerColumn, "int": IntegerColumn,
	"int8": IntegerColumn, "int4": IntegerColumn,
	"boolean": BooleanColumn, "bool": BooleanColumn,
	"double precision": RealColumn, "real": RealColumn, "float8": RealColumn,
	"bytea": BytesColumn, "blob": BytesColumn,
}

// Table is a table of the schema with its columns, in their order.
type Table struct {
	Name    string   `json:"name"`
	Columns []Column `json:"columns"`
}

// Column is a column of a table.
type Column struct {
	Name string     `json:"name"`
	Type ColumnType `json:"type"`
}

// names are the columns' names as a list.
func (t Table) names() string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

// Snapshot gives fn a view of the database as of one moment, however long fn takes and
// whatever is written meanwhile. q is read-only, and serves one statement at a time.
func (d *DB) Snapshot(ctx context.Context, fn func(ctx context.Context, q Querier) error) (err error) {
	options := &sql.TxOptions{ReadOnly: true}
	if d.engine == PostgreSQL {
		options.Isolation = sql.LevelRepeatableRead
	}
	tx, err := d.pool.BeginTx(ctx, options)
	if err != nil {
		return Convert(err)
	}
	defer func() {
		// Nothing was written: how it ends makes no difference to what was read.
		if end := tx.Rollback(); err == nil && !errors.Is(end, sql.ErrTxDone) {
			err = Convert(end)
		}
	}()
	return fn(ctx, snapshot{tx})
}

// snapshot reads in a transaction of its own.
type snapshot struct{ tx *sql.Tx }

func (snapshot) Exec(context.Context, string, ...any) (int64, error) { return 0, errReader }

func (s snapshot) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return s.tx.QueryContext(ctx, query, args...)
}

func (s snapshot) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	return s.tx.QueryRowContext(ctx, query, args...)
}

// Tables lists the tables created by migrations, sorted by name, without the one that
// records which migrations were applied. A partitioned table counts as one.
func (d *DB) Tables(ctx context.Context, q Querier) ([]Table, error) {
	rows, err := q.Query(ctx, catalogs[d.engine])
	if err != nil {
		return nil, Convert(err)
	}
	defer rows.Close()
	var tables []Table
	for rows.Next() {
		var table, column, of string
		if err := rows.Scan(&table, &column, &of); err != nil {
			return nil, Convert(err)
		}
		if table == versions {
			continue
		}
		kind, known := columnTypes[strings.ToLower(of)]
		if !known {
			return nil, fmt.Errorf("the column %s.%s has the type %s, which is none of those that the schema uses", table, column, of)
		}
		if n := len(tables); n == 0 || tables[n-1].Name != table {
			tables = append(tables, Table{Name: table})
		}
		last := &tables[len(tables)-1]
		last.Columns = append(last.Columns, Column{column, kind})
	}
	return tables, Convert(rows.Err())
}

// Describe returns the columns of a table that was not created by a migration; name may
// include a schema.
func Describe(ctx context.Context, q Querier, name string) (Table, error) {
	t := Table{Name: name}
	rows, err := q.Query(ctx, "SELECT * FROM "+name+" LIMIT 0")
	if err != nil {
		return t, Convert(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return t, Convert(err)
	}
	for _, column := range types {
		kind, known := columnTypes[strings.ToLower(column.DatabaseTypeName())]
		if !known {
			return t, fmt.Errorf("the column %s.%s has the type %s, which is none of those that the schema uses", name, column.Name(), column.DatabaseTypeName())
		}
		t.Columns = append(t.Columns, Column{column.Name(), kind})
	}
	return t, Convert(rows.Err())
}

// catalogs ask for every column of every table, by the table's name and the
// column's place.
var catalogs = map[Engine]string{
	SQLite: `
		SELECT m.name, c.name, c.type FROM sqlite_master m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\'
		ORDER BY m.name, c.cid`,
	PostgreSQL: `
		SELECT t.relname, a.attname, format_type(a.atttypid, NULL) FROM pg_catalog.pg_class t
		JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE t.relkind IN ('r', 'p') AND NOT t.relispartition
			AND t.relnamespace IN (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = ANY (current_schemas(false)))
		ORDER BY t.relname COLLATE "C", a.attnum`,
}

// EachRow reads a whole table, one row at a time. A value is nil, or a string, int64,
// bool, float64 or []byte according to its column's type; the slice is reused for the
// next row.
func EachRow(ctx context.Context, q Querier, t Table, each func(values []any) error) error {
	rows, err := q.Query(ctx, "SELECT "+t.names()+" FROM "+t.Name)
	if err != nil {
		return Convert(err)
	}
	defer rows.Close()
	cells := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		switch c.Type {
		case TextColumn:
			cells[i] = new(sql.NullString)
		case IntegerColumn:
			cells[i] = new(sql.NullInt64)
		case BooleanColumn:
			cells[i] = new(sql.NullBool)
		case RealColumn:
			cells[i] = new(sql.NullFloat64)
		case BytesColumn:
			cells[i] = new(any) // a []byte would be nil for no bytes as for NULL
		}
	}
	values := make([]any, len(cells))
	for rows.Next() {
		if err := rows.Scan(cells...); err != nil {
			return Convert(err)
		}
		for i, cell := range cells {
			values[i] = valueOf(cell)
		}
		if err := each(values); err != nil {
			return err
		}
	}
	return Convert(rows.Err())
}

func valueOf(cell any) any {
	switch c := cell.(type) {
	case *sql.NullString:
		if c.Valid {
			return c.String
		}
	case *sql.NullInt64:
		if c.Valid {
			return c.Int64
		}
	case *sql.NullBool:
		if c.Valid {
			return c.Bool
		}
	case *sql.NullFloat64:
		if c.Valid {
			return c.Float64
		}
	case *any:
		if b, ok := (*c).([]byte); ok {
			return append([]byte{}, b...)
		}
	}
	return nil
}

// InsertInto inserts whole rows as EachRow reads them.
func InsertInto(ctx context.Context, tx *Tx, t Table, rows [][]any) error {
	return Convert(InsertRows(ctx, tx, "INSERT INTO "+t.Name+" ("+t.names()+") VALUES ", "", rows))
}
