package telemetry

import "github.com/botyard/botyard/internal/wire"

// Mount registers the operations and routes of telemetry.
func Mount(m *wire.Mux, s *Service) {
	mountIngest(m, s)
	mountLogs(m, s)
	mountIssues(m, s)
	mountAnalytics(m, s)
	mountActivities(m, s)
	mountTail(m, s)
	mountOTLP(m, s)
}
