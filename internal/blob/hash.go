package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Hash names a blob: the SHA-256 of its plain content, 64 lower-case hex digits.
type Hash string

// Of is the hash of content.
func Of(content []byte) Hash {
	sum := sha256.Sum256(content)
	return Hash(hex.EncodeToString(sum[:]))
}

// ParseHash checks that text has the form of a hash.
func ParseHash(text string) (Hash, error) {
	if h := Hash(text); h.valid() {
		return h, nil
	}
	return "", fmt.Errorf("%.80q is not the hash of a blob; it has %d lower-case hex digits", text, 2*sha256.Size)
}

func (h Hash) valid() bool {
	if len(h) != 2*sha256.Size {
		return false
	}
	return strings.Trim(string(h), "0123456789abcdef") == ""
}

// fanOut is the number of hex digits that name a blob's directory.
const fanOut = 2

// key is where the blob is in the bucket. The suffix says how it is stored.
func (h Hash) key() string {
	return string(h[:fanOut]) + "/" + string(h[fanOut:]) + suffix
}

// suffix ends the key of a blob.
const suffix = ".zst"

// hashOf is the hash that a key belongs to; ok is false for a key that no blob has.
func hashOf(key string) (h Hash, ok bool) {
	name, found := strings.CutSuffix(key, suffix)
	if !found || len(name) != 2*sha256.Size+1 || name[fanOut] != '/' {
		return "", false
	}
	h = Hash(name[:fanOut] + name[fanOut+1:])
	return h, h.valid()
}

// The reasons why a blob cannot be read; errors of Get and Reader wrap one.
var (
	// ErrMissing is a blob that the store does not have.
	ErrMissing = errors.New("blob is missing")
	// ErrDamaged is a blob whose stored bytes no longer give its content. A Put
	// of the content more than an hour after the last repairs it.
	ErrDamaged = errors.New("blob is damaged")
)

func missing(h Hash) error { return fmt.Errorf("%w: %s", ErrMissing, h) }

func damaged(h Hash, why error) error { return fmt.Errorf("%w: %s: %w", ErrDamaged, h, why) }
