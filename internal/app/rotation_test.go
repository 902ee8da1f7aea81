package app

import (
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/secret"
)

// Of rotations that are started at once, and as often again, none discards a key that another
// one has sealed with: afterwards the keys in the file are those of the database.
func TestRotationsThatMeet(t *testing.T) {
	ctx, c := t.Context(), config.Installation{Data: t.TempDir()}
	open := func() *App {
		a, err := Open(ctx, c, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for range 2 {
		apps := []*App{open(), open(), open(), open()}
		var group sync.WaitGroup
		errs := make([]error, len(apps))
		for i, a := range apps {
			group.Go(func() {
				_, errs[i] = a.RotateKeys(ctx, c.KeyFile())
				errs[i] = errors.Join(errs[i], a.Close())
			})
		}
		group.Wait()
		rotated := 0
		for _, err := range errs {
			if err == nil {
				rotated++
			}
		}
		if rotated != 1 {
			t.Fatalf("%d rotations of keys that were read at the same moment succeeded, want 1: %v", rotated, errs)
		}
		if err := open().Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A server and a rotation exclude each other.
func TestRotationWhileServing(t *testing.T) {
	ctx, c := t.Context(), config.Config{Installation: config.Installation{Data: t.TempDir()}, Listen: "127.0.0.1:0"}
	serving, _, err := Start(ctx, c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	command, err := Open(ctx, c.Installation, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer command.Close()
	if _, err := command.RotateKeys(ctx, c.KeyFile()); !errors.Is(err, secret.ErrInUse) {
		t.Errorf("a rotation while a server runs: %v", err)
	}
	if err := serving.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	done, err := secret.Replace(c.KeyFile())
	if err != nil {
		t.Fatal(err)
	}
	if s, _, err := Start(ctx, c, slog.New(slog.DiscardHandler)); !errors.Is(err, secret.ErrInUse) {
		if err == nil {
			err = s.Stop(ctx)
		}
		t.Errorf("a server that is started during a rotation: %v", err)
	}
	if err := done(); err != nil {
		t.Fatal(err)
	}
	if _, err := command.RotateKeys(ctx, c.KeyFile()); err != nil {
		t.Errorf("a rotation after the server has stopped: %v", err)
	}
}
