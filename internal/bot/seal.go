package bot

import (
	"bytes"
	"context"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// Where sealed values stand: a value does not open in any other place.
const (
	botTable           = "bots"
	signingSecretField = "signing_secret"
	secretTable        = "bot_secrets"
	secretField        = "value"
	integrationTable   = "bot_integrations"
	pluginTable        = "bot_plugins"
	configurationField = "configuration"
)

// rowOf names the row of a secret, or of what is installed under an alias. A bot's
// id holds no slash.
func rowOf(bot id.Bot, name string) string { return string(bot) + "/" + name }

func (s *Service) sealSigningSecret(bot id.Bot, plain string) string {
	return s.Keys.Seal([]byte(plain), botTable, string(bot), signingSecretField)
}

// sealSecrets seals the values of an update; nil, which removes, stays nil.
func (s *Service) sealSecrets(bot id.Bot, values map[string]*string) map[string]*string {
	sealed := make(map[string]*string, len(values))
	for name, value := range values {
		sealed[name] = nil
		if value != nil {
			text := s.Keys.Seal([]byte(*value), secretTable, rowOf(bot, name), secretField)
			sealed[name] = &text
		}
	}
	return sealed
}

// sealConfiguration seals the configuration of what is installed under an alias.
// One that did not change stays as it was sealed.
func (s *Service) sealConfiguration(table string, bot id.Bot, alias string, configuration, before wire.Object, sealed string) string {
	if sealed != "" && bytes.Equal(configuration, before) {
		return sealed
	}
	return s.Keys.Seal(configuration, table, rowOf(bot, alias), configurationField)
}

func (s *Service) openConfiguration(table string, bot id.Bot, alias, sealed string) (wire.Object, error) {
	plain, err := s.Keys.Open(sealed, table, rowOf(bot, alias), configurationField)
	return wire.Object(plain), err
}

// resealBatch is how many rows one transaction looks at: few enough for a server
// that runs on the same database not to wait.
const resealBatch = 200

// Reseal seals anew whatever an older key than the primary one sealed, and answers
// how many values that were. It works in batches, each in a transaction of its
// own; when it is interrupted, the next run does the rest.
func (s *Service) Reseal(ctx context.Context) (resealed int, err error) {
	for _, place := range []struct {
		batch func(context.Context, db.Querier, sealedAt) ([]sealedAt, error)
		write func(context.Context, db.Querier, sealedAt) error
		row   func(sealedAt) (table, row, field string)
	}{
		{selectSigningSecrets, updateSigningSecret, func(v sealedAt) (string, string, string) {
			return botTable, string(v.bot), signingSecretField
		}},
		{selectSecrets, updateSecret, func(v sealedAt) (string, string, string) {
			return secretTable, rowOf(v.bot, v.name), secretField
		}},
		{selectIntegrationConfigurations, updateIntegrationConfiguration, func(v sealedAt) (string, string, string) {
			return integrationTable, rowOf(v.bot, v.name), configurationField
		}},
		{selectPluginConfigurations, updatePluginConfiguration, func(v sealedAt) (string, string, string) {
			return pluginTable, rowOf(v.bot, v.name), configurationField
		}},
	} {
		for after, more := (sealedAt{}), true; more; {
			var last sealedAt
			var n int
			err := s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
				n = 0
				batch, err := place.batch(ctx, tx, after)
				if err != nil {
					return db.Convert(err)
				}
				if more = len(batch) == resealBatch; more {
					last = batch[len(batch)-1]
				}
				for _, v := range batch {
					if !s.Keys.NeedsRotation(v.sealed) {
						continue
					}
					table, row, field := place.row(v)
					plain, err := s.Keys.Open(v.sealed, table, row, field)
					if err != nil {
						return err
					}
					v.sealed = s.Keys.Seal(plain, table, row, field)
					if err := place.write(ctx, tx, v); err != nil {
						return db.Convert(err)
					}
					n++
				}
				return nil
			})
			if err != nil {
				return resealed, err
			}
			after = last
			resealed += n
		}
	}
	return resealed, nil
}
