//go:build !linux

package script

// freeMemory is not known on this system.
func freeMemory() (free int64, known bool) { return 0, false }
