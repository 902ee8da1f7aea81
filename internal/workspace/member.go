package workspace

import (
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// Member is a membership of a workspace. The fields that come from the account are empty
// while the invited address has none.
type Member struct {
	ID             id.Member
	Account        id.Account
	Email          string
	Role           access.Role
	CreatedAt      time.Time
	DisplayName    string
	ProfilePicture string
}

// changeable is nil if the member can be changed or removed, which is everybody but the
// owner.
func (m Member) changeable() error {
	if m.Role == access.Owner {
		return fault.New(fault.Forbidden, "%s owns this workspace. The owner's role cannot be changed and the owner cannot be removed; only the whole workspace can be deleted.", fault.Bounded(m.Email))
	}
	return nil
}

// checkAssignable is nil for a role that a member can be given.
func checkAssignable(role access.Role) error {
	if role == access.Owner {
		return fault.New(fault.InvalidPayload, "Ownership cannot be given away: a workspace is owned by whoever created it. Give the role administrator instead.")
	}
	if !slices.Contains(access.Roles, role) {
		return fault.New(fault.InvalidPayload, "%q is not a role; the roles are viewer, billing, developer, manager and administrator.", fault.Bounded(string(role)))
	}
	return nil
}

const maxAddress = 254 // bytes: RFC 5321, 4.5.3.1.3

// checkAddress returns the e-mail address without surrounding white space.
func checkAddress(field, email string) (string, error) {
	email = strings.TrimSpace(email)
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || len(email) > maxAddress {
		return "", fault.New(fault.InvalidPayload, "%s is %q, which is not an e-mail address; one looks like name@example.com.", field, fault.Bounded(email))
	}
	return email, nil
}

// emailKey is equal for two addresses of one person: case does not count, as in package
// account.
func emailKey(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// noSuchMember is the one answer for a membership that does not exist and for one
// of another workspace.
func noSuchMember(m id.Member) error {
	return fault.New(fault.ResourceNotFound, "This workspace has no member %q. listWorkspaceMembers lists its members.", fault.Bounded(string(m)))
}
