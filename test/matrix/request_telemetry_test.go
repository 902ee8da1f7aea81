package matrix_test

import (
	"context"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// issue has a bot of the owner meet an issue, and answers both.
func (sc *scene) issue() (bot, issue string, err error) {
	if bot, err = sc.bot(); err != nil {
		return "", "", err
	}
	err = sc.DB.Tx(sc.ctx, func(ctx context.Context, tx *db.Tx) error {
		return sc.Telemetry.Report(ctx, tx, id.Workspace(sc.workspace), id.Bot(bot), fault.Issue{Code: "code", Category: fault.Other, Title: "t", Description: "d"})
	})
	if err != nil {
		return "", "", err
	}
	issues, _, err := sc.Telemetry.Issues(sc.ctx, id.Workspace(sc.workspace), id.Bot(bot), db.Page{Size: 1})
	if err != nil {
		return "", "", err
	}
	return bot, string(issues[0].ID), nil
}

// aboutIssue is a request whose path names a bot and an issue of it.
var aboutIssue = []request{{prepare: func(sc *scene) ([]string, string, error) {
	bot, issue, err := sc.issue()
	return []string{bot, issue}, "", err
}}}

// botWith is a request whose path names a bot, and then a query.
func botWith(query string) []request {
	return []request{{prepare: func(sc *scene) ([]string, string, error) {
		bot, err := sc.bot()
		return []string{bot, query}, "", err
	}}}
}

// telemetryRequests are those of logs, activities, issues, action runs and analytics.
var telemetryRequests = map[string][]request{
	"listBotIssues":      aboutBot(""),
	"getBotIssue":        aboutIssue,
	"deleteBotIssue":     aboutIssue,
	"listBotIssueEvents": aboutIssue,
	"getBotAnalytics":    botWith("?startDate=2026-01-01&endDate=2026-01-02"),
	"listActionRuns":     botWith("?integrationName=mail"),
	"listActivities": {{prepare: func(sc *scene) ([]string, string, error) {
		bot, err := sc.bot()
		return []string{"?taskId=task&botId=" + bot}, "", err
	}}},
	"getBotLogs": {{prepare: func(sc *scene) ([]string, string, error) {
		bot, err := sc.bot()
		return []string{bot, "?timeStart=2026-01-01"}, "", err
	}}},
	"getIntegrationLogs": {{prepare: func(sc *scene) ([]string, string, error) {
		integration, _, err := sc.publish(sc.owner.Token, "integration", noDefinition)
		return []string{integration, "?timeStart=2026-01-01"}, "", err
	}}},
}
