// Package crash holds the promise that what was acknowledged survives kill -9.
//
// It owns the real binary being killed under load, again and again, and the look
// at what is there afterwards. It does not own power failures: whether a disk
// keeps what it said it has kept cannot be tested by killing a process.
package crash
