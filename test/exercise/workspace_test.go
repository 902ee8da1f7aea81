package exercise_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

func TestWorkspace(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		var w object
		a.In("").Do(t, "POST", workspacesPath, object{"name": "  Café 🥐 ", "billingVersion": "v4"}, &w)
		created, _ := w["createdAt"].(string)
		path, _ := w["id"].(string)
		if !strings.HasPrefix(path, "wkspace_") || !moment.MatchString(created) {
			t.Fatalf("the workspace is %v", w)
		}
		path = workspacesPath + "/" + path
		want := object{
			"id": w["id"], "name": "Café 🥐", "ownerId": a.Account, "createdAt": created, "updatedAt": created,
			"botCount": 0.0, "billingVersion": "v4", "plan": "managed", "blocked": false, "spendingLimit": 100.0,
			"about": "", "profilePicture": "", "contactEmail": "", "website": "", "socialAccounts": []any{},
			"isPublic": false, "activeTrialId": nil,
		}
		if diff := cmp.Diff(want, w); diff != "" {
			t.Error(diff)
		}
		w = nil
		a.In("").Do(t, "GET", path, nil, &w)
		if diff := cmp.Diff(want, w); diff != "" {
			t.Error(diff)
		}
		handle := "cafe-" + strings.ToLower(created[20:23]) + "-" + strings.ToLower(w["id"].(string)[len("wkspace_"):])
		change := object{
			"name": "New", "spendingLimit": 12.34, "about": "What\nwe do", "profilePicture": "https://example.com/p.png",
			"contactEmail": "us@example.com", "website": "https://example.com", "socialAccounts": []any{"a", "b"}, "isPublic": true, "handle": handle,
		}
		w = nil
		a.Do(t, "PUT", path, change, &w)
		for key, value := range change {
			want[key] = value
		}
		if w["updatedAt"].(string) < created {
			t.Error("updatedAt went back")
		}
		want["updatedAt"] = w["updatedAt"]
		if diff := cmp.Diff(want, w); diff != "" {
			t.Error(diff)
		}
		a.Do(t, "PUT", path, object{}, &w)
		if diff := cmp.Diff(want, w); diff != "" {
			t.Errorf("an empty update changed something: %s", diff)
		}

		// What everybody may see of it.
		stranger := s.Person(t)
		var public object
		stranger.Do(t, "GET", path+"/public", nil, &public)
		seen := object{}
		for _, key := range []string{"id", "name", "createdAt", "updatedAt", "about", "profilePicture", "contactEmail", "website", "socialAccounts", "handle"} {
			seen[key] = want[key]
		}
		if diff := cmp.Diff(seen, public); diff != "" {
			t.Error(diff)
		}
		stranger.Refused(t, fault.ResourceNotFound, nil, "GET", path, nil)

		// The exact handle finds it, for members alone.
		var list struct {
			Workspaces []object
			Meta       object
		}
		a.Do(t, "GET", workspacesPath+"?handle="+handle, nil, &list)
		if len(list.Workspaces) != 1 || list.Workspaces[0]["id"] != want["id"] || list.Meta == nil {
			t.Errorf("by handle: %v", list)
		}
		for _, query := range []string{handle[:len(handle)-1], strings.ToUpper(handle)} {
			a.Do(t, "GET", workspacesPath+"?handle="+query, nil, &list)
			if len(list.Workspaces) != 0 {
				t.Errorf("by handle %s: %v", query, list)
			}
		}
		for _, query := range []string{"%00", "%ff"} {
			a.Refused(t, fault.InvalidQuery, []string{"handle", "UTF-8"}, "GET", workspacesPath+"?handle="+query, nil)
		}
		stranger.Do(t, "GET", workspacesPath+"?handle="+handle, nil, &list)
		if len(list.Workspaces) != 0 {
			t.Errorf("a stranger finds %v", list)
		}

		a.Do(t, "POST", path+"/migrate-to-v4", nil, nil)
		a.Do(t, "POST", path+"/migrate-to-v4", object{}, nil)

		a.Do(t, "DELETE", path, object{}, nil)
		a.Refused(t, fault.ResourceNotFound, nil, "GET", path, nil)
		a.Refused(t, fault.ResourceNotFound, nil, "GET", path+"/public", nil)
	})
}

