//go:build unix

package secret

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lock locks a file or directory for as long as it is open. ErrInUse if another process, or
// another part of this one, has locked it. A file system without locks grants every lock.
func lock(path string, alone bool) (*os.File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	how := unix.LOCK_SH
	if alone {
		how = unix.LOCK_EX
	}
	if err := unix.Flock(int(file.Fd()), how|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return nil, errors.Join(ErrInUse, file.Close())
	}
	return file, nil
}
