package matrix_test

import (
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"
)

// lifecycleRequests are those of what happens to bots: versions, keys, transfer, registration.
var lifecycleRequests = map[string][]request{
	"createBotVersion": aboutBot(`{"name":"first"}`),
	"listBotVersions":  aboutBot(""),
	"getBotVersion":    aboutVersion(func(bot, version string) ([]string, string) { return []string{bot, version}, "" }),
	"deployBotVersion": aboutVersion(func(bot, version string) ([]string, string) {
		return []string{bot}, fmt.Sprintf(`{"versionId":%q}`, version)
	}),
	"getBotJson":         aboutBot(""),
	"publishFromBotJson": {{prepare: botJSON}},
	"transferBot": {{prepare: func(sc *scene) ([]string, string, error) {
		bot, err := sc.bot()
		if err != nil {
			return nil, "", err
		}
		to, err := sc.otherWorkspace()
		return []string{bot}, fmt.Sprintf(`{"targetWorkspaceId":%q}`, to), err
	}}},
	"rotateBotSigningSecrets":      aboutBot(`{}`),
	"getBotWebchat":                aboutWebchat("", "?type=configurable"),
	"createIntegrationShareableId": aboutInstance(`{}`),
	"getIntegrationShareableId":    aboutInstance(""),
	"deleteIntegrationShareableId": aboutInstance(`{}`),
	"unlinkSandboxedConversations": aboutInstance(`{}`),
	"getBotAllowlist":              aboutBot(""),
	"updateBotAllowlist":           aboutBot(`{"setting":"ALL_WORKSPACE_USERS"}`),
	"createBotApiKey": {{prepare: func(sc *scene) ([]string, string, error) {
		bot, err := sc.bot()
		return nil, fmt.Sprintf(`{"botId":%q,"note":"n"}`, bot), err
	}}},
	"listBotApiKeys": {{prepare: func(sc *scene) ([]string, string, error) {
		bot, err := sc.bot()
		return []string{"?botId=" + bot}, "", err
	}}},
	"deleteBotApiKey": {{prepare: func(sc *scene) ([]string, string, error) {
		key, _, err := sc.botKeyOf()
		return []string{key}, "", err
	}}},
}

// aboutVersion is a request about a saved version of a bot of the owner.
func aboutVersion(put func(bot, version string) (path []string, body string)) []request {
	return []request{{prepare: func(sc *scene) ([]string, string, error) {
		bot, err := sc.bot()
		if err != nil {
			return nil, "", err
		}
		answer, err := sc.asOwner(http.MethodPost, "/v1/admin/bots/"+bot+"/versions", `{"name":"first"}`)
		if err != nil {
			return nil, "", err
		}
		path, body := put(bot, answer["version"].(map[string]any)["id"].(string))
		return path, body, nil
	}}}
}

// botJSON publishes a bot of the owner from what it is.
func botJSON(sc *scene) ([]string, string, error) {
	bot, err := sc.bot()
	if err != nil {
		return nil, "", err
	}
	archive, err := sc.asOwner(http.MethodGet, "/v1/admin/bots/"+bot+"/bot-json", "")
	if err != nil {
		return nil, "", err
	}
	body, err := json.Marshal(map[string]any{"botJson": archive})
	return []string{bot}, string(body), err
}

// aboutInstance is a request whose path names a bot of the owner and an integration
// that is installed in it and has a shareable id.
func aboutInstance(body string) []request {
	return []request{{prepare: func(sc *scene) ([]string, string, error) {
		bot, integration, err := sc.botWith("")
		if err != nil {
			return nil, "", err
		}
		_, err = sc.asOwner(http.MethodPost, "/v1/admin/bots/"+bot+"/integrations/"+integration+"/shareable-id", `{}`)
		return []string{bot, integration}, body, err
	}}}
}

// aboutWebchat is a request whose path names a bot of the owner that has a webchat.
func aboutWebchat(body, query string) []request {
	return []request{{prepare: func(sc *scene) ([]string, string, error) {
		bot, _, err := sc.botWith(webchat)
		return []string{bot, query}, body, err
	}}}
}
