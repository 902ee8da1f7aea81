package secret

import (
	"errors"
	"fmt"
	"path/filepath"
)

// ErrInUse is the error for a key file that another process is using.
var ErrInUse = errors.New("it is in use")

// Use marks the key file at path as in use until done is called, or the process ends. A
// server does so while it runs: it would go on sealing with keys that a rotation discards.
// ErrInUse while the keys are being rotated.
func Use(path string) (done func() error, err error) {
	// A rotation locks the directory to its end, but the file only until it has put another
	// one in its place.
	dir, err := lock(filepath.Dir(path), false)
	if err != nil {
		return nil, fmt.Errorf("the key file %s: %w", path, err)
	}
	file, err := lock(path, false)
	if err := errors.Join(err, dir.Close()); err != nil {
		return nil, fmt.Errorf("the key file %s: %w", path, err)
	}
	return file.Close, nil
}

// Replace reserves the key file at path for a rotation until done is called, or the process
// ends: of two at once, each would discard the key that the other seals with. ErrInUse while
// another rotation, or a server on this machine, uses the file.
func Replace(path string) (done func() error, err error) {
	// The directory as well, for those that find the new file in the place of this one.
	dir, err := lock(filepath.Dir(path), true)
	if err != nil {
		return nil, fmt.Errorf("the key file %s: %w", path, err)
	}
	file, err := lock(path, true)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the key file %s: %w", path, err), dir.Close())
	}
	return func() error { return errors.Join(file.Close(), dir.Close()) }, nil
}
