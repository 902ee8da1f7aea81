package workspace

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/fault"
)

func TestEveryRoleButOwnerCanBeGivenAndTaken(t *testing.T) {
	for _, role := range access.Roles {
		owner := role == access.Owner
		if err := checkAssignable(role); (err != nil) != owner || (owner && !fault.Is(err, fault.InvalidPayload)) {
			t.Errorf("giving the role %s answers %v", role, err)
		}
		m := Member{Email: "a@example.com", Role: role}
		if err := m.changeable(); (err != nil) != owner || (owner && !fault.Is(err, fault.Forbidden)) {
			t.Errorf("changing a member with the role %s answers %v", role, err)
		}
	}
	for _, role := range []access.Role{"", "admin", "Owner"} {
		if err := checkAssignable(role); !fault.Is(err, fault.InvalidPayload) {
			t.Errorf("giving the role %q answers %v, want InvalidPayload", role, err)
		}
	}
}

func TestAddress(t *testing.T) {
	for email, want := range map[string]string{
		"a@example.com": "a@example.com", " A@Example.com\t": "A@Example.com", "a+b@x.y": "a+b@x.y", "é@example.com": "é@example.com",
		"": "", "a": "", "a@": "", "@b": "", "a@b, c@d": "", "Bo <bo@example.com>": "", "<bo@example.com>": "",
		strings.Repeat("a", maxAddress) + "@example.com": "",
	} {
		got, err := checkAddress("email", email)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("address %q is %q (%v), want %q", email, got, err, want)
		}
		if err != nil && !fault.Is(err, fault.InvalidPayload) {
			t.Errorf("address %q answers %v, want InvalidPayload", email, err)
		}
	}
}

func TestEmailKeyForgetsCaseAndSpace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		email := rapid.StringMatching(`[a-z0-9.]{1,10}@[a-z]{1,10}\.com`).Draw(t, "email")
		space := rapid.StringMatching(`[ \t]{0,3}`).Draw(t, "space")
		if got := emailKey(space + strings.ToUpper(email) + space); got != email {
			t.Fatalf("the key of %q is %q", email, got)
		}
	})
}
