// Package secret keeps secrets secret.
//
// It owns the keys of an installation (the key file, its form, its rotation, and the locks
// by which servers and rotations exclude each other),
// the sealing of single values before they are stored, signatures that this
// server later verifies itself (cursors, signed URLs), and random text for
// tokens. It does not own what is stored (the domains), the form of access
// tokens (package access) nor passwords.
//
// Invariants:
//   - A sealed value opens only in the place it was sealed for: the same table, row
//     and field. Copied into another row, it does not open.
//   - A key is never used raw: sealing and every signing purpose use their own
//     key, derived by HKDF-SHA256.
//   - No value of this package prints, logs or marshals a key.
//
// A key file has one key a line, the primary first:
//
//	# comment
//	<key id> <32 bytes in base64>
//
// The primary seals and signs; the others only open and verify.
package secret
