package matrix_test

// telemetryRequests are those of logs, activities, issues, action runs and analytics.
var telemetryRequests = map[string][]request{
	"getBotLogs": {{prepare: func(sc *scene) ([]string, string, error) {
		bot, err := sc.bot()
		return []string{bot, "?timeStart=2026-01-01"}, "", err
	}}},
	"getIntegrationLogs": {{prepare: func(sc *scene) ([]string, string, error) {
		integration, _, err := sc.publish(sc.owner.Token, "integration", noDefinition)
		return []string{integration, "?timeStart=2026-01-01"}, "", err
	}}},
}
