package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/secret"
	"github.com/botyard/botyard/internal/wire"
)

// RotateKeys creates a new key, seals every secret with it and discards the older keys. It
// returns how many secrets it sealed. Whenever it is interrupted, the key file holds every
// key that some secret still needs, and running it again finishes the work. No server may
// be running: it would know the old keys only. It returns secret.ErrInUse if one runs on this
// machine with this file, or if the keys are being rotated already.
func (a *App) RotateKeys(ctx context.Context, keyFile string) (sealed int, err error) {
	done, err := secret.Replace(keyFile)
	if err != nil {
		return 0, fmt.Errorf("stop all servers, and rotate once at a time: %w", err)
	}
	defer func() { err = errors.Join(err, done()) }()
	current, err := secret.Open(keyFile, false)
	if err != nil {
		return 0, err
	}
	if !slices.Equal(current.IDs(), a.Keys.IDs()) {
		return 0, fmt.Errorf("the keys in %s were replaced a moment ago, by another rotation; run this again to replace them once more", keyFile)
	}
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

// useKeys keeps the keys from being rotated while this process serves. If they were rotated
// since they were read, it returns the error of Open for wrong keys.
func (a *App) useKeys(ctx context.Context) (err error) {
	if a.config.SecretKey != "" && a.config.SecretKeyFile == "" {
		return nil // they are in no file
	}
	if a.keysUsed, err = secret.Use(a.config.KeyFile()); err != nil {
		return err
	}
	return a.checkKeptKey(ctx)
}
