package id

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"
	"time"
)

// Jitter is a random duration in [0, limit), which keeps retries that collided once from
// colliding again. It is zero if limit is not positive.
func Jitter(limit time.Duration) time.Duration {
	if limit <= 0 {
		return 0
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand.Read ends the program instead
	part, _ := bits.Mul64(binary.NativeEndian.Uint64(random[:]), uint64(limit))
	return time.Duration(part)
}
