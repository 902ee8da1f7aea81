package telemetry

import "github.com/botyard/botyard/internal/wire"

// Mount registers the operations and routes of telemetry.
func Mount(m *wire.Mux, s *Service) {
	mountIngest(m, s)
	mountLogs(m, s)
}
