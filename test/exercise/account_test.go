package exercise_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/workspace"
	"github.com/botyard/botyard/test/harness"
)

func workspaceID(a *harness.Actor) id.Workspace { return id.Workspace(a.Workspace) }

func TestAccount(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		var out struct{ Account object }
		a.Do(t, "GET", mePath, nil, &out)
		created, _ := out.Account["createdAt"].(string)
		if !moment.MatchString(created) {
			t.Errorf("createdAt is %q", created)
		}
		want := object{"id": a.Account, "email": a.Email, "emailVerified": true, "createdAt": created}
		if diff := cmp.Diff(want, out.Account); diff != "" {
			t.Error(diff)
		}
		a.Do(t, "PUT", mePath, object{"displayName": "Zoë 🦊", "profilePicture": "https://example.com/z.png", "unknown": true}, &out)
		want["displayName"], want["profilePicture"] = "Zoë 🦊", "https://example.com/z.png"
		if diff := cmp.Diff(want, out.Account); diff != "" {
			t.Error(diff)
		}
		// What is absent stays.
		a.Do(t, "PUT", mePath, object{"refresh": true}, nil)
		out.Account = nil
		a.Do(t, "GET", mePath, nil, &out)
		if diff := cmp.Diff(want, out.Account); diff != "" {
			t.Error(diff)
		}
		refuses(t, a, "PUT", mePath, []refusal{
			{"wrong type", object{"displayName": 7}, fault.InvalidPayload, []string{"displayName", "string"}},
			{"too long", object{"displayName": long(101)}, fault.InvalidPayload, []string{"displayName", "100"}},
			{"too large a picture", object{"profilePicture": strings.Repeat("x", 64<<10+1)}, fault.LimitExceeded, []string{"profilePicture"}},
			{"an array", []int{1}, fault.InvalidPayload, []string{"object"}},
			{"null", "null", fault.InvalidPayload, nil},
			{"nothing", "", fault.InvalidPayload, nil},
		})
		a.Do(t, "PUT", mePath, object{"displayName": long(100)}, nil)
	})
}

func TestDeleteAccount(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, host := s.Person(t), s.Person(t)
		addMember(t, host, a.Email, "developer")
		a.Refused(t, fault.ReferenceConstraint, []string{"owns"}, "POST", mePath, object{})
		a.Do(t, "GET", mePath, nil, nil)
		a.Do(t, "DELETE", workspacesPath+"/"+a.Workspace, nil, nil)
		a.Do(t, "POST", mePath, object{}, nil)
		a.Refused(t, fault.Unauthorized, nil, "GET", mePath, nil)
		// The membership ended, and the record of it names the address.
		var list struct{ Members []object }
		host.Do(t, "GET", membersPath, nil, &list)
		if len(list.Members) != 1 {
			t.Errorf("%d members are left, want the owner alone", len(list.Members))
		}
		// The address can be used anew.
		again := s.PersonCalled(t, a.Email)
		if again.Account == a.Account {
			t.Error("the new account has the id of the deleted one")
		}
	})
}

func TestAccessTokens(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, other := s.Person(t), s.Person(t)
		var made struct {
			Pat struct{ ID, CreatedAt, Note, Value string }
		}
		a.Do(t, "POST", patsPath, object{"note": "CI 🚀"}, &made)
		pat := made.Pat
		if !strings.HasPrefix(pat.ID, "pat_") || pat.Note != "CI 🚀" || !moment.MatchString(pat.CreatedAt) || !access.Checksummed(pat.Value) {
			t.Errorf("the token is %+v", pat)
		}
		var list struct{ Pats []object }
		a.Do(t, "GET", patsPath, nil, &list)
		want := object{"id": pat.ID, "createdAt": pat.CreatedAt, "note": "CI 🚀"}
		if len(list.Pats) != 2 {
			t.Fatalf("%d tokens, want 2", len(list.Pats))
		}
		if diff := cmp.Diff(want, list.Pats[0]); diff != "" {
			t.Errorf("the newest token: %s", diff)
		}
		a.As(pat.Value).Do(t, "GET", mePath, nil, nil)
		a.As(pat.Value).Do(t, "GET", botsPath, nil, nil)

		foreign := other.Ask(t, "DELETE", patsPath+"/"+pat.ID, nil)
		if foreign.Status != 404 {
			t.Errorf("deleting a foreign token answered %d", foreign.Status)
		}
		a.As(pat.Value).Do(t, "GET", mePath, nil, nil)
		a.Do(t, "DELETE", patsPath+"/"+pat.ID, object{}, nil)
		a.As(pat.Value).Refused(t, fault.Unauthorized, []string{"deleted"}, "GET", mePath, nil)
		a.As(pat.Value).Refused(t, fault.Unauthorized, nil, "GET", botsPath, nil)
		missing := other.Ask(t, "DELETE", patsPath+"/"+pat.ID, nil)
		if foreign.WithoutID() != missing.WithoutID() {
			t.Errorf("foreign and missing differ:\n%s\n%s", foreign.Body, missing.Body)
		}
		a.Refused(t, fault.ResourceNotFound, []string{pat.ID}, "DELETE", patsPath+"/"+pat.ID, nil)

		refuses(t, a, "POST", patsPath, []refusal{
			{"without note", object{}, fault.InvalidPayload, []string{"note"}},
			{"note of a wrong type", object{"note": []string{"a"}}, fault.InvalidPayload, []string{"note", "string"}},
			{"note is null", object{"note": nil}, fault.InvalidPayload, []string{"note"}},
			{"too long", object{"note": long(201)}, fault.InvalidPayload, []string{"note", "200"}},
			{"U+0000", `{"note":"a\u0000b"}`, fault.InvalidPayload, []string{"note", "U+0000"}},
		})
	})
}

