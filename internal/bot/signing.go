package bot

import (
	"context"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/secret"
)

// secretGrace is how long a signing secret stays valid after it was replaced.
const secretGrace = 24 * time.Hour

// RotateSigningSecret gives a bot a new signing secret, which is not shown again. The
// previous one stays valid for 24 hours, so that the bot's server can follow; an older one
// is no longer valid. ResourceNotFound when the workspace has no such bot.
func (s *Service) RotateSigningSecret(ctx context.Context, w id.Workspace, bot id.Bot) (signingSecret string, err error) {
	signingSecret = secret.Text(signingSecretLength)
	return signingSecret, s.change(ctx, w, bot, func(ctx context.Context, tx *db.Tx, _ Bot) (string, error) {
		current, _, _, _, err := selectSecretsForSigning(ctx, tx, bot)
		if err != nil {
			return "", err
		}
		plain, err := signingSecretColumn.Open(s.Keys, current, string(bot))
		if err != nil {
			return "", err
		}
		old := oldSigningSecretColumn.Seal(s.Keys, plain, string(bot))
		until := s.Clock.Now().Add(secretGrace)
		return "signing secret rotated", updateSigningSecrets(ctx, tx, bot, s.sealSigningSecret(bot, signingSecret), old, until)
	})
}

// SigningSecrets are the secrets that calls of the bot are signed with, the current one
// first; for a day after a rotation there are two. None when there is no such bot.
func (s *Service) SigningSecrets(ctx context.Context, q db.Querier, bot id.Bot) ([]string, error) {
	current, old, until, found, err := selectSecretsForSigning(ctx, q, bot)
	if err != nil || !found {
		return nil, db.Convert(err)
	}
	plain, err := signingSecretColumn.Open(s.Keys, current, string(bot))
	if err != nil {
		return nil, err
	}
	good := []string{string(plain)}
	if old == "" || !s.Clock.Now().Before(until) {
		return good, nil
	}
	if plain, err = oldSigningSecretColumn.Open(s.Keys, old, string(bot)); err != nil {
		return nil, err
	}
	return append(good, string(plain)), nil
}
