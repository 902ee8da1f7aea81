package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// maxKeyFile bounds what is read of a key file, in bytes.
const maxKeyFile = 1 << 20

// Open reads the key file at path. If it is missing and createIfMissing is set, it is
// created with one fresh key; processes that start at the same time end up with the same
// key. A file that its group or others can access is refused: whoever reads it can open
// every secret of the installation.
func Open(path string, createIfMissing bool) (*Keyring, error) {
	ring, err := readKeyFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return ring, err
	}
	if !createIfMissing {
		return nil, fmt.Errorf("the key file %s does not exist; put the key file of this installation there: %w", path, err)
	}
	fresh := New()
	// A link, not a rename: it fails if another process was faster, whose key may already
	// be in use.
	if err := fresh.write(path, os.Link); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return readKeyFile(path)
}

// Save replaces or creates the key file at path, atomically: after a crash the file is
// either the old or the new one.
func (k *Keyring) Save(path string) error { return k.write(path, os.Rename) }

func readKeyFile(path string) (*Keyring, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the key file cannot be read: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("the key file cannot be read: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("the key file %s is not a regular file", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the key file %s has mode %04o, so others than its owner can use it; set it to 0600 (chmod 600 %s)", path, info.Mode().Perm(), path)
	}
	if info.Size() > maxKeyFile {
		return nil, fmt.Errorf("the key file %s has %d bytes; a key file has at most %d", path, info.Size(), maxKeyFile)
	}
	text := make([]byte, info.Size())
	n, err := file.ReadAt(text, 0)
	if n < len(text) {
		return nil, fmt.Errorf("the key file cannot be read: %w", err)
	}
	ring, err := Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("the key file %s: %w", path, err)
	}
	return ring, nil
}

// write writes a durable file next to path and has place move it there.
func (k *Keyring) write(path string, place func(from, to string) error) error {
	failed := func(err error) error {
		return fmt.Errorf("the key file %s cannot be written: %w", path, err)
	}
	dir := filepath.Dir(path)
	temporary, err := os.CreateTemp(dir, filepath.Base(path)+".new-") // mode 0600
	if err != nil {
		return failed(err)
	}
	defer os.Remove(temporary.Name()) //nolint:errcheck // gone already after a rename
	_, err = temporary.Write(k.encode())
	if err == nil {
		err = temporary.Sync()
	}
	if closed := temporary.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = place(temporary.Name(), path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return failed(err)
	}
	return nil
}

// syncDir makes the directory entries of dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closed := d.Close(); err == nil {
		err = closed
	}
	return err
}
