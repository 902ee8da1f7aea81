package exercise_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/workspace"
	"github.com/botyard/botyard/test/harness"
)

// try makes a request that must answer one of the statuses.
func try(t *testing.T, a *harness.Actor, method, path string, body any, statuses ...int) (int, error) {
	answer, err := a.Try(t.Context(), method, path, body)
	if err != nil {
		return 0, err
	}
	for _, status := range statuses {
		if answer.Status == status {
			return status, nil
		}
	}
	return 0, fmt.Errorf("%s %s answered %d: %.300s", method, path, answer.Status, answer.Body)
}

// maxKeys keeps the tags of one bot within their limit.
const maxKeys = 48

// Updates of one bot that meet lose nothing of each other.
func TestUpdatesThatMeet(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		id := createBot(t, a, object{"tags": object{"first": "1"}})["id"].(string)
		tags := object{"first": "1"}
		actions, schemas := object{}, object{"input": object{"schema": object{}}, "output": object{"schema": object{}}}
		for i := range 64 {
			tags[fmt.Sprint("t", i%maxKeys)] = fmt.Sprint(i % maxKeys)
			actions[fmt.Sprint("a", i)] = schemas
		}
		harness.Together(t, 64, func(i int) error {
			key := fmt.Sprint("t", i%maxKeys)
			_, err := try(t, a, "PUT", botsPath+"/"+id, object{"tags": object{key: tags[key]}, "actions": object{fmt.Sprint("a", i): schemas}}, 200)
			return err
		})
		bot := getBot(t, a, id)
		if diff := cmp.Diff(object{"tags": tags, "actions": actions}, object{"tags": bot["tags"], "actions": bot["actions"]}); diff != "" {
			t.Error(diff)
		}
		var list struct{ Bots []object }
		a.Do(t, "GET", botsPath+"?tags.t0=0&tags.t47=47", nil, &list)
		if len(list.Bots) != 1 {
			t.Errorf("the list finds %d bots by the tags", len(list.Bots))
		}
		var trail struct{ Records []object }
		a.Do(t, "GET", workspacesPath+"/"+a.Workspace+"/audit-records?pageSize=100", nil, &trail)
		if len(trail.Records) != 66 {
			t.Errorf("%d records, want one for each update, of the bot and of the workspace", len(trail.Records))
		}
	})
}

// A quota of N never admits N+1.
func TestQuotaUnderPressure(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		for plan, limit := range map[workspace.Plan]int64{workspace.Community: 1, workspace.Team: 3} {
			a := s.Person(t)
			setPlan(t, s, a, plan)
			for _, round := range []string{"from none", "again"} {
				var made atomic.Int64
				harness.Together(t, 30, func(int) error {
					status, err := try(t, a, "POST", botsPath, object{}, 200, 403)
					if status == 200 {
						made.Add(1)
					}
					return err
				})
				var list struct{ Bots []struct{ ID string } }
				a.Do(t, "GET", botsPath, nil, &list)
				if made.Load() != limit || int64(len(list.Bots)) != limit || botCount(t, a) != float64(limit) {
					t.Fatalf("%s, %s: %d made, %d listed, %v counted, want %d", plan, round, made.Load(), len(list.Bots), botCount(t, a), limit)
				}
				harness.Together(t, len(list.Bots)*2, func(i int) error { // each twice
					_, err := try(t, a, "DELETE", botsPath+"/"+list.Bots[i/2].ID, nil, 200, 404)
					return err
				})
				if n := botCount(t, a); n != 0 {
					t.Fatalf("%v counted after all are deleted", n)
				}
			}
		}
	})
}

func TestHandleThatManyWant(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		people := make([]*harness.Actor, 16)
		for i := range people {
			people[i] = s.Person(t)
		}
		handle := "wanted-" + strings.ToLower(people[0].Workspace[len("wkspace_"):])
		var won atomic.Int64
		harness.Together(t, len(people), func(i int) error {
			status, err := try(t, people[i], "PUT", workspacesPath+"/"+people[i].Workspace, object{"handle": handle}, 200, 409)
			if status == 200 {
				won.Add(1)
			}
			return err
		})
		if won.Load() != 1 {
			t.Errorf("%d got the handle", won.Load())
		}
	})
}

func TestInvitationsThatMeet(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		var added atomic.Int64
		harness.Together(t, 16, func(i int) error {
			email := "someone@example.com"
			if i%2 == 1 {
				email = "SomeOne@Example.com"
			}
			status, err := try(t, a, "POST", membersPath, object{"email": email, "role": "viewer"}, 200, 409)
			if status == 200 {
				added.Add(1)
			}
			return err
		})
		var list struct{ Members []object }
		a.Do(t, "GET", membersPath, nil, &list)
		if added.Load() != 1 || len(list.Members) != 2 {
			t.Errorf("%d were added, the workspace has %d members with its owner", added.Load(), len(list.Members))
		}
	})
}

// Deleting a workspace while bots are made in it leaves none of them.
func TestWorkspaceThatGoes(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		harness.Together(t, 17, func(i int) error {
			if i == 8 {
				_, err := try(t, a, "DELETE", workspacesPath+"/"+a.Workspace, nil, 200)
				return err
			}
			for range 5 {
				if _, err := try(t, a, "POST", botsPath, object{"tags": object{"a": "b"}, "secrets": object{"A": "b"}}, 200, 404); err != nil {
					return err
				}
			}
			return nil
		})
		for _, query := range []string{
			`SELECT COUNT(*) FROM bots WHERE workspace_id = $1`,
			`SELECT COUNT(*) FROM gauges WHERE workspace_id = $1`,
			`SELECT COUNT(*) FROM members WHERE workspace_id = $1`,
		} {
			var n int
			if err := s.DB.Reader(t.Context()).QueryRow(t.Context(), query, a.Workspace).Scan(&n); err != nil || n != 0 {
				t.Errorf("%s: %d are left, %v", query, n, err)
			}
		}
	})
}
