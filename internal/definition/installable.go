package definition

import "github.com/botyard/botyard/internal/id"

// InstallableIntegration is a version of an integration, for bots that install it.
type InstallableIntegration struct {
	ID            id.Integration
	Name, Version string
	// Dev integrations can be installed in development bots only.
	Dev bool
	// Deprecated ones stay where they are and cannot be newly installed.
	Deprecated bool
	// URL is where it runs; empty when it does not run anywhere.
	URL string
	Integration
}

// InstallablePlugin is a version of a plugin, for bots that install it.
type InstallablePlugin struct {
	ID            id.Plugin
	Name, Version string
	// Deprecated ones stay where they are and cannot be newly installed.
	Deprecated bool
	Plugin
}
