//go:build unix

package app

import "golang.org/x/sys/unix"

// freeDisk is how many bytes of the directory's file system an ordinary process
// may still use.
func freeDisk(dir string) (free uint64, known bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return uint64(s.Bavail) * uint64(s.Bsize), true //nolint:unconvert // the types differ between systems
}
