package exercise_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/test/harness"
)

// Invitations, removals and the creation of the invited accounts at one moment: a limit of
// members is kept, no membership is counted twice or never, and every member with an account
// is linked to it.
func TestMembersThatMeet(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		for round := range 3 {
			a := s.Person(t)
			const limit = 3
			setQuota(t, s, a, plan.MemberCount, limit)
			email := func(i int) string { return fmt.Sprintf("meet%d.%d.%s", round, i, a.Email) }
			first := addMember(t, a, email(0), "viewer")
			var added, removed atomic.Int64
			harness.Together(t, 16, func(i int) error {
				switch {
				case i < 8:
					status, err := try(t, a, "POST", membersPath, object{"email": email(i + 1), "role": "viewer"}, 200, 403)
					if status == 200 {
						added.Add(1)
					}
					return err
				case i < 12:
					status, err := try(t, a, "DELETE", membersPath+"/"+first, nil, 200, 404)
					if status == 200 {
						removed.Add(1)
					}
					return err
				}
				_, err := s.CreateAccount(t.Context(), email(i-11), "")
				return err
			})
			if removed.Load() != 1 {
				t.Errorf("one member was removed %d times", removed.Load())
			}
			var list struct {
				Members []struct{ Email, UserID, Role string }
			}
			a.Do(t, "GET", membersPath, nil, &list)
			if n := int64(len(list.Members)) - 1; n != added.Load() || n > limit {
				t.Errorf("%d were added, and there are %d members beside the owner; at most %d are allowed", added.Load(), n, limit)
			}
			for _, m := range list.Members {
				for i := 1; i <= 4; i++ {
					if m.Email == email(i) && m.UserID == "" {
						t.Errorf("%s has an account, to which the membership is not linked", m.Email)
					}
				}
			}
			// What is counted is what is there: the room that is left, and no more, can be used.
			for i := range limit - (len(list.Members) - 1) {
				addMember(t, a, email(20+i), "viewer")
			}
			a.Refused(t, fault.QuotaExceeded, nil, "POST", membersPath, object{"email": email(30), "role": "viewer"})
		}
	})
}

// Of accounts that are created for one address at one moment, one is.
func TestAccountsThatMeet(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		for round := range 3 {
			host := s.Person(t)
			email := fmt.Sprintf("One%d.%s", round, host.Email)
			invited := addMember(t, host, email, "viewer")
			var made atomic.Int64
			harness.Together(t, 8, func(int) error {
				w, err := s.CreateAccount(t.Context(), email, "")
				if err == nil {
					made.Add(1)
					who := &harness.Actor{Client: s.Client, Token: w.Token, Workspace: host.Workspace}
					answer, askErr := who.Try(t.Context(), "GET", membersPath+"/me", nil)
					if askErr != nil || answer.Status != 200 {
						return fmt.Errorf("the membership %s of the new account: %d %s %w", invited, answer.Status, answer.Body, askErr)
					}
				} else if fault.Is(err, fault.AlreadyExists) {
					err = nil
				}
				return err
			})
			if made.Load() != 1 {
				t.Errorf("%d accounts were created for one address", made.Load())
			}
		}
	})
}
