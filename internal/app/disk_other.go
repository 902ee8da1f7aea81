//go:build !unix

package app

// freeDisk is not known here; the database tells of a full disk itself.
func freeDisk(string) (free uint64, known bool) { return 0, false }
