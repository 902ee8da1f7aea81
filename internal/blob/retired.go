package blob

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gocloud.dev/gcerrors"
)

// retired is where retired blobs are, by the keys that they had.
const retired = "retired/"

// find calls try with the keys that a blob can have until one is found, and returns the last
// error. A blob that is being retired or reinstated is found at the next key.
func (h Hash) find(try func(key string) error) (err error) {
	for _, key := range []string{h.key(), retired + h.key(), h.key()} {
		if err = try(key); gcerrors.Code(err) != gcerrors.NotFound {
			return err
		}
	}
	return err
}

// Retire puts a blob to which nothing refers aside. It can still be read, but a Put of its
// content stores it anew. Nothing is deleted yet, because a Put may have found the blob and
// be about to commit a reference to it. One that is not there is no error.
func (s *Store) Retire(ctx context.Context, h Hash) error {
	if !h.valid() {
		return nil
	}
	if err := s.move(ctx, h.key(), retired+h.key()); err != nil {
		return fmt.Errorf("blob %s cannot be retired: %w", h, err)
	}
	return nil
}

// Reinstate makes a retired blob one like all others again: there is a reference to it after
// all. One that is not there is no error.
func (s *Store) Reinstate(ctx context.Context, h Hash) error {
	if !h.valid() {
		return nil
	}
	found, err := s.bucket.Exists(ctx, h.key())
	switch {
	case err != nil:
	case found: // a Put has stored it again
		err = s.remove(ctx, retired+h.key())
	default:
		err = s.move(ctx, retired+h.key(), h.key())
	}
	if err != nil {
		return fmt.Errorf("blob %s cannot be reinstated: %w", h, err)
	}
	return nil
}

// Delete removes a retired blob for good. It leaves what a Put stored since.
func (s *Store) Delete(ctx context.Context, h Hash) error {
	if !h.valid() {
		return nil
	}
	if err := s.remove(ctx, retired+h.key()); err != nil {
		return fmt.Errorf("blob %s cannot be deleted: %w", h, err)
	}
	return nil
}

// ListRetired calls each for every retired blob with the time when it was retired, as List
// does for the others.
func (s *Store) ListRetired(ctx context.Context, each func(h Hash, since time.Time) error) error {
	return s.walk(ctx, func(key string, at time.Time) error {
		if key, found := strings.CutPrefix(key, retired); found {
			if h, ok := hashOf(key); ok {
				return each(h, at)
			}
		}
		return nil
	})
}

// move moves what is at a key to another, where it replaces what is there and is as young as
// if it had just been put. It is never at neither of them.
func (s *Store) move(ctx context.Context, from, to string) error {
	if s.dir != "" {
		return s.rename(from, to)
	}
	if err := s.bucket.Copy(ctx, to, from, nil); err != nil {
		if gcerrors.Code(err) == gcerrors.NotFound {
			return nil
		}
		return err
	}
	return s.remove(ctx, from)
}

func (s *Store) rename(from, to string) error {
	// Before the new name, so that nobody takes the blob for an old one there.
	now := s.clock.Now()
	err := os.Chtimes(s.path(from), now, now)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(s.path(to)), 0o700)
	}
	if err == nil {
		err = os.Rename(s.path(from), s.path(to))
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.syncDirs(to)
}

// remove removes what is at a key, if anything is.
func (s *Store) remove(ctx context.Context, key string) error {
	if err := s.bucket.Delete(ctx, key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return err
	}
	return nil
}
