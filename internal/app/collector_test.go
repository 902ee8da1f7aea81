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

// withOwner is a new installation in a directory of its own, and the owner of a workspace in it.
func withOwner(t *testing.T) (a *App, actor access.Actor, dir string) {
	t.Helper()
	dir = t.TempDir()
	a, err := Open(t.Context(), config.Installation{Data: dir}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	w, err := a.CreateAccount(t.Context(), "ada@example.com", "Ada")
	if err != nil {
		t.Fatal(err)
	}
	return a, access.Actor{Kind: access.KindAccount, Account: w.Account.ID, Workspace: w.Workspace, Role: access.Owner}, dir
}

// age makes all blobs of an installation old enough to be collected.
func age(t *testing.T, dir string) {
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

// TestCollectBlobs holds that a bundle is kept while a bot runs it, a version of a
// bot needs it, or while it is young, and deleted otherwise.
func TestCollectBlobs(t *testing.T) {
	a, actor, dir := withOwner(t)
	ctx := access.With(t.Context(), actor)
	code := "module.exports = 1"
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
	age(t, dir)
	put("waits for its reference")

	collect := func(want int) {
		t.Helper()
		if deleted, err := a.CollectBlobs(ctx); err != nil || deleted != want {
			t.Fatalf("deleted %d blobs (%v), want %d", deleted, err, want)
		}
	}
	collect(0)
	collect(0)
	if _, err := a.Blobs.Get(ctx, unused); err != nil {
		t.Errorf("the blob without a reference was retired, and cannot be read: %v", err)
	}
	age(t, dir)
	young := put("waits for its reference")
	collect(1)
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
	age(t, dir)
	collect(0)
	age(t, dir)
	collect(4) // the bot's code, its code before, what its versions hold, and the young one
}

// uploader is asked about blobs like a domain, and uploads one of them again before it
// answers, as a request may that runs at the same time.
type uploader struct {
	hash   blob.Hash
	upload func()
}

func (u *uploader) UsesBlob(_ context.Context, h blob.Hash) (bool, error) {
	if h == u.hash && u.upload != nil {
		u.upload()
		u.upload = nil
	}
	return false, nil
}

// TestCollectBlobsThatAreUploadedAgain holds that content to which nobody has referred for
// long is not lost when it is uploaded again just as the collector decides about it.
func TestCollectBlobsThatAreUploadedAgain(t *testing.T) {
	a, actor, dir := withOwner(t)
	ctx := access.With(t.Context(), actor)
	code := "module.exports = 1"
	hash, err := a.Blobs.Put(ctx, []byte(code))
	if err != nil {
		t.Fatal(err)
	}
	age(t, dir)
	late := &uploader{hash, func() {
		if _, _, err := a.Bots.Create(ctx, actor, bot.Draft{Code: &code}); err != nil {
			t.Error(err)
		}
	}}
	for _, users := range [][]blobUser{{a.Bots, a.Catalog, late}, {a.Bots, a.Catalog}, {a.Bots, a.Catalog}} {
		if _, err := a.collectBlobs(ctx, users...); err != nil {
			t.Fatal(err)
		}
		if content, err := a.Blobs.Get(ctx, hash); err != nil || string(content) != code {
			t.Errorf("the code of the bot is %q, %v", content, err)
		}
		age(t, dir)
	}
}
