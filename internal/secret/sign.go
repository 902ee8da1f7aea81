package secret

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
)

// Sign is the HMAC-SHA256 of data with a key derived from the primary key for the purpose,
// a constant of the caller such as "cursor". A signature for one purpose is not valid for
// another.
func (k *Keyring) Sign(purpose string, data []byte) []byte {
	return k.primary().sign(purpose, data)
}

// Verify says whether mac is the signature of data for purpose by any key of the ring. Its
// running time does not depend on how much of mac is right.
func (k *Keyring) Verify(purpose string, data, mac []byte) bool {
	for i := range k.keys {
		if hmac.Equal(mac, k.keys[i].sign(purpose, data)) {
			return true
		}
	}
	return false
}

func (k *key) sign(purpose string, data []byte) []byte {
	mac := hmac.New(sha256.New, k.derived(purpose))
	mac.Write(data)
	return mac.Sum(nil)
}

// derived is the key derived for a purpose. It is cached: purposes are constants, so there
// are few, and deriving a key costs more than a signature.
func (k *key) derived(purpose string) []byte {
	if kept, ok := k.signing.Load(purpose); ok {
		return kept.([]byte)
	}
	derived, err := hkdf.Key(sha256.New, k.raw, nil, "botyard sign v1 "+purpose, keyBytes)
	if err != nil {
		// HKDF refuses only lengths above 255 hashes, and this one is constant.
		panic(err)
	}
	k.signing.Store(purpose, derived)
	return derived
}
