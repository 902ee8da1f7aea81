package bot

import (
	"bytes"
	"context"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// The columns with sealed values. A value opens only in the place it was sealed for.
var (
	signingSecretColumn            = db.SealedColumn{Table: "bots", Key: []string{"id"}, Column: "signing_secret"}
	oldSigningSecretColumn         = db.SealedColumn{Table: "bots", Key: []string{"id"}, Column: "old_signing_secret"}
	secretColumn                   = db.SealedColumn{Table: "bot_secrets", Key: []string{"bot_id", "name"}, Column: "value"}
	integrationConfigurationColumn = db.SealedColumn{Table: "bot_integrations", Key: []string{"bot_id", "alias"}, Column: "configuration"}
	departedColumn                 = db.SealedColumn{Table: "departed_instances", Key: []string{"webhook_id"}, Column: "callee"}
	pluginConfigurationColumn      = db.SealedColumn{Table: "bot_plugins", Key: []string{"bot_id", "alias"}, Column: "configuration"}
	versionSettingsColumn          = db.SealedColumn{Table: "bot_versions", Key: []string{"bot_id", "id"}, Column: "settings"}
)

func (s *Service) sealSigningSecret(bot id.Bot, plain string) string {
	return signingSecretColumn.Seal(s.Keys, []byte(plain), string(bot))
}

// sealSecrets seals the values of an update; nil, which removes a secret, stays nil.
func (s *Service) sealSecrets(bot id.Bot, values map[string]*string) map[string]*string {
	sealed := make(map[string]*string, len(values))
	for name, value := range values {
		sealed[name] = nil
		if value != nil {
			text := secretColumn.Seal(s.Keys, []byte(*value), string(bot), name)
			sealed[name] = &text
		}
	}
	return sealed
}

// sealConfiguration seals the configuration of what is installed under an alias. An
// unchanged one keeps its sealed text.
func (s *Service) sealConfiguration(c db.SealedColumn, bot id.Bot, alias string, configuration, before wire.Object, sealed string) string {
	if sealed != "" && bytes.Equal(configuration, before) {
		return sealed
	}
	return c.Seal(s.Keys, configuration, string(bot), alias)
}

func (s *Service) openConfiguration(c db.SealedColumn, bot id.Bot, alias, sealed string) (wire.Object, error) {
	plain, err := c.Open(s.Keys, sealed, string(bot), alias)
	return wire.Object(plain), err
}

// Reseal seals every value again that was not sealed with the primary key, and returns how
// many there were.
func (s *Service) Reseal(ctx context.Context) (int, error) {
	return s.DB.Reseal(ctx, s.Keys, signingSecretColumn, oldSigningSecretColumn, secretColumn, integrationConfigurationColumn, pluginConfigurationColumn, versionSettingsColumn, departedColumn)
}
