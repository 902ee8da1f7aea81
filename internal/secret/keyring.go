package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// keyBytes is the length of a key, in bytes.
const keyBytes = 32

// maxKeyID is the longest key id, in characters.
const maxKeyID = 32

// key is one key of a ring and what is derived from it once.
type key struct {
	id   string
	raw  []byte
	aead cipher.AEAD
	// signing keeps the keys derived for signing, by purpose.
	signing *sync.Map
}

func newKey(id string, raw []byte) (key, error) {
	sealing, err := hkdf.Key(sha256.New, raw, nil, "botyard seal v1", keyBytes)
	if err != nil {
		return key{}, err
	}
	block, err := aes.NewCipher(sealing)
	if err != nil {
		return key{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return key{}, err
	}
	return key{id: id, raw: raw, aead: aead, signing: new(sync.Map)}, nil
}

// Keyring holds the keys of one installation, at least one. It is immutable and safe for
// concurrent use.
type Keyring struct {
	keys []key // the first is the primary
}

// New makes a ring of one fresh key.
func New() *Keyring {
	return &Keyring{keys: []key{freshKey()}}
}

func freshKey() key {
	made, err := newKey(Text(12), Random(keyBytes))
	if err != nil {
		// HKDF and AES refuse lengths only, and these lengths are constants.
		panic(err)
	}
	return made
}

// Parse reads the text of a key file. Its errors name the line and never quote anything
// that may be a key.
func Parse(text string) (*Keyring, error) {
	ring := &Keyring{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) != 2 {
			return nil, fmt.Errorf("line %d of the keys has %d words; a key is written as %q", i+1, len(fields), "<key id> <32 bytes in base64>")
		}
		id := fields[0]
		if !validKeyID(id) {
			return nil, fmt.Errorf("line %d of the keys: a key id has 1 to %d characters of A-Z a-z 0-9 _ -", i+1, maxKeyID)
		}
		raw, err := base64.StdEncoding.Strict().DecodeString(fields[1])
		if err != nil {
			return nil, fmt.Errorf("line %d of the keys: key %s is not base64", i+1, id)
		}
		if len(raw) != keyBytes {
			return nil, fmt.Errorf("line %d of the keys: key %s has %d bytes; it must have %d", i+1, id, len(raw), keyBytes)
		}
		for _, k := range ring.keys {
			if k.id == id {
				return nil, fmt.Errorf("line %d of the keys: key id %s is there twice", i+1, id)
			}
		}
		parsed, err := newKey(id, raw)
		if err != nil {
			return nil, fmt.Errorf("line %d of the keys: %w", i+1, err)
		}
		ring.keys = append(ring.keys, parsed)
	}
	if len(ring.keys) == 0 {
		return nil, errors.New("there is no key: the text has no line of the form \"<key id> <32 bytes in base64>\"")
	}
	return ring, nil
}

func validKeyID(id string) bool {
	if len(id) == 0 || len(id) > maxKeyID {
		return false
	}
	for _, r := range id {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-') {
			return false
		}
	}
	return true
}

// encode is the text that Parse reads back.
func (k *Keyring) encode() []byte {
	var b strings.Builder
	b.WriteString("# The keys of a botyard installation, the primary first. Without them its\n# sealed secrets are lost: keep a copy apart from the backups of the data.\n")
	for _, key := range k.keys {
		fmt.Fprintf(&b, "%s %s\n", key.id, base64.StdEncoding.EncodeToString(key.raw))
	}
	return []byte(b.String())
}

// IDs are the ids of the keys, the primary first. They are not secret.
func (k *Keyring) IDs() []string {
	ids := make([]string, len(k.keys))
	for i, key := range k.keys {
		ids[i] = key.id
	}
	return ids
}

// Rotate is a ring with a fresh primary key, followed by all keys of k. Save it before use:
// a value sealed with a key that was never written is lost with the process.
func (k *Keyring) Rotate() *Keyring {
	return &Keyring{keys: slices.Concat([]key{freshKey()}, k.keys)}
}

// Retire is the ring with only its primary key. A rotation ends with it: save the rotated
// ring, seal every value and the check value again, then save this one. Signatures by the
// older keys no longer verify.
func (k *Keyring) Retire() *Keyring { return &Keyring{keys: k.keys[:1:1]} }

func (k *Keyring) primary() *key { return &k.keys[0] }

func (k *Keyring) find(id string) *key {
	for i := range k.keys {
		if k.keys[i].id == id {
			return &k.keys[i]
		}
	}
	return nil
}

// Format prints the ids of the keys whatever the verb: not even %#v or %x shows a key.
func (k *Keyring) Format(f fmt.State, _ rune) {
	if k == nil {
		_, _ = f.Write([]byte("secret.Keyring(nil)"))
		return
	}
	_, _ = fmt.Fprintf(f, "secret.Keyring(%s)", strings.Join(k.IDs(), ", "))
}

// LogValue logs the ids of the keys.
func (k *Keyring) LogValue() slog.Value {
	return slog.StringValue(fmt.Sprintf("%v", k))
}

var _ slog.LogValuer = (*Keyring)(nil)
