package matrix_test

import "fmt"

// lifecycleRequests are those of what happens to bots: versions, keys, transfer, registration.
var lifecycleRequests = map[string][]request{
	"getBotAllowlist":    aboutBot(""),
	"updateBotAllowlist": aboutBot(`{"setting":"ALL_WORKSPACE_USERS"}`),
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
