package exercise_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

func TestMembers(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, guest := s.Person(t), s.Person(t)
		guest.Do(t, "PUT", mePath, object{"displayName": "Guest", "profilePicture": "https://example.com/g.png"}, nil)

		nextMoment()
		// Somebody who has an account is linked at once, whatever the case.
		var m object
		a.Do(t, "POST", membersPath, object{"email": " " + strings.ToUpper(guest.Email) + " ", "role": "developer", "sendEmail": true}, &m)
		want := object{
			"id": m["id"], "userId": guest.Account, "email": strings.ToUpper(guest.Email), "createdAt": m["createdAt"], "role": "developer",
			"displayName": "Guest", "profilePicture": "https://example.com/g.png",
		}
		if diff := cmp.Diff(want, m); diff != "" {
			t.Error(diff)
		}
		memberID := m["id"].(string)
		m = nil
		guest.In(a.Workspace).Do(t, "GET", membersPath+"/me", nil, &m)
		if diff := cmp.Diff(want, m); diff != "" {
			t.Errorf("the own membership: %s", diff)
		}
		m = nil
		a.Do(t, "PUT", membersPath+"/"+memberID, object{"role": "manager"}, &m)
		want["role"] = "manager"
		if diff := cmp.Diff(want, m); diff != "" {
			t.Error(diff)
		}
		guest.In(a.Workspace).Do(t, "GET", workspacesPath+"/"+a.Workspace+"/audit-records", nil, nil)
		a.Do(t, "PUT", membersPath+"/"+memberID, object{}, &m)
		if m["role"] != "manager" {
			t.Errorf("an update without role made it %v", m["role"])
		}

		// An invited address becomes a membership when its account is made.
		nextMoment()
		invited := addMember(t, a, "Later."+guest.Email, "viewer")
		var list struct {
			Members []object
			Meta    object
		}
		a.Do(t, "GET", membersPath, nil, &list)
		if len(list.Members) != 3 || list.Meta == nil {
			t.Fatalf("the members are %v", list)
		}
		if owner := list.Members[0]; owner["role"] != "owner" || owner["userId"] != a.Account || owner["email"] != a.Email {
			t.Errorf("the first member is %v", owner)
		}
		if later := list.Members[2]; later["id"] != invited || later["userId"] != nil {
			t.Errorf("the invited member is %v", later)
		}
		later := s.PersonCalled(t, "later."+guest.Email)
		later.In(a.Workspace).Do(t, "GET", membersPath+"/me", nil, &m)
		if m["id"] != invited || m["userId"] != later.Account || m["role"] != "viewer" {
			t.Errorf("the membership became %v", m)
		}
		later.In(a.Workspace).Refused(t, fault.Forbidden, []string{"viewer"}, "POST", botsPath, object{})

		// Members may leave; only administrators remove others; nobody the owner.
		own := list.Members[0]["id"].(string)
		later.In(a.Workspace).Refused(t, fault.Forbidden, nil, "DELETE", membersPath+"/"+memberID, nil)
		guest.In(a.Workspace).Refused(t, fault.Forbidden, nil, "DELETE", membersPath+"/"+invited, nil)
		guest.In(a.Workspace).Refused(t, fault.Forbidden, nil, "DELETE", membersPath+"/"+own, nil)
		a.Refused(t, fault.Forbidden, []string{"owner"}, "DELETE", membersPath+"/"+own, nil)
		a.Refused(t, fault.Forbidden, []string{"owner"}, "PUT", membersPath+"/"+own, object{"role": "viewer"})
		later.In(a.Workspace).Do(t, "DELETE", membersPath+"/"+invited, object{}, nil)
		later.In(a.Workspace).Refused(t, fault.ResourceNotFound, nil, "GET", workspacesPath+"/"+a.Workspace, nil)
		a.Do(t, "DELETE", membersPath+"/"+memberID, nil, nil)
		guest.In(a.Workspace).Refused(t, fault.ResourceNotFound, nil, "GET", botsPath, nil)
		a.Refused(t, fault.ResourceNotFound, []string{memberID}, "DELETE", membersPath+"/"+memberID, nil)
		addMember(t, a, guest.Email, "billing")

		refuses(t, a, "POST", membersPath, []refusal{
			{"again", object{"email": strings.ToUpper(guest.Email), "role": "viewer"}, fault.AlreadyExists, []string{"member"}},
			{"the owner", object{"email": a.Email, "role": "viewer"}, fault.AlreadyExists, []string{a.Email}},
			{"ownership", object{"email": "x@example.com", "role": "owner"}, fault.InvalidPayload, []string{"wner"}},
			{"unknown role", object{"email": "x@example.com", "role": "king"}, fault.InvalidPayload, []string{"role", "viewer"}},
			{"no role", object{"email": "x@example.com"}, fault.InvalidPayload, []string{"role"}},
			{"no address", object{"role": "viewer"}, fault.InvalidPayload, []string{"email"}},
			{"not an address", object{"email": "x", "role": "viewer"}, fault.InvalidPayload, []string{"email"}},
			{"a name and an address", object{"email": "X <x@example.com>", "role": "viewer"}, fault.InvalidPayload, []string{"email"}},
			{"a long address", object{"email": strings.Repeat("x", 250) + "@example.com", "role": "viewer"}, fault.InvalidPayload, []string{"email"}},
			{"a wrong type", object{"email": 1, "role": "viewer"}, fault.InvalidPayload, []string{"email", "string"}},
		})
	})
}
