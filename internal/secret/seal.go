package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// The reasons why a sealed value does not open. Errors of Keyring.Open wrap one of them.
var (
	// ErrMalformed is text that Seal never wrote.
	ErrMalformed = errors.New("not a sealed value")
	// ErrUnknownKey is a value sealed with a key that the ring does not have.
	ErrUnknownKey = errors.New("sealed with a key that is not in the key ring")
	// ErrMoved is a value that was sealed for another table, row or field.
	ErrMoved = errors.New("sealed for another place")
	// ErrTampered is a value that was changed, or whose key id now belongs to another
	// key.
	ErrTampered = errors.New("changed after it was sealed, or sealed with another key of the same id")
)

// sealVersion begins every sealed text; another scheme will use another version.
const sealVersion = "v1"

// placeBytes is the length of the digest that tells a moved value from a
// tampered one. It is a hint for the operator: the protection is the additional
// data of the cipher.
const placeBytes = 8

var sealedEncoding = base64.RawStdEncoding.Strict()

// Seal encrypts plain with the primary key, bound to its place, and returns the text to
// store there: "v1:<key id>:<base64>". Sealing the same plain again gives another text. One
// key must not seal more than 2^32 values (NIST SP 800-38D, 8.3): rotate long before.
func (k *Keyring) Seal(plain []byte, table, row, field string) string {
	key := k.primary()
	place := encodePlace(key.id, table, row, field)
	digest := placeDigest(place)
	body := make([]byte, placeBytes, placeBytes+len(plain)+key.aead.Overhead())
	copy(body, digest)
	body = key.aead.Seal(body, nil, plain, place)
	return sealVersion + ":" + key.id + ":" + sealedEncoding.EncodeToString(body)
}

// Open decrypts what Seal made for the same table, row and field with any key of the ring.
// Its error wraps ErrMalformed, ErrUnknownKey, ErrMoved or ErrTampered, and names the place
// but no content.
func (k *Keyring) Open(sealed, table, row, field string) ([]byte, error) {
	where := func(err error) error {
		return fmt.Errorf("the value of %s.%s in row %q does not open: %w", table, field, row, err)
	}
	id, encoded, err := splitSealed(sealed)
	if err != nil {
		return nil, where(err)
	}
	key := k.find(id)
	if key == nil {
		return nil, where(fmt.Errorf("%w: it needs key %s, the ring has %s", ErrUnknownKey, id, strings.Join(k.IDs(), ", ")))
	}
	body, err := sealedEncoding.DecodeString(encoded)
	if err != nil || len(body) < placeBytes+key.aead.Overhead() {
		return nil, where(ErrMalformed)
	}
	place := encodePlace(id, table, row, field)
	plain, err := key.aead.Open(nil, nil, body[placeBytes:], place)
	moved := subtle.ConstantTimeCompare(body[:placeBytes], placeDigest(place)) != 1
	switch {
	case moved:
		return nil, where(ErrMoved)
	case err != nil:
		return nil, where(ErrTampered)
	}
	return plain, nil
}

// NeedsRotation says whether sealed was sealed with a key other than the primary, and should
// be sealed again. Text that is not sealed at all should not.
func (k *Keyring) NeedsRotation(sealed string) bool {
	id, _, err := splitSealed(sealed)
	return err == nil && id != k.primary().id
}

// splitSealed parts "v1:<key id>:<base64>" without decoding its last part.
func splitSealed(sealed string) (keyID, encoded string, err error) {
	version, rest, _ := strings.Cut(sealed, ":")
	keyID, encoded, found := strings.Cut(rest, ":")
	if version != sealVersion || !found || !validKeyID(keyID) {
		return "", "", ErrMalformed
	}
	return keyID, encoded, nil
}

// encodePlace is the additional data of the cipher: every part preceded by its length, so
// that ("a", "bc") and ("ab", "c") differ.
func encodePlace(parts ...string) []byte {
	place := []byte(sealVersion)
	for _, part := range parts {
		place = binary.BigEndian.AppendUint64(place, uint64(len(part)))
		place = append(place, part...)
	}
	return place
}

func placeDigest(place []byte) []byte {
	sum := sha256.Sum256(place)
	return sum[:placeBytes]
}

// The place of the check value, and what is sealed there.
const (
	checkTable = "settings"
	checkRow   = "secret_key_check"
	checkField = "value"
	checkPlain = "botyard"
)

// Check is a known value, sealed, to store in the settings row secret_key_check.
func (k *Keyring) Check() string {
	return k.Seal([]byte(checkPlain), checkTable, checkRow, checkField)
}

// VerifyCheck is nil if k belongs to the installation that stored check. Otherwise a server
// must not start: it could not open what is sealed already, and the right keys could not
// open what it seals.
func (k *Keyring) VerifyCheck(check string) error {
	plain, err := k.Open(check, checkTable, checkRow, checkField)
	if err == nil && string(plain) == checkPlain {
		return nil
	}
	if err == nil {
		err = ErrTampered
	}
	return fmt.Errorf("the secret key does not belong to this database; use the key file that this data was made with: %w", err)
}
