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

// CollectBlobs deletes the blobs that nothing refers to, and returns how many. A blob is
// stored before the transaction that refers to it, so a young one may still get its
// reference: it is kept until it has settled. Ages are measured by the machine's clock, as
// the blobs' own times are.
func (a *App) CollectBlobs(ctx context.Context) (deleted int, err error) {
	settled := clock.System().Now().Add(-blob.Settled)
	users := []blobUser{a.Bots, a.Catalog}
	err = a.Blobs.List(ctx, func(h blob.Hash, put time.Time) error {
		if put.After(settled) {
			return nil
		}
		for _, user := range users {
			used, err := user.UsesBlob(ctx, h)
			if used || err != nil {
				return err
			}
		}
		deleted++
		return a.Blobs.Delete(ctx, h)
	})
	if err != nil {
		return deleted, err
	}
	_, err = a.Blobs.Sweep(ctx, settled)
	return deleted, err
}
