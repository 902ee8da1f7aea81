package dispatch

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"
)

// The headers of a signed call; docs/webhooks.md tells its receivers of them.
const (
	timestampHeader = "X-Botyard-Timestamp"
	signatureHeader = "X-Botyard-Signature"
	// signatureVersion stands before each signature, for another form to come.
	signatureVersion = "v1="
)

// sign sets the headers by which a far side knows that a call is ours and recent:
// the HMAC-SHA256 of the time, a dot and the body, once for each secret, so that a
// receiver finds the one that it knows while a secret is being replaced.
func sign(header http.Header, secrets []string, now time.Time, body []byte) {
	if len(secrets) == 0 {
		return
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	var signatures []byte
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(timestamp))
		mac.Write([]byte{'.'})
		mac.Write(body)
		if len(signatures) > 0 {
			signatures = append(signatures, ',')
		}
		signatures = hex.AppendEncode(append(signatures, signatureVersion...), mac.Sum(nil))
	}
	header[timestampHeader] = []string{timestamp}
	header[signatureHeader] = []string{string(signatures)}
}
