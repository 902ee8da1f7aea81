package wire

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/botyard/botyard/internal/db"
)

// findAnswer reads what is stored for a key, with the answer still sealed.
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

// claimKey stores that a request with the key is being worked on, in place of what has
// expired. Until the transaction ends, others that claim the key wait; if it is committed,
// they conflict with it and run again.
func claimKey(ctx context.Context, q db.Querier, actor, key, request string, expires time.Time) error {
	return keepAnswer(ctx, q, actor, key, kept{request: request, status: unanswered}, "", expires)
}

// disclaimKey frees a key that has no answer.
func disclaimKey(ctx context.Context, q db.Querier, actor, key string) error {
	_, err := q.Exec(ctx, `DELETE FROM idempotency_keys WHERE actor = $1 AND key = $2 AND status = $3`, actor, key, unanswered)
	return err
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

func deleteAnswers(ctx context.Context, q db.Querier, now time.Time) error {
	_, err := q.Exec(ctx, `DELETE FROM idempotency_keys WHERE expires_at <= $1`, now.UnixMilli())
	return err
}
