package catalog

import (
	"context"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// The columns that hold sealed values. A value can be opened only for its own row and
// column.
var (
	signingSecretColumn    = db.SealedColumn{Table: "integrations", Key: []string{"id"}, Column: "signing_secret"}
	oldSigningSecretColumn = db.SealedColumn{Table: "integrations", Key: []string{"id"}, Column: "old_signing_secret"}
	secretColumn           = db.SealedColumn{Table: "integration_secrets", Key: []string{"integration_id", "name"}, Column: "value"}
)

func (s *Service) sealSigningSecret(i id.Integration, plain string) string {
	return signingSecretColumn.Seal(s.Keys, []byte(plain), string(i))
}

func (s *Service) openSecret(i id.Integration, name, sealed string) (string, error) {
	plain, err := secretColumn.Open(s.Keys, sealed, string(i), name)
	return string(plain), err
}

// sealSecrets seals the values of a patch; nil, which removes, stays nil.
func (s *Service) sealSecrets(i id.Integration, values map[string]*string) map[string]*string {
	sealed := make(map[string]*string, len(values))
	for name, value := range values {
		sealed[name] = nil
		if value != nil {
			text := secretColumn.Seal(s.Keys, []byte(*value), string(i), name)
			sealed[name] = &text
		}
	}
	return sealed
}

// Reseal seals again, with the primary key, every value that an older key sealed, and
// answers how many there were.
func (s *Service) Reseal(ctx context.Context) (int, error) {
	return s.DB.Reseal(ctx, s.Keys, signingSecretColumn, oldSigningSecretColumn, secretColumn)
}
