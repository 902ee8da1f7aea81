package workspace

import (
	"unicode/utf8"

	"github.com/botyard/botyard/internal/fault"
)

// A preference is any JSON that the members of a workspace share by its key.
const (
	maxKey        = 200      // characters
	maxPreference = 64 << 10 // bytes
	// maxPreferences is how many keys a workspace can have.
	maxPreferences = 500
)

func checkKey(key string) error {
	if n := utf8.RuneCountInString(key); n < 1 || n > maxKey {
		return fault.New(fault.InvalidPayload, "A preference's key has 1 to %d characters; this one has %d.", maxKey, n)
	}
	if !storable(key) {
		return fault.New(fault.InvalidPayload, "A preference's key must be UTF-8 text without the character U+0000; %q is not.", fault.Bounded(key))
	}
	return nil
}

func checkPreference(key, value string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if len(value) > maxPreference {
		return fault.New(fault.LimitExceeded, "The value of a preference has at most %d bytes of JSON; this one has %d.", maxPreference, len(value))
	}
	return nil
}
