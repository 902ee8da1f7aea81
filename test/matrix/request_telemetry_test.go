package matrix_test

// telemetryRequests are those of logs, activities, issues, action runs and analytics.
var telemetryRequests = map[string][]request{}
