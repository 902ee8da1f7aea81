package secret

import (
	"crypto/rand"
	"encoding/base64"
)

// Random is n bytes from the system's random source. It does not fail: without
// such a source the program ends.
func Random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand.Read ends the program instead
	return b
}

// Text is n random characters of A-Z a-z 0-9 _ -, six random bits each. It needs
// no escaping in a URL, a header, a file name or a shell.
func Text(n int) string {
	return base64.RawURLEncoding.EncodeToString(Random((n*3 + 3) / 4))[:n]
}
