package app

import (
	"net/netip"

	"github.com/botyard/botyard/internal/dispatch"
	"github.com/botyard/botyard/internal/jobs"
)

// callsAtOnce is how many calls of bots and integrations one server makes at once:
// they wait, and cost little more than their connection.
const callsAtOnce = 128

// assembleCalls makes what calls bots and integrations. Bots have it make their
// calls, and it relays webhooks to what bots have installed.
func (a *App) assembleCalls(address func() string) {
	c := a.config.Calls
	a.Dispatch = dispatch.New(dispatch.Options{
		Egress: dispatch.NewEgress(dispatch.EgressOptions{Allowed: a.allowed(), Loopback: a.config.Dev}),
		Clock:  a.Clock, CallTime: c.CallTimeout, Traced: c.TraceCalls, PublicURL: address,
		Load:      dispatch.Load{Body: int64(c.WebhookMaxBody), Calls: c.WebhookConcurrency, Memory: int64(c.WebhookMemory)},
		Instances: a.Bots, Shared: a.Catalog, Scripts: a.Scripts, Quota: a.Meter,
	})
	a.Calls = jobs.New(a.DB, a.Clock, a.Log)
	a.Calls.AtOnce(callsAtOnce)
	a.Bots.Caller, a.Bots.Calls, a.Bots.RegistrationWait = a.Dispatch, a.Calls, c.RegistrationWait
	a.Bots.HandleCalls(a.Calls, c.CallTimeout)
}

// allowed is what calls may reach beside the public internet. The settings were
// checked when they were read.
func (a *App) allowed() []netip.Prefix {
	allowed, _ := a.config.Allowed()
	return allowed
}
