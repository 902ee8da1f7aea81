package matrix_test

import (
	"fmt"
	"net/http"

	"github.com/botyard/botyard/internal/access"
)

// request is a valid request of an operation; prepare makes what it is about and
// answers the values of the path's parameters and the body.
type request struct {
	// about tells the requests of one operation apart.
	about   string
	prepare func(*scene) (path []string, body string, err error)
}

// plain is a request about nothing in particular.
func plain(body string, path ...string) []request {
	return []request{{prepare: func(*scene) ([]string, string, error) { return path, body, nil }}}
}

// aboutWorkspace is a request whose path names the workspace.
func aboutWorkspace(body string) []request {
	return []request{{prepare: func(sc *scene) ([]string, string, error) { return []string{sc.workspace}, body, nil }}}
}

// aboutBot is a request whose path names a bot of the owner.
func aboutBot(body string) []request {
	return []request{{prepare: func(sc *scene) ([]string, string, error) {
		bot, err := sc.bot()
		return []string{bot}, body, err
	}}}
}

// aboutMember is a request whose path names a member that is not the caller.
func aboutMember(body string) request {
	return request{"another", func(sc *scene) ([]string, string, error) {
		member, err := sc.invite("colleague@example.com", access.Viewer)
		return []string{member}, body, err
	}}
}

// aboutOneself is a request whose path names the caller's membership; callers
// without one name the owner's.
func aboutOneself(body string) request {
	return request{"oneself", func(sc *scene) ([]string, string, error) {
		if sc.member != "" {
			return []string{sc.member}, body, nil
		}
		owner, err := sc.asOwner(http.MethodGet, "/v1/admin/workspace-members/me", "")
		if err != nil {
			return nil, "", err
		}
		return []string{owner["id"].(string)}, body, nil
	}}
}

// requests has those of every operation, by its id.
var requests = map[string][]request{
	"getAccount":                plain(""),
	"updateAccount":             plain(`{"displayName":"New name"}`),
	"listPersonalAccessTokens":  plain(""),
	"createPersonalAccessToken": plain(`{"note":"laptop"}`),
	"deletePersonalAccessToken": {{prepare: func(sc *scene) ([]string, string, error) { t, err := sc.pat(); return []string{t}, "", err }}},
	"setAccountPreference":      plain(`{"value":1}`, "theme"),
	"getAccountPreference":      plain("", "theme"),
	"createWorkspace":           plain(`{"name":"Second"}`),
	"listWorkspaces":            plain(""),
	"getWorkspace":              aboutWorkspace(""),
	"deleteWorkspace":           aboutWorkspace(""),
	"checkHandleAvailability":   plain(`{"handle":"a-free-handle"}`),
	"listPublicWorkspaces":      plain(""),
	"getAuditRecords":           aboutWorkspace(""),
	"migrateWorkspaceToV4":      aboutWorkspace(`{}`),
	"setWorkspacePreference":    plain(`{"value":1}`, "theme"),
	"getWorkspacePreference":    plain("", "theme"),
	"listWorkspaceMembers":      plain(""),
	"getWorkspaceMember":        plain(""),
	"createWorkspaceMember":     plain(`{"email":"colleague@example.com","role":"viewer"}`),
	"updateWorkspaceMember":     {aboutMember(`{"role":"developer"}`), aboutOneself(`{"role":"administrator"}`)},
	"deleteWorkspaceMember":     {aboutMember(""), aboutOneself("")},
	"createBot":                 plain(`{"name":"Bot"}`),
	"listBots":                  plain(""),
	"runVrl":                    plain(`{"data":{},"script":".a = 1"}`),
	"getBot":                    aboutBot(""),
	"updateBot":                 aboutBot(`{"description":"New"}`),
	"updateWorkspace": {
		{"name", func(sc *scene) ([]string, string, error) { return []string{sc.workspace}, `{"name":"New"}`, nil }},
		{"spending limit", func(sc *scene) ([]string, string, error) { return []string{sc.workspace}, `{"spendingLimit":7}`, nil }},
	},
	"getPublicWorkspace": {
		{"private", func(sc *scene) ([]string, string, error) { return []string{sc.workspace}, "", nil }},
		{"public", func(sc *scene) ([]string, string, error) {
			_, err := sc.asOwner(http.MethodPut, "/v1/admin/workspaces/"+sc.workspace, `{"isPublic":true}`)
			return []string{sc.workspace}, "", err
		}},
	},
	"deleteBot": {
		{"another's", func(sc *scene) ([]string, string, error) { bot, err := sc.bot(); return []string{bot}, "", err }},
		{"own", func(sc *scene) ([]string, string, error) {
			bot, err := sc.botOf(sc.token)
			if err != nil { // who may not make bots has none of its own
				bot, err = sc.bot()
			}
			return []string{bot}, "", err
		}},
	},
	"deleteAccount": {
		{"owns a workspace", func(*scene) ([]string, string, error) { return nil, `{}`, nil }},
		{"owns nothing", func(sc *scene) ([]string, string, error) {
			if sc.caller.Workspace == sc.owner.Workspace {
				return nil, `{}`, nil
			}
			_, err := sc.as(sc.caller.Token, http.MethodDelete, "/v1/admin/workspaces/"+string(sc.caller.Workspace), "")
			return nil, `{}`, err
		}},
	},
	"introspect": {{prepare: func(sc *scene) ([]string, string, error) {
		bot, err := sc.bot()
		return nil, fmt.Sprintf(`{"botId":%q}`, bot), err
	}}},
}
