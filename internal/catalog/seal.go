package catalog

import (
	"context"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// Where sealed values stand: a value does not open in any other place.
const (
	integrationTable      = "integrations"
	signingSecretField    = "signing_secret"
	oldSigningSecretField = "old_signing_secret"
	secretTable           = "integration_secrets"
	secretField           = "value"
)

// secretRow names the row of a secret. An integration's id holds no slash.
func secretRow(i id.Integration, name string) string { return string(i) + "/" + name }

func (s *Service) sealSigningSecret(i id.Integration, plain string) string {
	return s.Keys.Seal([]byte(plain), integrationTable, string(i), signingSecretField)
}

func (s *Service) openSecret(i id.Integration, name, sealed string) (string, error) {
	plain, err := s.Keys.Open(sealed, secretTable, secretRow(i, name), secretField)
	return string(plain), err
}

// sealSecrets seals the values of an update; nil, which removes, stays nil.
func (s *Service) sealSecrets(i id.Integration, values map[string]*string) map[string]*string {
	sealed := make(map[string]*string, len(values))
	for name, value := range values {
		sealed[name] = nil
		if value != nil {
			text := s.Keys.Seal([]byte(*value), secretTable, secretRow(i, name), secretField)
			sealed[name] = &text
		}
	}
	return sealed
}

// resealBatch is how many rows one transaction looks at: few enough for a server
// that runs on the same database not to wait.
const resealBatch = 200

// sealedAt is a sealed value and where it stands. name is that of a secret.
type sealedAt struct {
	integration id.Integration
	name        string
	sealed      string
}

// sealedPlace is one column of sealed values.
type sealedPlace struct {
	batch func(context.Context, db.Querier, sealedAt) ([]sealedAt, error)
	write func(context.Context, db.Querier, sealedAt) error
	place func(sealedAt) (table, row, field string)
}

var sealedPlaces = []sealedPlace{
	{selectSigningSecrets, updateSigningSecret, func(v sealedAt) (string, string, string) {
		return integrationTable, string(v.integration), signingSecretField
	}},
	{selectOldSigningSecrets, updateOldSigningSecret, func(v sealedAt) (string, string, string) {
		return integrationTable, string(v.integration), oldSigningSecretField
	}},
	{selectSealedSecrets, updateSealedSecret, func(v sealedAt) (string, string, string) {
		return secretTable, secretRow(v.integration, v.name), secretField
	}},
}

// Reseal seals anew whatever an older key than the primary one sealed, and answers
// how many values that were. It works in batches, each in a transaction of its own;
// when it is interrupted, the next run does the rest.
func (s *Service) Reseal(ctx context.Context) (resealed int, err error) {
	for _, p := range sealedPlaces {
		for after, more := (sealedAt{}), true; more; {
			var last sealedAt
			var n int
			err := s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
				last, n, err = s.resealFrom(ctx, tx, p, after)
				return err
			})
			if err != nil {
				return resealed, err
			}
			after, more = last, last != sealedAt{}
			resealed += n
		}
	}
	return resealed, nil
}

// resealFrom does one batch of a place behind a value, and answers the last value of
// the batch; none when no more follow.
func (s *Service) resealFrom(ctx context.Context, tx *db.Tx, p sealedPlace, after sealedAt) (last sealedAt, n int, err error) {
	batch, err := p.batch(ctx, tx, after)
	if err != nil {
		return last, 0, db.Convert(err)
	}
	if len(batch) == resealBatch {
		last = batch[len(batch)-1]
	}
	for _, v := range batch {
		if !s.Keys.NeedsRotation(v.sealed) {
			continue
		}
		table, row, field := p.place(v)
		plain, err := s.Keys.Open(v.sealed, table, row, field)
		if err != nil {
			return last, n, err
		}
		v.sealed = s.Keys.Seal(plain, table, row, field)
		if err := p.write(ctx, tx, v); err != nil {
			return last, n, db.Convert(err)
		}
		n++
	}
	return last, n, nil
}