func TestWorkspaceRefusals(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		refuses(t, a, "POST", workspacesPath, []refusal{
			{"without name", object{}, fault.InvalidPayload, []string{"name"}},
			{"empty name", object{"name": ""}, fault.InvalidPayload, []string{"name", "64"}},
			{"blank name", object{"name": " \t "}, fault.InvalidPayload, []string{"name", "64"}},
			{"long name", object{"name": long(65)}, fault.InvalidPayload, []string{"name", "65"}},
			{"name is a number", object{"name": 5}, fault.InvalidPayload, []string{"name", "string"}},
			{"name is null", object{"name": nil}, fault.InvalidPayload, []string{"name"}},
			{"unknown billing", object{"name": "n", "billingVersion": "v3"}, fault.InvalidPayload, []string{"billingVersion", "v4"}},
			{"U+0000", `{"name":"a\u0000"}`, fault.InvalidPayload, []string{"name", "U+0000"}},
		})
		path := workspacesPath + "/" + a.Workspace
		refuses(t, a, "PUT", path, []refusal{
			{"name", object{"name": ""}, fault.InvalidPayload, []string{"name"}},
			{"long name", object{"name": long(65)}, fault.InvalidPayload, []string{"name", "64"}},
			{"little spending", object{"spendingLimit": 4.99}, fault.InvalidPayload, []string{"spendingLimit", "5"}},
			{"much spending", object{"spendingLimit": 1000.01}, fault.InvalidPayload, []string{"spendingLimit", "1000"}},
			{"broken cents", object{"spendingLimit": 10.005}, fault.InvalidPayload, []string{"spendingLimit", "cents"}},
			{"spending as text", object{"spendingLimit": "10"}, fault.InvalidPayload, []string{"spendingLimit", "number"}},
			{"about", object{"about": long(2001)}, fault.InvalidPayload, []string{"about", "2000"}},
			{"contact", object{"contactEmail": "nobody"}, fault.InvalidPayload, []string{"contactEmail"}},
			{"accounts", object{"socialAccounts": []string{"1", "2", "3", "4", "5", "6"}}, fault.InvalidPayload, []string{"socialAccounts", "5"}},
			{"account", object{"socialAccounts": []string{"1", long(2001)}}, fault.InvalidPayload, []string{"socialAccounts[1]"}},
			{"public", object{"isPublic": "yes"}, fault.InvalidPayload, []string{"isPublic", "boolean"}},
			{"handle", object{"handle": "UPPER"}, fault.InvalidPayload, []string{"handle"}},
			{"short handle", object{"handle": "ab"}, fault.InvalidPayload, []string{"handle"}},
			{"empty handle", object{"handle": ""}, fault.InvalidPayload, []string{"handle"}},
			{"one good and one bad", object{"name": "Good", "about": long(2001)}, fault.InvalidPayload, []string{"about"}},
		})
		refuses(t, a, "PUT", workspacesPath+"/handle-availability", []refusal{
			{"none", object{}, fault.InvalidPayload, []string{"handle"}},
			{"empty", object{"handle": ""}, fault.InvalidPayload, []string{"handle"}},
			{"upper case", object{"handle": "Abc"}, fault.InvalidPayload, []string{"handle"}},
			{"too long", object{"handle": strings.Repeat("a", 51)}, fault.InvalidPayload, []string{"handle", "50"}},
		})
		owner := &harness.Actor{Client: s.Client, Token: harness.OwnerToken}
		var list struct{ Workspaces []struct{ ID string } }
		owner.Do(t, "GET", workspacesPath, nil, &list)
		owner.Refused(t, fault.ReferenceConstraint, []string{"platform"}, "DELETE", workspacesPath+"/"+list.Workspaces[0].ID, nil)
	})
}

func TestHandles(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, b := s.Person(t), s.Person(t)
		type availability struct {
			Available   bool
			Suggestions []string
			UsedBy      string
		}
		ask := func(who *harness.Actor, handle string) (out availability) {
			t.Helper()
			who.Do(t, "PUT", workspacesPath+"/handle-availability", object{"handle": handle}, &out)
			if out.Suggestions == nil {
				t.Errorf("the suggestions for %s are null", handle)
			}
			return out
		}
		if got := ask(a, "acme"); !got.Available || len(got.Suggestions) != 0 {
			t.Errorf("a free handle: %+v", got)
		}
		a.Do(t, "PUT", workspacesPath+"/"+a.Workspace, object{"handle": "acme"}, nil)
		b.Refused(t, fault.AlreadyExists, []string{"acme"}, "PUT", workspacesPath+"/"+b.Workspace, object{"handle": "acme", "name": "Not this either"})
		var w object
		b.Do(t, "GET", workspacesPath+"/"+b.Workspace, nil, &w)
		if w["handle"] != nil || w["name"] == "Not this either" {
			t.Errorf("the refused update left %v", w)
		}
		if got := ask(a, "acme"); got.Available || got.UsedBy != a.Workspace {
			t.Errorf("the own handle: %+v", got)
		}
		got := ask(b, "acme")
		if got.Available || got.UsedBy != "" || len(got.Suggestions) == 0 {
			t.Errorf("a foreign handle: %+v", got)
		}
		for _, suggestion := range got.Suggestions {
			if suggestion == "acme" || !ask(b, suggestion).Available {
				t.Errorf("the suggestion %s is not available", suggestion)
			}
		}
		b.Do(t, "PUT", workspacesPath+"/"+b.Workspace, object{"handle": got.Suggestions[0]}, nil)
		if again := ask(b, "acme"); slices.Contains(again.Suggestions, got.Suggestions[0]) {
			t.Errorf("%s is suggested although it is taken", got.Suggestions[0])
		}
		if got := ask(b, "-"); got.Available || len(got.Suggestions) == 0 {
			t.Errorf("what cannot be a handle: %+v", got)
		}
		// A handle is free again when its workspace goes.
		a.Do(t, "DELETE", workspacesPath+"/"+a.Workspace, nil, nil)
		if got := ask(b, "acme"); !got.Available {
			t.Errorf("the handle of a deleted workspace: %+v", got)
		}
	})
}

