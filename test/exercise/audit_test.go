package exercise_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

// Every change leaves its record, in order; refusals and reads leave none.
func TestAudit(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, guest := s.Person(t), s.Person(t)
		path := workspacesPath + "/" + a.Workspace
		bot := createBot(t, a, object{"name": "first"})["id"].(string)
		updateBot(t, a, bot, object{"name": "second", "tags": object{"a": "b"}})
		updateBot(t, a, bot, object{"configuration": object{"data": object{}}})
		updateBot(t, a, bot, object{"code": "x"})
		a.Refused(t, fault.InvalidPayload, nil, "PUT", botsPath+"/"+bot, object{"name": ""})
		a.Do(t, "PUT", path, object{"name": "Named", "about": "text"}, nil)
		a.Do(t, "PUT", path, object{"name": "Named"}, nil) // as it was
		a.Do(t, "PUT", path, object{"spendingLimit": 7.5}, nil)
		member := addMember(t, a, guest.Email, "developer")
		there := guest.In(a.Workspace)
		there.Refused(t, fault.Forbidden, []string{"developer"}, "GET", path+"/audit-records", nil)
		theirs := createBot(t, there, object{"name": "theirs"})["id"].(string)
		there.Refused(t, fault.Forbidden, nil, "DELETE", botsPath+"/"+bot, nil)
		there.Do(t, "DELETE", botsPath+"/"+theirs, nil, nil)
		a.Do(t, "PUT", membersPath+"/"+member, object{"role": "manager"}, nil)
		there.Do(t, "DELETE", botsPath+"/"+bot, nil, nil)
		there.Do(t, "DELETE", membersPath+"/"+member, nil, nil)

		var out struct{ Records []object }
		a.Do(t, "GET", path+"/audit-records?pageSize=100", nil, &out)
		var w object
		a.Do(t, "GET", path, nil, &w)
		record := func(who *harness.Actor, action string, resource, name, value any) object {
			r := object{"userId": who.Account, "userEmail": who.Email, "action": action, "resourceId": resource, "resourceName": name}
			if value != nil {
				r["value"] = value
			}
			return r
		}
		want := []object{
			record(guest, "REMOVE_WORKSPACE_MEMBER", member, guest.Email, "manager"),
			record(guest, "DELETE_BOT", bot, "second", nil),
			record(a, "UPDATE_WORKSPACE_MEMBER", member, guest.Email, "manager"),
			record(guest, "DELETE_BOT", theirs, "theirs", nil),
			record(guest, "CREATE_BOT", theirs, "theirs", nil),
			record(a, "ADD_WORKSPACE_MEMBER", member, guest.Email, "developer"),
			record(a, "SET_SPENDING_LIMIT", a.Workspace, "Named", "7.5"),
			record(a, "UPDATE_WORKSPACE", a.Workspace, "Named", "name, about"),
			record(a, "DEPLOY_BOT", bot, "second", "code"),
			record(a, "UPDATE_BOT_CONFIG", bot, "second", "configuration"),
			record(a, "UPDATE_BOT", bot, "second", "name, tags"),
			record(a, "CREATE_BOT", bot, "first", nil),
		}
		if n := len(out.Records); n != len(want)+1 || out.Records[n-1]["action"] != "CREATE_WORKSPACE" {
			t.Fatalf("%d records, want %d and that of the workspace: %v", n, len(want), out.Records)
		}
		last := "9"
		for i, r := range out.Records {
			at := r["recordedAt"].(string)
			if !moment.MatchString(at) || at > last {
				t.Errorf("record %d is of %s, the one before of %s", i, at, last)
			}
			last = at
			delete(r, "recordedAt")
			delete(r, "id")
		}
		if diff := cmp.Diff(want, out.Records[:len(want)]); diff != "" {
			t.Error(diff)
		}
		// Addresses and names stay when who had them is gone.
		guest.Do(t, "DELETE", workspacesPath+"/"+guest.Workspace, nil, nil)
		guest.Do(t, "POST", mePath, object{}, nil)
		a.Do(t, "GET", path+"/audit-records?pageSize=1", nil, &out)
		if out.Records[0]["userEmail"] != guest.Email {
			t.Errorf("after the account's end the record is %v", out.Records[0])
		}
	})
}
