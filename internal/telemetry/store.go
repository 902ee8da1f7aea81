package telemetry

import (
	"context"
	"database/sql"
	"errors"
	"math/bits"
	"strings"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// Tables of a volume. In SQLite they have these names; in PostgreSQL each day has
// its own, which volume.text puts in.
const (
	schemaBlocks = `
		(sequence BIGINT NOT NULL, last_sequence BIGINT NOT NULL, volume TEXT NOT NULL,
		 workspace_id TEXT NOT NULL, bot_id TEXT NOT NULL, integration_id TEXT NOT NULL,
		 first_at BIGINT NOT NULL, last_at BIGINT NOT NULL, records BIGINT NOT NULL,
		 kinds BIGINT NOT NULL, levels BIGINT NOT NULL, fresh BOOLEAN NOT NULL, complete BOOLEAN NOT NULL,
		 ids BYTEA NOT NULL, words BYTEA NOT NULL, head BYTEA NOT NULL, text BYTEA NOT NULL)`
	schemaKeys  = `(sequence BIGINT PRIMARY KEY, hashes BYTEA NOT NULL)`
	schemaRuns  = `(run BIGINT NOT NULL, bucket BIGINT NOT NULL, hashes BYTEA NOT NULL, PRIMARY KEY (run, bucket))`
	schemaMarks = `(name TEXT PRIMARY KEY, value BIGINT NOT NULL)`
)

// schemaIndexes are created for {blocks} of every volume.
var schemaIndexes = []string{
	`CREATE UNIQUE INDEX IF NOT EXISTS {blocks}_by_sequence ON {blocks} (sequence)`,
	`CREATE INDEX IF NOT EXISTS {blocks}_by_bot ON {blocks} (bot_id, last_at, sequence, first_at)`,
	`CREATE INDEX IF NOT EXISTS {blocks}_after ON {blocks} (bot_id, last_sequence)`,
	`CREATE INDEX IF NOT EXISTS {blocks}_by_integration ON {blocks} (integration_id, last_at, sequence, first_at) WHERE integration_id <> ''`,
	`CREATE INDEX IF NOT EXISTS {blocks}_to_merge ON {blocks} (bot_id, integration_id, records) WHERE NOT complete`,
	`CREATE INDEX IF NOT EXISTS {blocks}_fresh ON {blocks} (sequence) WHERE fresh`,
}

// The rows of {marks}.
const (
	markNext   = "next"
	markSealed = "sealed"
)

// marks are the state of a volume.
type marks struct {
	next int64 // the sequence of the next record; 0 before the first
	// sealed says that the day is over and everything in it is merged. It is unset when
	// something is appended after all.
	sealed bool
}

func selectMarks(ctx context.Context, q db.Querier, v *volume) (marks, error) {
	var m marks
	var sealed int64
	err := q.QueryRow(ctx, v.text(`
		SELECT COALESCE(MAX(CASE WHEN name = $1 THEN value END), 0), COALESCE(MAX(CASE WHEN name = $2 THEN value END), 0) FROM {marks}`),
		markNext, markSealed).Scan(&m.next, &sealed)
	m.sealed = sealed == 1
	return m, err
}

func putMark(ctx context.Context, q db.Querier, v *volume, name string, value int64) error {
	_, err := q.Exec(ctx, v.text(`
		INSERT INTO {marks} (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`), name, value)
	return err
}

func insertBlock(ctx context.Context, q db.Querier, v *volume, b *block) error {
	_, err := q.Exec(ctx, v.text(`
		INSERT INTO {blocks} (sequence, last_sequence, volume, workspace_id, bot_id, integration_id, first_at, last_at,
		  records, kinds, levels, fresh, complete, ids, words, head, text)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`),
		b.sequence, b.lastSequence, v.name(), string(b.workspace), string(b.bot), string(b.integration), b.firstAt, b.lastAt,
		int64(b.records), int64(b.kinds), int64(b.levels), b.fresh, b.full, orEmpty(b.ids), orEmpty(b.words), b.head, b.text)
	return err
}

// orEmpty answers a slice that the driver does not write as NULL.
func orEmpty[B ~[]byte](b B) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func deleteBlock(ctx context.Context, q db.Querier, v *volume, sequence int64) (bool, error) {
	n, err := q.Exec(ctx, v.text(`DELETE FROM {blocks} WHERE sequence = $1`), sequence)
	return n > 0, err
}

const blockColumns = `sequence, last_sequence, workspace_id, bot_id, integration_id, first_at, last_at, records, kinds, levels, fresh, complete`

func scanBlock(rows *sql.Rows, more ...any) (*block, error) {
	b := &block{}
	var kinds, levels int64
	err := rows.Scan(append([]any{&b.sequence, &b.lastSequence, &b.workspace, &b.bot, &b.integration, &b.firstAt, &b.lastAt,
		&b.records, &kinds, &levels, &b.fresh, &b.full}, more...)...)
	b.kinds, b.levels = uint64(kinds), uint64(levels)
	return b, err
}

// bound is where a list of blocks continues: before this last time and sequence.
type bound struct{ at, sequence int64 }

// owner is the column that selects the blocks of a filter's bot or integration, and its
// value.
func (f *Filter) owner() (column, value string) {
	if f.Bot != "" {
		return "bot_id", string(f.Bot)
	}
	// SQLite uses an index with a condition only for statements with the same one.
	return "integration_id <> '' AND integration_id", string(f.Integration)
}

// selectCandidates lists blocks of a bot or an integration, those with the latest
// records first, without their heads and texts. It reads the Bloom filter and the
// trigrams only when f needs them.
func selectCandidates(ctx context.Context, q db.Querier, v *volume, f *Filter, before bound, most int) ([]*block, error) {
	column, name := f.owner()
	// A short column stands in for one that is not needed.
	ids, words := "volume", "volume"
	if f.User != "" || f.Conversation != "" || f.Workflow != "" {
		ids = "ids"
	}
	if len(f.Contains) > 2 {
		words = "words"
	}
	text := strings.NewReplacer("{owner}", column, "{ids}", ids, "{words}", words).Replace(`
		SELECT ` + blockColumns + `, {ids}, {words} FROM {blocks}
		WHERE {owner} = $1 AND (last_at, sequence) < ($2, $3) AND last_at >= $4
		ORDER BY last_at DESC, sequence DESC LIMIT $5`)
	rows, err := q.Query(ctx, v.text(text), name, before.at, before.sequence, f.From.UnixMilli(), most)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var blocks []*block
	for rows.Next() {
		var idsOf, wordsOf []byte
		b, err := scanBlock(rows, &idsOf, &wordsOf)
		if err != nil {
			return nil, err
		}
		if ids == "ids" {
			b.ids = idsOf
		}
		if words == "words" {
			b.words = wordsOf
		}
		blocks = append(blocks, b)
	}
	return blocks, rows.Err()
}

// selectSpanning reads the identities of the blocks that are listed up to a bound and have
// older records than it, and which of them are fresh.
func selectSpanning(ctx context.Context, q db.Querier, v *volume, f *Filter, to bound) (map[identity]bool, error) {
	column, name := f.owner()
	var s db.Statement
	s.Add(v.text(`SELECT `+identityColumns+`, b.fresh FROM {blocks} b WHERE `)+column+` = ? AND (last_at, sequence) >= (?, ?) AND first_at <= ?`,
		name, to.at, to.sequence, to.at)
	fresh := map[identity]bool{}
	err := scanAll(ctx, q, &s, func(scan func(...any) error) error {
		var found identity
		var is bool
		err := scan(append(found.fields(), &is)...)
		fresh[found] = is
		return err
	})
	return fresh, err
}

// identity tells whether a block is the one that was listed. A block with the same
// sequences, times and number of records has the same content.
type identity struct {
	sequence, lastSequence, firstAt, lastAt int64
	records                                 int
}

func (b *block) identity() identity {
	return identity{b.sequence, b.lastSequence, b.firstAt, b.lastAt, b.records}
}

const identityColumns = `b.sequence, b.last_sequence, b.first_at, b.last_at, b.records`

func (i *identity) fields() []any {
	return []any{&i.sequence, &i.lastSequence, &i.firstAt, &i.lastAt, &i.records}
}

// selectHeads sets the heads of blocks, apart from those that were merged or erased in the
// meantime.
func selectHeads(ctx context.Context, q db.Querier, v *volume, blocks []*block) error {
	var s db.Statement
	s.Add(v.text(`SELECT ` + identityColumns + `, b.head FROM {blocks} b WHERE b.sequence IN `))
	sequences := make([]any, powerOfTwo(len(blocks)))
	for i := range sequences {
		sequences[i] = blocks[min(i, len(blocks)-1)].sequence
	}
	s.AddList(sequences...)
	return scanAll(ctx, q, &s, func(scan func(...any) error) error {
		var found identity
		var head []byte
		err := scan(append(found.fields(), &head)...)
		for _, b := range blocks {
			if b.identity() == found {
				b.head = head
			}
		}
		return err
	})
}

// powerOfTwo is the smallest that is at least n. Statements with so many rows come in few
// variants, which stay prepared.
func powerOfTwo(n int) int { return 1 << bits.Len(uint(n-1)) }

// textRange is a part of the compressed text of a block, in bytes.
type textRange struct {
	*block
	from, to int
}

// selectTexts reads parts of texts, apart from those of blocks that were merged or erased
// in the meantime.
func selectTexts(ctx context.Context, q db.Querier, v *volume, ranges []textRange) (map[textRange]excerpt, error) {
	var s db.Statement
	s.Add(`WITH wanted (place, sequence, start, length) AS (VALUES `)
	for i := range powerOfTwo(len(ranges)) {
		switch {
		case i == 0: // the first row determines the types of the columns
			s.Add(`(CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT))`, i, ranges[i].sequence, ranges[i].from+1, ranges[i].to-ranges[i].from)
		case i < len(ranges):
			s.Add(`, (?, ?, ?, ?)`, i, ranges[i].sequence, ranges[i].from+1, ranges[i].to-ranges[i].from)
		default:
			s.Add(`, (?, ?, ?, ?)`, i, -1, 1, 0) // padding, which matches no block
		}
	}
	s.Add(v.text(`) SELECT ` + identityColumns + `, w.place, substr(b.text, CAST(w.start AS INTEGER), CAST(w.length AS INTEGER)) FROM wanted w JOIN {blocks} b ON b.sequence = w.sequence`))
	texts := make(map[textRange]excerpt, len(ranges))
	err := scanAll(ctx, q, &s, func(scan func(...any) error) error {
		var found identity
		var place int
		var text []byte
		err := scan(append(found.fields(), &place, &text)...)
		if r := ranges[place]; r.identity() == found {
			texts[r] = excerpt{text, r.from}
		}
		return err
	})
	return texts, err
}

func foundRow(err error) (bool, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// selectFresh reads whole fresh blocks in the order in which they were appended.
func selectFresh(ctx context.Context, q db.Querier, v *volume, after int64, most int) ([]*block, error) {
	return selectWhole(ctx, q, v.text(`
		SELECT `+blockColumns+`, head, text FROM {blocks} WHERE fresh AND sequence > $1 ORDER BY sequence LIMIT $2`), after, most)
}

// selectAfter reads whole blocks of an owner that have records after a sequence, in the
// order of their first sequence, which is greater than past.
func selectAfter(ctx context.Context, q db.Querier, v *volume, f *Filter, after, past int64, most int) ([]*block, error) {
	if f.Bot != "" {
		return selectWhole(ctx, q, v.text(`
			SELECT `+blockColumns+`, head, text FROM {blocks}
			WHERE bot_id = $1 AND last_sequence > $2 AND sequence > $3 ORDER BY sequence LIMIT $4`), string(f.Bot), after, past, most)
	}
	return selectWhole(ctx, q, v.text(`
		SELECT `+blockColumns+`, head, text FROM {blocks}
		WHERE integration_id <> '' AND integration_id = $1 AND last_sequence > $2 AND sequence > $3 ORDER BY sequence LIMIT $4`), string(f.Integration), after, past, most)
}

func selectWhole(ctx context.Context, q db.Querier, query string, args ...any) ([]*block, error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var blocks []*block
	for rows.Next() {
		var head, text []byte
		b, err := scanBlock(rows, &head, &text)
		if err != nil {
			return nil, err
		}
		b.head, b.text = head, text
		blocks = append(blocks, b)
	}
	return blocks, rows.Err()
}

// debt is an owner with blocks that are to be merged.
type debt struct {
	owner
	blocks, records int
}

// selectDebts lists the owners with the most blocks that may be merged: at least least
// blocks, or enough records for a full one. Fresh blocks count up to the sequence rolled.
func selectDebts(ctx context.Context, q db.Querier, v *volume, rolled int64, least, most int) ([]debt, error) {
	rows, err := q.Query(ctx, v.text(`
		SELECT workspace_id, bot_id, integration_id, COUNT(*), SUM(records) FROM {blocks}
		WHERE NOT complete AND (NOT fresh OR sequence <= $1)
		GROUP BY workspace_id, bot_id, integration_id HAVING COUNT(*) >= $2 OR COUNT(*) > 1 AND SUM(records) >= $3
		ORDER BY COUNT(*) DESC LIMIT $4`), rolled, least, maxRecords, most)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var debts []debt
	for rows.Next() {
		var d debt
		if err := rows.Scan(&d.workspace, &d.bot, &d.integration, &d.blocks, &d.records); err != nil {
			return nil, err
		}
		debts = append(debts, d)
	}
	return debts, rows.Err()
}

// selectToMerge reads whole blocks of an owner that may be merged, the smallest first.
func selectToMerge(ctx context.Context, q db.Querier, v *volume, o owner, rolled int64, most int) ([]*block, error) {
	return selectWhole(ctx, q, v.text(`
		SELECT `+blockColumns+`, head, text FROM {blocks}
		WHERE bot_id = $1 AND integration_id = $2 AND workspace_id = $3 AND NOT complete AND (NOT fresh OR sequence <= $4)
		ORDER BY records, sequence LIMIT $5`), string(o.bot), string(o.integration), string(o.workspace), rolled, most)
}

func countFresh(ctx context.Context, q db.Querier, v *volume) (n int64, err error) {
	err = q.QueryRow(ctx, v.text(`SELECT COUNT(*) FROM {blocks} WHERE fresh`)).Scan(&n)
	return n, err
}

func deleteOwned(ctx context.Context, q db.Querier, v *volume, of Owner) (n int64, err error) {
	switch {
	case of.Workspace != "":
		return q.Exec(ctx, v.text(`DELETE FROM {blocks} WHERE workspace_id = $1`), string(of.Workspace))
	case of.Bot != "":
		return q.Exec(ctx, v.text(`DELETE FROM {blocks} WHERE bot_id = $1`), string(of.Bot))
	case of.Integration != "":
		return q.Exec(ctx, v.text(`DELETE FROM {blocks} WHERE integration_id = $1 AND bot_id = ''`), string(of.Integration))
	}
	return 0, nil
}

// selectWorkspaces lists the workspaces that have records in a volume.
func selectWorkspaces(ctx context.Context, q db.Querier, v *volume) ([]id.Workspace, error) {
	rows, err := q.Query(ctx, v.text(`SELECT DISTINCT workspace_id FROM {blocks}`))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []id.Workspace
	for rows.Next() {
		var w id.Workspace
		if err := rows.Scan(&w); err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, rows.Err()
}

// selectBots lists the bots that have records in a volume.
func selectBots(ctx context.Context, q db.Querier, v *volume) ([]id.Bot, error) {
	rows, err := q.Query(ctx, v.text(`SELECT DISTINCT bot_id FROM {blocks} WHERE bot_id <> '' ORDER BY bot_id`))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var bots []id.Bot
	for rows.Next() {
		var bot id.Bot
		if err := rows.Scan(&bot); err != nil {
			return nil, err
		}
		bots = append(bots, bot)
	}
	return bots, rows.Err()
}

// deleteOutsideOfBots deletes what the integrations of a workspace logged outside of bots.
func deleteOutsideOfBots(ctx context.Context, q db.Querier, v *volume, w id.Workspace) (n int64, err error) {
	return q.Exec(ctx, v.text(`DELETE FROM {blocks} WHERE workspace_id = $1 AND bot_id = ''`), string(w))
}
