package app

import (
	"context"
	"time"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/clock"
)

// blobUser is a domain that refers to blobs.
type blobUser interface {
	UsesBlob(ctx context.Context, h blob.Hash) (bool, error)
}

// CollectBlobs retires the blobs that nothing refers to, deletes those that were retired
// long ago, and returns how many it deleted. A blob is stored before the transaction that
// refers to it, so a young one may still get its reference: it is kept until it has settled.
// An old one may become young again and get a reference after this has listed it or asked
// about it; it is then retired, and reinstated by the next collection. Ages are measured by
// the machine's clock, as the blobs' own times are.
func (a *App) CollectBlobs(ctx context.Context) (deleted int, err error) {
	return a.collectBlobs(ctx, a.Bots, a.Catalog)
}

func (a *App) collectBlobs(ctx context.Context, users ...blobUser) (deleted int, err error) {
	settled := clock.System().Now().Add(-blob.Settled)
	used := func(h blob.Hash) (bool, error) {
		for _, user := range users {
			if used, err := user.UsesBlob(ctx, h); used || err != nil {
				return used, err
			}
		}
		return false, nil
	}
	err = a.Blobs.ListRetired(ctx, func(h blob.Hash, since time.Time) error {
		used, err := used(h)
		switch {
		case err != nil:
			return err
		case used:
			return a.Blobs.Reinstate(ctx, h)
		case since.After(settled):
			return nil
		}
		deleted++
		return a.Blobs.Delete(ctx, h)
	})
	if err != nil {
		return deleted, err
	}
	err = a.Blobs.List(ctx, func(h blob.Hash, put time.Time) error {
		if put.After(settled) {
			return nil
		}
		if used, err := used(h); used || err != nil {
			return err
		}
		return a.Blobs.Retire(ctx, h)
	})
	if err != nil {
		return deleted, err
	}
	_, err = a.Blobs.Sweep(ctx, settled)
	return deleted, err
}
