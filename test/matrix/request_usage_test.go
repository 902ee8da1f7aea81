package matrix_test

// usageRequests are those of usage and quotas.
var usageRequests = map[string][]request{
	"getUsage": ofWorkspace("?type=bot_count"),
	"getMultipleUsages": {{prepare: func(sc *scene) ([]string, string, error) {
		return []string{"?types=ai_spend&ids=" + sc.workspace}, "", nil
	}}},
	"listUsageHistory":               ofWorkspace("?type=ai_spend"),
	"listUsageActivity":              ofWorkspace("?type=ai_spend"),
	"listUsageActivityDaily":         ofWorkspace("?type=ai_spend"),
	"listWorkspaceUsages":            ofWorkspace("?type=ai_spend"),
	"breakDownWorkspaceUsageByBot":   ofWorkspace("?type=ai_spend"),
	"getAllWorkspaceQuotaCompletion": plain(""),
	"getWorkspaceQuota":              ofWorkspace("?type=ai_spend"),
	"listWorkspaceQuotas":            ofWorkspace("?period=2026-01"),
	"changeAISpendQuota":             plain(`{"monthlySpendingLimit":12.5}`),
	"getQuotas":                      plain(""),
	"getWorkspaceUsage":              plain("", "?feature=bot_count&period=2026-01-01T00:00:00Z"),
	"getWorkspaceUsages":             plain("", "?period=2026-01-01T00:00:00Z"),
}

// ofWorkspace is a request whose path names the workspace, with a query.
func ofWorkspace(query string) []request {
	return []request{{prepare: func(sc *scene) ([]string, string, error) { return []string{sc.workspace, query}, "", nil }}}
}
