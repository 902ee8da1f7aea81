package wire

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/botyard/botyard/internal/db"
)

// findAnswer reads what is kept for a key, and the answer as it is sealed.
func findAnswer(ctx context.Context, q db.Querier, actor, key string, now time.Time) (k *kept, sealed string, err error) {
	k = &kept{}
	err = q.QueryRow(ctx, `
		SELECT request, status, answer FROM idempotency_keys
		WHERE actor = $1 AND key = $2 AND expires_at > $3`, actor, key, now.UnixMilli()).
		Scan(&k.request, &k.status, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, "", nil
	}
	return k, sealed, err
}

func keepAnswer(ctx context.Context, q db.Querier, actor, key string, k kept, sealed string, expires time.Time) error {
	_, err := q.Exec(ctx, `
		INSERT INTO idempotency_keys (actor, key, request, status, answer, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (actor, key) DO UPDATE
		SET request = excluded.request, status = excluded.status, answer = excluded.answer, expires_at = excluded.expires_at`,
		actor, key, k.request, k.status, sealed, expires.UnixMilli())
	return err
}

// sealedAnswer is a kept answer and where it stands.
type sealedAnswer struct{ actor, key, sealed string }

func selectAnswers(ctx context.Context, q db.Querier, after sealedAnswer, most int) (list []sealedAnswer, err error) {
	rows, err := q.Query(ctx, `
		SELECT actor, key, answer FROM idempotency_keys WHERE (actor, key) > ($1, $2) ORDER BY actor, key LIMIT $3`,
		after.actor, after.key, most)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var a sealedAnswer
		if err := rows.Scan(&a.actor, &a.key, &a.sealed); err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, rows.Err()
}

func updateAnswer(ctx context.Context, q db.Querier, a sealedAnswer) error {
	_, err := q.Exec(ctx, `UPDATE idempotency_keys SET answer = $3 WHERE actor = $1 AND key = $2`, a.actor, a.key, a.sealed)
	return err
}

func deleteAnswers(ctx context.Context, q db.Querier, now time.Time) error {
	_, err := q.Exec(ctx, `DELETE FROM idempotency_keys WHERE expires_at <= $1`, now.UnixMilli())
	return err
}
