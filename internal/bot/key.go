package bot

import (
	"context"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

const (
	// maxAccessKeys bounds a list that the API answers without pages.
	maxAccessKeys = 100
	// maxNote bounds what is kept beside a key, in bytes.
	maxNote = 1000
)

// CreateKey makes a key that acts as a bot of the workspace; the value is the only
// copy. ResourceNotFound when the workspace has no such bot, LimitExceeded when it
// has too many keys, InvalidPayload when the note is too long.
func (s *Service) CreateKey(ctx context.Context, w id.Workspace, bot id.Bot, note string) (key access.Token, value string, err error) {
	if len(note) > maxNote {
		return key, "", fault.New(fault.InvalidPayload, "The note has %d bytes; at most %d are allowed.", len(note), maxNote)
	}
	err = s.change(ctx, w, bot, func(ctx context.Context, tx *db.Tx, _ Bot) (string, error) {
		keys, err := s.Tokens.Keys(ctx, tx, access.BAK, w, string(bot))
		if err != nil {
			return "", err
		}
		if len(keys) >= maxAccessKeys {
			return "", fault.New(fault.LimitExceeded, "A bot can have at most %d keys and this one has %d. Delete unused ones first.", maxAccessKeys, len(keys)).
				With("limit", maxAccessKeys).With("count", len(keys))
		}
		key, value, err = s.Tokens.CreateKey(ctx, tx, access.BAK, w, string(bot), note)
		return "key created: " + string(key.ID), err
	})
	return key, value, err
}

// ListKeys lists the keys of a bot, newest first. ResourceNotFound when the
// workspace has no such bot.
func (s *Service) ListKeys(ctx context.Context, w id.Workspace, bot id.Bot) ([]access.Token, error) {
	q := s.DB.Reader(ctx)
	if _, err := s.owned(ctx, q, w, bot); err != nil {
		return nil, err
	}
	return s.Tokens.Keys(ctx, q, access.BAK, w, string(bot))
}

// DeleteKey deletes a key of one of the workspace's bots; it stops working at once.
// ResourceNotFound when the workspace has no such key, or one of a bot that the
// actor is not let into.
func (s *Service) DeleteKey(ctx context.Context, actor access.Actor, key id.Token) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		k, err := s.Tokens.Key(ctx, tx, access.BAK, actor.Workspace, key)
		if err != nil {
			return err
		}
		err = s.letIn(ctx, tx, actor.Account, []id.Bot{id.Bot(k.Subject)})
		if fault.Is(err, fault.ResourceNotFound) {
			return access.NoSuchKey(key)
		}
		if err != nil {
			return err
		}
		if err := s.Tokens.DeleteKey(ctx, tx, access.BAK, actor.Workspace, key); err != nil {
			return err
		}
		b, err := s.owned(ctx, tx, actor.Workspace, id.Bot(k.Subject))
		if err != nil {
			return err
		}
		return s.Trail.Record(ctx, tx, actor.Workspace, access.Act{Action: "UPDATE_BOT", Resource: k.Subject, Name: b.Name, Value: "key deleted: " + string(key)})
	})
}
