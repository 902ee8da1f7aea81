package definition

import "github.com/botyard/botyard/internal/id"

// InstallableIntegration is a version of an integration as bots see it that install
// it.
type InstallableIntegration struct {
	ID            id.Integration
	Name, Version string
	// Dev integrations go into development bots only.
	Dev bool
	// Deprecated ones stay where they are and go nowhere else.
	Deprecated bool
	// URL is where it is called; empty when nothing runs it.
	URL string
	Integration
}

// InstallablePlugin is a version of a plugin as bots see it that install it.
type InstallablePlugin struct {
	ID            id.Plugin
	Name, Version string
	// Deprecated ones stay where they are and go nowhere else.
	Deprecated bool
	Plugin
}
