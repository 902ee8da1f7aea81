package app

import (
	"context"
	"fmt"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/wire"
)

// RotateKeys creates a new key, seals every secret with it and discards the older keys. It
// returns how many secrets it sealed. Whenever it is interrupted, the key file holds every
// key that some secret still needs, and running it again finishes the work. No server may
// be running: it would know the old keys only.
func (a *App) RotateKeys(ctx context.Context, keyFile string) (sealed int, err error) {
	keys := a.Keys.Rotate()
	if err := keys.Save(keyFile); err != nil {
		return 0, fmt.Errorf("the new key cannot be saved: %w", err)
	}
	a.Keys = keys
	a.assemble()
	answers := func(ctx context.Context) (int, error) { return wire.ResealAnswers(ctx, a.DB, keys) }
	for _, reseal := range []func(context.Context) (int, error){a.Bots.Reseal, a.Catalog.Reseal, answers} {
		n, err := reseal(ctx)
		if sealed += n; err != nil {
			return sealed, err
		}
	}
	err = a.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		return db.Convert(setSetting(ctx, tx, settingKeyCheck, keys.Check()))
	})
	if err != nil {
		return sealed, err
	}
	if err := keys.Retire().Save(keyFile); err != nil {
		return sealed, fmt.Errorf("the old keys cannot be discarded: %w", err)
	}
	return sealed, nil
}