func TestTokenExpires(t *testing.T) {
	harness.RunAlone(t, nil, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		value := access.NewTokenValue(access.PAT)
		err := s.DB.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := s.Tokens.AddPAT(ctx, tx, id.Account(a.Account), "an hour", s.Clock.Now().Add(time.Hour), value)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		a.As(value).Do(t, "GET", mePath, nil, nil)
		if _, err := development(s).Advance(59 * time.Minute); err != nil {
			t.Fatal(err)
		}
		a.As(value).Do(t, "GET", mePath, nil, nil)
		if _, err := development(s).Advance(time.Minute); err != nil {
			t.Fatal(err)
		}
		a.As(value).Refused(t, fault.Unauthorized, []string{"expired"}, "GET", mePath, nil)
		a.As(value).Refused(t, fault.Unauthorized, []string{"expired"}, "GET", botsPath, nil)
		a.Do(t, "GET", mePath, nil, nil)
	})
}

// Both kinds of preferences keep any JSON under any key, byte for byte.
func TestPreferences(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, other := s.Person(t), s.Person(t)
		for _, prefix := range []string{accountKeyPath, spaceKeyPath} {
			var unset object
			a.Do(t, "GET", prefix+"never-set", nil, &unset)
			if diff := cmp.Diff(object{"value": nil}, unset); diff != "" {
				t.Errorf("%s: %s", prefix, diff)
			}
			for _, key := range []string{"k", "a/b c%d", "public", "ключ 🔑", "..", strings.Repeat("k", 200)} {
				for _, value := range []string{
					`{"z":1,"a":[1.0,12345678901234567890123,1e-400],"é":"\u00e9","lone":"\ud800","nul":"\u0000"}`,
					`null`, `false`, `""`, `[]`, `0.10`,
				} {
					path := prefix + url.PathEscape(key)
					if key == ".." {
						path = prefix + "%2E%2E"
					}
					a.Do(t, "POST", path, `{"value": `+value+`}`, nil)
					if got := a.Ask(t, "GET", path, nil); string(got.Body) != `{"value":`+value+`}` {
						t.Errorf("%s: %s became %s", path, value, got.Body)
					}
					var foreign object
					other.Do(t, "GET", path, nil, &foreign)
					if foreign["value"] != nil {
						t.Errorf("%s: another one reads %v", path, foreign)
					}
				}
			}
			a.Do(t, "POST", prefix+"k", object{}, nil)
			if got := a.Ask(t, "GET", prefix+"k", nil); string(got.Body) != `{"value":null}` {
				t.Errorf("an absent value became %s", got.Body)
			}
			refuses(t, a, "POST", prefix+"k", []refusal{
				{"too large", object{"value": strings.Repeat("x", 64<<10)}, fault.LimitExceeded, []string{"65536"}},
				{"no object", `7`, fault.InvalidPayload, []string{"object"}},
			})
			a.Refused(t, fault.InvalidPayload, []string{"200"}, "POST", prefix+strings.Repeat("k", 201), object{"value": 1})
			a.Refused(t, fault.InvalidPayload, []string{"200"}, "GET", prefix+strings.Repeat("k", 201), nil)
			for _, key := range []string{"%00", "%ff%fe"} {
				a.Refused(t, fault.ResourceNotFound, []string{"UTF-8"}, "POST", prefix+key, object{"value": 1})
				a.Refused(t, fault.ResourceNotFound, []string{"UTF-8"}, "GET", prefix+key, nil)
			}
		}
	})
}

func TestPreferencesAreLimited(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		for i := range 500 {
			a.Do(t, "POST", spaceKeyPath+"key-"+time.Duration(i).String(), object{"value": i}, nil)
		}
		a.Refused(t, fault.LimitExceeded, []string{"500"}, "POST", spaceKeyPath+"one-more", object{"value": 1})
		a.Do(t, "POST", spaceKeyPath+"key-0s", object{"value": "changed"}, nil)
		a.In("").Refused(t, fault.InvalidPayload, []string{"x-workspace-id"}, "GET", spaceKeyPath+"k", nil)
	})
}

// A plan holds members to its number; the owner does not count.
func TestMemberQuota(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		setPlan(t, s, a, workspace.Community)
		first := addMember(t, a, "first@example.com", "developer")
		before := a.State(t)
		f := a.Refused(t, fault.QuotaExceeded, []string{"workspace_member_count", "community"}, "POST", membersPath, object{"email": "second@example.com", "role": "viewer"})
		raisedBy := []any{"the plan plus", "the add-on collaborator_addon", "the operator of this server, with botyard quota set"}
		if diff := cmp.Diff(map[string]any{"quota": "workspace_member_count", "limit": 1.0, "usage": 1.0, "raisedBy": raisedBy}, f.Metadata); diff != "" {
			t.Error(diff)
		}
		if after := a.State(t); after != before {
			t.Error("the refused member left something behind")
		}
		a.Do(t, "DELETE", membersPath+"/"+first, nil, nil)
		addMember(t, a, "second@example.com", "viewer")
	})
}