func TestPublicWorkspaces(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, reader := s.Person(t), s.Person(t)
		path := workspacesPath + "/" + a.Workspace
		reader.Refused(t, fault.ResourceNotFound, nil, "GET", path+"/public", nil)
		a.Do(t, "GET", path+"/public", nil, nil)
		a.Do(t, "PUT", path, object{"isPublic": true, "name": "Ünïque Näme 100%_x"}, nil)
		find := func(query string) (ids []string) {
			t.Helper()
			var list struct{ Workspaces []struct{ ID string } }
			reader.Do(t, "GET", workspacesPath+"/public?"+query, nil, &list)
			for _, w := range list.Workspaces {
				ids = append(ids, w.ID)
			}
			return ids
		}
		want := []string{a.Workspace}
		for _, query := range []string{
			"workspaceIds=" + a.Workspace, "workspaceIds=none&workspaceIds=" + a.Workspace,
			"search=" + url.QueryEscape("ünïque näme"), "search=" + url.QueryEscape("100%_X"),
			"workspaceIds=" + a.Workspace + "&search=N%C3%84ME",
		} {
			if diff := cmp.Diff(want, find(query)); diff != "" {
				t.Errorf("%s: %s", query, diff)
			}
		}
		for _, query := range []string{
			"workspaceIds=none", "search=" + url.QueryEscape("100xx"),
			"workspaceIds=" + reader.Workspace, "workspaceIds=" + a.Workspace + "&search=other",
		} {
			if got := find(query); len(got) != 0 {
				t.Errorf("%s: %v", query, got)
			}
		}
		for _, query := range []string{"workspaceIds=%00", "workspaceIds=%ff", "search=%00"} {
			reader.Refused(t, fault.InvalidQuery, []string{"UTF-8"}, "GET", workspacesPath+"/public?"+query, nil)
		}
		a.Do(t, "PUT", path, object{"isPublic": false}, nil)
		if got := find("workspaceIds=" + a.Workspace); len(got) != 0 {
			t.Errorf("a workspace that is public no more: %v", got)
		}
		ids := strings.TrimSuffix(strings.Repeat("workspaceIds=a&", 101), "&")
		reader.Refused(t, fault.InvalidQuery, []string{"workspaceIds", "100"}, "GET", workspacesPath+"/public?"+ids, nil)
	})
}

// What a workspace holds goes with it, and nothing else does.
func TestDeleteWorkspace(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, guest := s.Person(t), s.Person(t)
		addMember(t, a, guest.Email, "administrator")
		bot := createBot(t, a, object{"name": "gone", "tags": object{"a": "b"}})
		createBot(t, guest, object{"name": "stays"})
		before := guest.State(t)
		guest.In(a.Workspace).Refused(t, fault.Forbidden, nil, "DELETE", workspacesPath+"/"+a.Workspace, nil)
		guest.In(a.Workspace).Do(t, "GET", botsPath+"/"+bot["id"].(string), nil, nil)
		a.Do(t, "DELETE", workspacesPath+"/"+a.Workspace, nil, nil)
		guest.In(a.Workspace).Refused(t, fault.ResourceNotFound, nil, "GET", botsPath, nil)
		a.Refused(t, fault.ResourceNotFound, nil, "GET", botsPath, nil)
		guest.Refused(t, fault.ResourceNotFound, nil, "POST", "/v1/admin/introspect", object{"botId": bot["id"]})
		after := guest.State(t)
		if !strings.Contains(before, a.Workspace) {
			t.Error("the guest did not see the workspace")
		}
		if strings.Contains(after, a.Workspace) || !strings.Contains(after, `"stays"`) {
			t.Errorf("the guest sees %s", after)
		}
		// Audit records outlive the workspace.
		var n int
		q := s.DB.Reader(t.Context()).QueryRow(t.Context(), `SELECT COUNT(*) FROM audit_records WHERE workspace_id = $1 AND action = $2`, a.Workspace, "CLOSE_WORKSPACE")
		if err := q.Scan(&n); err != nil || n != 1 {
			t.Errorf("%d records of the end, %v", n, err)
		}
	})
}
