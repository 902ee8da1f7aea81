package access

import (
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"strings"
	"time"

	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/secret"
)

// TokenKind says what a token opens.
type TokenKind string

// The kinds of token; the names are those of the public API's prefixes.
const (
	PAT TokenKind = "pat" // an account's
	BAK TokenKind = "bak" // a bot's
	IAK TokenKind = "iak" // an integration's
)

// A token is bp_<kind>_ and 36 URL-safe characters: 30 random ones (180 bits) and a
// checksum of 6. The checksum lets secret scanners tell a token from a look-alike. It
// proves nothing: a token with a wrong checksum is accepted if its hash is known.
const (
	tokenRandom   = 30
	tokenChecksum = 6
	tokenBody     = tokenRandom + tokenChecksum
)

// NewTokenValue makes the value of a token. It is shown once and never stored.
func NewTokenValue(kind TokenKind) string {
	body := secret.Text(tokenRandom)
	return tokenPrefix(kind) + body + checksum(kind, body)
}

func tokenPrefix(kind TokenKind) string { return "bp_" + string(kind) + "_" }

const checksumDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// checksum is the CRC-32 (IEEE) of prefix and body in base 62, most significant
// digit first, padded with 0.
func checksum(kind TokenKind, body string) string {
	sum := crc32.ChecksumIEEE([]byte(tokenPrefix(kind) + body))
	var digits [tokenChecksum]byte
	for i := range digits {
		digits[len(digits)-1-i] = checksumDigits[sum%62]
		sum /= 62
	}
	return string(digits[:])
}

// WellFormed says whether value has the form of a token, and of which kind. It does not
// check the checksum.
func WellFormed(value string) (TokenKind, bool) {
	for _, kind := range []TokenKind{PAT, BAK, IAK} {
		body, found := strings.CutPrefix(value, tokenPrefix(kind))
		if !found {
			continue
		}
		if len(body) != tokenBody {
			return "", false
		}
		for _, c := range []byte(body) {
			if !strings.ContainsRune(checksumDigits+"_-", rune(c)) {
				return "", false
			}
		}
		return kind, true
	}
	return "", false
}

// Checksummed says whether a well-formed value carries its checksum.
func Checksummed(value string) bool {
	kind, ok := WellFormed(value)
	if !ok {
		return false
	}
	body := value[len(tokenPrefix(kind)):]
	return body[tokenRandom:] == checksum(kind, body[:tokenRandom])
}

// hashOf is all that is stored of a token's value. A plain SHA-256 is enough: the value is
// long and random, so it cannot be guessed.
func hashOf(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}

// Token is what is known of a token: never its value.
type Token struct {
	ID        id.Token
	Kind      TokenKind
	Account   id.Account   // of a PAT
	Workspace id.Workspace // of a BAK or IAK
	Subject   string       // of a BAK or IAK
	Note      string
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	LastUsed  time.Time // zero: never; kept to the minute
}
