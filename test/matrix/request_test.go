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

// aboutPackage is a request whose path names a package of the owner by its id, and
// then by more values.
func aboutPackage(kind, of, body string, more ...string) request {
	return request{prepare: func(sc *scene) ([]string, string, error) {
		packageID, _, err := sc.publish(sc.owner.Token, kind, of)
		return append([]string{packageID}, more...), body, err
	}}
}

// packageNamed is a request whose path names a package of the owner by name and
// version.
func packageNamed(kind, of string) []request {
	return []request{{prepare: func(sc *scene) ([]string, string, error) {
		_, name, err := sc.publish(sc.owner.Token, kind, of)
		return []string{name, "latest"}, "", err
	}}}
}

// newPackage is a request that publishes under the handle of the owner's workspace.
func newPackage(of string) []request {
	return []request{{prepare: func(sc *scene) ([]string, string, error) {
		handle, err := sc.handle()
		return nil, fmt.Sprintf(`{"name":"%s/thing","version":"1.0.0"%s}`, handle, of), err
	}}}
}

// deletedPackage are requests that delete what the owner made, and what the caller
// made; who may make nothing deletes the owner's.
func deletedPackage(kind, of string) []request {
	return []request{
		{"another's", aboutPackage(kind, of, "").prepare},
		{"own", func(sc *scene) ([]string, string, error) {
			packageID, _, err := sc.publish(sc.token, kind, of)
			if err != nil {
				packageID, _, err = sc.publish(sc.owner.Token, kind, of)
			}
			return []string{packageID}, "", err
		}},
	}
}

// aboutIntegration is a request whose body names an integration of the owner.
func aboutIntegration(body string) []request {
	return []request{{prepare: func(sc *scene) ([]string, string, error) {
		of, _, err := sc.publish(sc.owner.Token, "integration", noDefinition)
		return nil, fmt.Sprintf(body, of), err
	}}}
}

// What packages of a kind are made of beside name and version.
const (
	aPlugin      = `,"code":{"node":"n","browser":"b"}`
	aPublicFace  = `,"public":true`
	aPublicPlug  = aPlugin + `,"visibility":"public"`
	aPublicOne   = `,"visibility":"public"`
	anUnlisted   = `,"visibility":"unlisted"`
	noDefinition = ""
)

// requests has those of every operation, by its id.
var requests = gather(coreRequests, lifecycleRequests, usageRequests, telemetryRequests, billingRequests)

// gather puts the areas' requests together; an operation stands in one area.
func gather(areas ...map[string][]request) map[string][]request {
	all := map[string][]request{}
	for _, area := range areas {
		for operation, of := range area {
			if all[operation] != nil {
				panic(operation + " has requests in two areas")
			}
			all[operation] = of
		}
	}
	return all
}

// coreRequests are those of accounts, workspaces, bots and the catalog.
var coreRequests = map[string][]request{
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
	"createInterface":           newPackage(noDefinition),
	"listInterfaces":            plain(""),
	"getInterface":              {aboutPackage("interface", noDefinition, "")},
	"getInterfaceByName":        packageNamed("interface", noDefinition),
	"updateInterface":           {aboutPackage("interface", noDefinition, `{"title":"New"}`)},
	"deleteInterface":           deletedPackage("interface", noDefinition),
	"listPublicInterfaces":      plain(""),
	"getPublicInterfaceById":    {aboutPackage("interface", aPublicFace, "")},
	"getPublicInterface":        packageNamed("interface", aPublicFace),

	"createIntegration":               newPackage(noDefinition),
	"validateIntegrationCreation":     newPackage(noDefinition),
	"listIntegrations":                plain(""),
	"getIntegration":                  {aboutPackage("integration", noDefinition, "")},
	"getIntegrationByName":            packageNamed("integration", noDefinition),
	"updateIntegration":               {aboutPackage("integration", noDefinition, `{"title":"New"}`)},
	"validateIntegrationUpdate":       {aboutPackage("integration", noDefinition, `{"title":"New"}`)},
	"deleteIntegration":               deletedPackage("integration", noDefinition),
	"rotateIntegrationSigningSecrets": {aboutPackage("integration", noDefinition, `{}`)},
	"requestIntegrationVerification":  aboutIntegration(`{"integrationId":%q}`),
	"createIntegrationApiKey":         aboutIntegration(`{"integrationId":%q,"note":"CI"}`),
	"deleteIntegrationApiKey": {{prepare: func(sc *scene) ([]string, string, error) {
		key, _, err := sc.integrationKey()
		return []string{key}, "", err
	}}},
	"listIntegrationApiKeys": {{prepare: func(sc *scene) ([]string, string, error) {
		_, of, err := sc.integrationKey()
		return []string{"?integrationId=" + of}, "", err
	}}},
	"listPublicIntegrations": plain(""),
	"getPublicIntegration":   packageNamed("integration", aPublicOne),
	"getPublicIntegrationById": {
		{"public", aboutPackage("integration", aPublicOne, "").prepare},
		{"unlisted", aboutPackage("integration", anUnlisted, "").prepare},
		{"private", aboutPackage("integration", noDefinition, "").prepare},
	},

	"createPlugin":                    newPackage(aPlugin),
	"listPlugins":                     plain(""),
	"getPlugin":                       {aboutPackage("plugin", aPlugin, "")},
	"getPluginByName":                 packageNamed("plugin", aPlugin),
	"getDereferencedPlugin":           {aboutPackage("plugin", aPlugin, "")},
	"getPluginCode":                   {aboutPackage("plugin", aPlugin, "", "node")},
	"updatePlugin":                    {aboutPackage("plugin", aPlugin, `{"title":"New"}`)},
	"deletePlugin":                    deletedPackage("plugin", aPlugin),
	"listPublicPlugins":               plain(""),
	"getPublicPlugin":                 packageNamed("plugin", aPublicPlug),
	"getPublicPluginCode":             {aboutPackage("plugin", aPublicPlug, "", "node")},
	"getDereferencedPublicPluginById": {aboutPackage("plugin", aPublicPlug, "")},
	"getPublicPluginById": {
		{"public", aboutPackage("plugin", aPublicPlug, "").prepare},
		{"private", aboutPackage("plugin", aPlugin, "").prepare},
	},

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
