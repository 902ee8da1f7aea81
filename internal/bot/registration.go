package bot

import (
	"github.com/botyard/botyard/internal/definition"
)

// Registration is whether an integration knows one of its instances.
type Registration string

// The registrations of the public API. A pending one has a call to come, or its reason
// says what is missing.
const (
	Pending              Registration = "registration_pending"
	Registered           Registration = "registered"
	RegistrationFailed   Registration = "registration_failed"
	UnregisterPending    Registration = "unregistration_pending"
	Unregistered         Registration = "unregistered"
	UnregistrationFailed Registration = "unregistration_failed"
)

// The reasons of pending registrations.
const (
	notCalled    = "The integration was not called yet."
	noURL        = "Nothing runs this integration: it has no url, and this server does not run code. It is registered when the integration is deployed with a url."
	noIdentifier = "The integration has to be authorised first: its configuration needs an identifier."
)

// registration is the instance with its registration after a setup. It is registered
// again when it is switched on, when its settings changed, when the last attempt failed,
// and when the integration itself changed since; it is unregistered when it is switched
// off.
func (i Instance) registration(before Instance, v definition.InstallableIntegration, c definition.IntegrationConfiguration) Instance {
	same := before.Webhook != "" && before.Integration == i.Integration
	become := func(r Registration, reason string, due bool) Instance {
		i.Status, i.StatusReason, i.Due = r, reason, due
		return i
	}
	if before.Webhook != "" && !sharesIdentifiers(before, v) {
		i.Identifier = "" // another integration's
	}
	switch {
	case !i.Enabled && same && !before.Enabled:
		return become(before.Status, before.StatusReason, false)
	case !i.Enabled && same && v.URL != "" && before.known():
		return become(UnregisterPending, notCalled, true)
	case !i.Enabled:
		return become(Unregistered, "", false)
	case same && before.Enabled && before.Status == Registered && !before.Of.UpdatedAt.After(before.UpdatedAt) &&
		equal(before.ConfigurationType, i.ConfigurationType) && string(before.Configuration) == string(i.Configuration):
		return become(Registered, "", false)
	case v.URL == "":
		return become(Pending, noURL, false)
	case c.Identifier.Required && i.Identifier == "":
		return become(Pending, noIdentifier, false)
	}
	return become(Pending, notCalled, true)
}

// sharesIdentifiers says whether an identifier that an instance has is good for a
// version too: the releases of an integration share them, and a development
// integration has its own; see definition.Endpoint.
func sharesIdentifiers(before Instance, v definition.InstallableIntegration) bool {
	return before.Integration == v.ID || before.Of.Name == v.Name && !v.Dev && !before.Integration.Dev()
}

func equal(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

// known says whether the integration may know the instance. A pending one may have been
// registered before; unregistering one that never was does no harm.
func (i Instance) known() bool { return i.Webhook != "" && i.Status != Unregistered }

// leaves says whether an instance that becomes next has to be unregistered first: it is
// switched off, or becomes an instance of another integration. A new version of the
// same integration is only told of what it gets.
func (i Instance) leaves(next Instance, nextName string) bool {
	return i.known() && (i.Enabled && !next.Enabled || i.Of.Name != nextName)
}

// settled says whether no further call will change the registration.
func (r Registration) settled() bool { return r != Pending && r != UnregisterPending }

// deploys says whether an update changes what the bot does, so that it must be told.
func (u Update) deploys() bool {
	return !u.URL.IsZero() || u.Code != nil || len(u.Definition.Members()) > 0 || len(u.Secrets) > 0 || u.installs()
}
