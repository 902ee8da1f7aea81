package telemetry

import (
	"context"

	"github.com/botyard/botyard/internal/db"
)

func insertKeys(ctx context.Context, q db.Querier, v *volume, sequence int64, keys []key) error {
	_, err := q.Exec(ctx, v.text(`INSERT INTO {keys} (sequence, hashes) VALUES ($1, $2)`), sequence, appendKeys(nil, keys))
	return err
}

// selectKeys calls visit with the keys that were appended after a sequence and are not in
// a run yet.
func selectKeys(ctx context.Context, q db.Querier, v *volume, after int64, visit func([]key)) error {
	rows, err := q.Query(ctx, v.text(`SELECT hashes FROM {keys} WHERE sequence > $1 ORDER BY sequence`), after)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var hashes []byte
		if err := rows.Scan(&hashes); err != nil {
			return err
		}
		visit(keysOf(hashes))
	}
	return rows.Err()
}

func deleteKeyRows(ctx context.Context, q db.Querier, v *volume) error {
	_, err := q.Exec(ctx, v.text(`DELETE FROM {keys}`))
	return err
}

// headerBucket is the place of a run's header among its buckets.
const headerBucket = -1

// selectRuns reads the ids of a volume's runs.
func selectRuns(ctx context.Context, q db.Querier, v *volume) ([]int64, error) {
	rows, err := q.Query(ctx, v.text(`SELECT run FROM {runs} WHERE bucket = $1 ORDER BY run`), headerBucket)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// selectBucket reads a bucket or the header of a run; found is false when it was deleted.
func selectBucket(ctx context.Context, q db.Querier, v *volume, run, bucket int64) (hashes []byte, found bool, err error) {
	found, err = foundRow(q.QueryRow(ctx, v.text(`SELECT hashes FROM {runs} WHERE run = $1 AND bucket = $2`), run, bucket).Scan(&hashes))
	return hashes, found, err
}

func insertBucket(ctx context.Context, q db.Querier, v *volume, run, bucket int64, hashes []byte) error {
	_, err := q.Exec(ctx, v.text(`INSERT INTO {runs} (run, bucket, hashes) VALUES ($1, $2, $3)`), run, bucket, orEmpty(hashes))
	return err
}

func deleteRun(ctx context.Context, q db.Querier, v *volume, run int64) error {
	_, err := q.Exec(ctx, v.text(`DELETE FROM {runs} WHERE run = $1`), run)
	return err
}
