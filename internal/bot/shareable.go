package bot

import (
	"context"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// Shareable is an id by which an installed integration is shared with people who try it:
// the link to the integration's sandbox contains it. It expires, and works for anyone who
// knows it.
type Shareable struct {
	ID        id.Shareable
	CreatedAt time.Time
	ExpiresAt time.Time
}

// shareableFor is how long a shareable id is valid; see decision 25.
const shareableFor = 30 * 24 * time.Hour

// instance finds the installed integration that an operation is about: the one with
// the alias, or the oldest when that is empty. ResourceNotFound when the workspace
// has no such bot, or the bot no such instance.
func (s *Service) instance(ctx context.Context, q db.Querier, bot id.Bot, i id.Integration, alias string) (string, error) {
	found, ok, err := selectAlias(ctx, q, bot, i, alias)
	switch {
	case err != nil:
		return "", db.Convert(err)
	case ok:
		return found, nil
	case alias != "":
		return "", fault.New(fault.ResourceNotFound, "The bot has not installed the integration %q under the alias %q.", fault.Bounded(string(i)), fault.Bounded(alias))
	}
	return "", fault.New(fault.ResourceNotFound, "The bot has not installed the integration %q.", fault.Bounded(string(i)))
}

// CreateShareable gives an installed integration a new shareable id. The old one is no
// longer valid.
func (s *Service) CreateShareable(ctx context.Context, w id.Workspace, bot id.Bot, i id.Integration, alias string) (made Shareable, err error) {
	now := s.Clock.Now()
	made = Shareable{ID: id.NewShareable(), CreatedAt: now, ExpiresAt: now.Add(shareableFor)}
	return made, s.change(ctx, w, bot, func(ctx context.Context, tx *db.Tx, _ Bot) (string, error) {
		found, err := s.instance(ctx, tx, bot, i, alias)
		if err != nil {
			return "", err
		}
		return "shareable id of " + fault.Bounded(found) + " created", upsertShareable(ctx, tx, bot, found, made)
	})
}

// Shareable reads the shareable id of an installed integration, even an expired one, and
// whether it has expired. ResourceNotFound when it has none.
func (s *Service) Shareable(ctx context.Context, w id.Workspace, bot id.Bot, i id.Integration, alias string) (shared Shareable, expired bool, err error) {
	q := s.DB.Reader(ctx)
	if _, err := s.owned(ctx, q, w, bot); err != nil {
		return shared, false, err
	}
	found, err := s.instance(ctx, q, bot, i, alias)
	if err != nil {
		return shared, false, err
	}
	shared, has, err := selectShareable(ctx, q, bot, found)
	if err != nil {
		return shared, false, db.Convert(err)
	}
	if !has {
		return shared, false, noShareable(found)
	}
	return shared, !s.Clock.Now().Before(shared.ExpiresAt), nil
}

// DeleteShareable deletes the shareable id of an installed integration. ResourceNotFound
// when it has none.
func (s *Service) DeleteShareable(ctx context.Context, w id.Workspace, bot id.Bot, i id.Integration, alias string) error {
	return s.change(ctx, w, bot, func(ctx context.Context, tx *db.Tx, _ Bot) (string, error) {
		found, err := s.instance(ctx, tx, bot, i, alias)
		if err != nil {
			return "", err
		}
		deleted, err := deleteShareable(ctx, tx, bot, found)
		if err == nil && !deleted {
			err = noShareable(found)
		}
		return "shareable id of " + fault.Bounded(found) + " deleted", err
	})
}

func noShareable(alias string) error {
	return fault.New(fault.ResourceNotFound, "The integration installed as %q has no shareable id. Make one with createIntegrationShareableId.", fault.Bounded(alias))
}

// UnlinkSandboxed unlinks the bot from the conversations of an integration's sandbox.
// Conversations are not stored here, so none is ever linked; it only checks that there is
// such an instance.
func (s *Service) UnlinkSandboxed(ctx context.Context, w id.Workspace, bot id.Bot, i id.Integration, alias string) error {
	q := s.DB.Reader(ctx)
	if _, err := s.owned(ctx, q, w, bot); err != nil {
		return err
	}
	_, err := s.instance(ctx, q, bot, i, alias)
	return err
}

// Webchat is the webhook of the integration through which web pages talk to a bot, which
// they know as the client id. ResourceNotFound when the workspace has no such bot, or the
// bot no such enabled integration.
func (s *Service) Webchat(ctx context.Context, w id.Workspace, bot id.Bot, integration string) (id.Webhook, error) {
	q := s.DB.Reader(ctx)
	if _, err := s.owned(ctx, q, w, bot); err != nil {
		return "", err
	}
	webhook, found, err := selectWebchat(ctx, q, bot, integration)
	if err != nil {
		return "", db.Convert(err)
	}
	if !found {
		return "", fault.New(fault.ResourceNotFound, "The bot has no webchat: the integration %q is not installed in it, or is switched off. Install it with updateBot, then ask again.", integration)
	}
	return webhook, nil
}
