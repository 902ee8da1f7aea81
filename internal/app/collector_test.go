package app

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/bot"
	"github.com/botyard/botyard/internal/config"
)

// TestCollectBlobs holds that a bundle is kept while a bot runs it, a version of a
// bot needs it, or while it is young, and deleted otherwise.
func TestCollectBlobs(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	a, err := Open(ctx, config.Installation{Data: dir}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	w, err := a.CreateAccount(ctx, "ada@example.com", "Ada")
	if err != nil {
		t.Fatal(err)
	}
	code := "module.exports = 1"
	actor := access.Actor{Kind: access.KindAccount, Account: w.Account.ID, Workspace: w.Workspace, Role: access.Owner}
	ctx = access.With(ctx, actor)
	made, _, err := a.Bots.Create(ctx, actor, bot.Draft{Code: &code})
	if err != nil {
		t.Fatal(err)
	}
	later := "module.exports = 2"
	if _, err := a.Bots.Update(ctx, actor, made.ID, bot.Update{Code: &later}); err != nil {
		t.Fatal(err)
	}
	version, err := a.Bots.CreateVersion(ctx, actor, made.ID, "before", "")
	if err != nil {
		t.Fatal(err)
	}
	put := func(content string) blob.Hash {
		h, err := a.Blobs.Put(ctx, []byte(content))
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	unused := put("left behind by a transaction that failed")
	age := func() {
		t.Helper()
		old := time.Now().Add(-2 * blob.Settled)
		err := filepath.WalkDir(filepath.Join(dir, "blobs"), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			return os.Chtimes(path, old, old)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	age()
	young := put("waits for its reference")

	deleted, err := a.CollectBlobs(ctx)
	if err != nil || deleted != 1 {
		t.Fatalf("deleted %d blobs (%v), want 1", deleted, err)
	}
	if _, err := a.Blobs.Get(ctx, unused); !errors.Is(err, blob.ErrMissing) {
		t.Errorf("the blob without a reference is still there: %v", err)
	}
	for name, h := range map[string]blob.Hash{
		"used": blob.Of([]byte(later)), "saved": blob.Of([]byte(code)), "young": young, "version's": version.Content,
	} {
		if _, err := a.Blobs.Get(ctx, h); err != nil {
			t.Errorf("the %s blob: %v", name, err)
		}
	}
	if err := a.Bots.Delete(ctx, actor, made.ID); err != nil {
		t.Fatal(err)
	}
	age()
	if deleted, err := a.CollectBlobs(ctx); err != nil || deleted != 4 {
		t.Errorf("without the bot %d blobs were deleted (%v), want its code, its code before, what its versions hold, and the young one", deleted, err)
	}
}
