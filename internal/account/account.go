package account

import (
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// Account is one person.
type Account struct {
	ID             id.Account
	Email          string
	EmailVerified  bool
	DisplayName    string // empty: none
	ProfilePicture string // a URL or a data URL; empty: none
	CreatedAt      time.Time
}

const (
	maxEmail = 254 // RFC 5321, 4.5.3.1.3
	maxName  = 100
	// maxPicture allows a small picture as a data URL.
	maxPicture    = 64 << 10
	maxNote       = 200
	maxKey        = 200
	maxPreference = 64 << 10
	maxPreferred  = 500
)

// noExpiry is the expiry of tokens made over the API, whose contract has none.
var noExpiry = time.Time{}

// Address returns an e-mail address without surrounding white space, or InvalidPayload
// when it is not one.
func Address(email string) (string, error) {
	email = strings.TrimSpace(email)
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || len(email) > maxEmail {
		return "", fault.New(fault.InvalidPayload, "%q is not an e-mail address; one looks like name@example.com.", fault.Bounded(email))
	}
	return email, nil
}

// Key is equal for two addresses of one person: case does not count.
func Key(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// Update is what updateAccount may change; nil keeps.
type Update struct {
	DisplayName    *string
	ProfilePicture *string
}

func (a *Account) apply(u Update) error {
	if u.DisplayName != nil {
		if n := utf8.RuneCountInString(*u.DisplayName); n > maxName {
			return fault.New(fault.InvalidPayload, "displayName has %d characters; at most %d are allowed.", n, maxName)
		}
		a.DisplayName = *u.DisplayName
	}
	if u.ProfilePicture != nil {
		if n := len(*u.ProfilePicture); n > maxPicture {
			return fault.New(fault.LimitExceeded, "profilePicture has %d bytes; at most %d are allowed. Give a URL instead.", n, maxPicture)
		}
		a.ProfilePicture = *u.ProfilePicture
	}
	return nil
}

func checkKey(key string) error {
	if key == "" || utf8.RuneCountInString(key) > maxKey {
		return fault.New(fault.InvalidPayload, "A preference's key has 1 to %d characters; this one has %d.", maxKey, utf8.RuneCountInString(key))
	}
	if !utf8.ValidString(key) || strings.ContainsRune(key, 0) {
		return fault.New(fault.InvalidPayload, "A preference's key must be UTF-8 text without the character U+0000; %q is not.", fault.Bounded(key))
	}
	return nil
}

// WorkspaceName is what a person's first workspace is called.
func WorkspaceName(a Account) string {
	name := a.DisplayName
	if name == "" {
		name, _, _ = strings.Cut(a.Email, "@")
	}
	if runes := []rune(name); len(runes) > maxWorkspaceOwner {
		name = string(runes[:maxWorkspaceOwner])
	}
	return name + "'s workspace"
}

// maxWorkspaceOwner leaves room for the rest of a workspace's name, which has 64
// characters at most.
const maxWorkspaceOwner = 50
