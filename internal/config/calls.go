package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Calls are the settings of the calls to bots and integrations, and of webhooks.
type Calls struct {
	EgressAllow        string        `name:"egress-allow" env:"BOTYARD_EGRESS_ALLOW" placeholder:"ADDRESSES" help:"Addresses that bots and integrations may run at although they are not on the public internet, such as 10.1.0.0/16,192.168.1.5. With dev, those of this machine are allowed too."`
	CallTimeout        time.Duration `name:"call-timeout" env:"BOTYARD_CALL_TIMEOUT" default:"2m" help:"Longest time for a call to a bot or an integration, also where its own maxExecutionTime is longer. Where it has none, one minute."`
	RegistrationWait   time.Duration `name:"registration-wait" env:"BOTYARD_REGISTRATION_WAIT" default:"10s" help:"Longest time that the update of a bot waits for its integrations to be registered; they are registered all the same. 0 does not wait."`
	TraceCalls         bool          `name:"trace-calls" env:"BOTYARD_TRACE_CALLS" help:"Where requests are traced, tell bots and integrations of the trace that a call to them is part of."`
	WebhookMaxBody     Bytes         `name:"webhook-max-body" env:"BOTYARD_WEBHOOK_MAX_BODY" default:"4MiB" help:"Largest body of a webhook, and of its answer."`
	WebhookConcurrency int           `name:"webhook-concurrency" env:"BOTYARD_WEBHOOK_CONCURRENCY" default:"1024" help:"Most webhooks of one installed integration that are relayed at once; all together can be eight times as many."`
	Tunnels            bool          `name:"tunnels" env:"BOTYARD_TUNNELS" help:"Let whoever reaches this server open tunnels at it, by which 'bp dev' is called. With dev, it does so in any case."`
	WebhookMemory      Bytes         `name:"webhook-memory" env:"BOTYARD_WEBHOOK_MEMORY" default:"256MiB" help:"Most memory that the bodies of webhooks under way can hold, a quarter of it those of one installed integration."`
}

func (c *Calls) checkCalls() error {
	_, err := c.Allowed()
	var memory, body, wait error
	if c.WebhookMaxBody < 1<<10 || c.WebhookMaxBody > 64<<20 {
		body = fmt.Errorf("webhook_max_body is %s; it must be from 1KiB to 64MiB", c.WebhookMaxBody)
	}
	if c.WebhookMemory < 16*c.WebhookMaxBody {
		memory = fmt.Errorf("webhook_memory is %s; it must be at least 16 times webhook_max_body, which is %s", c.WebhookMemory, c.WebhookMaxBody)
	}
	if c.RegistrationWait < 0 || c.RegistrationWait > time.Minute {
		wait = fmt.Errorf("registration_wait is %s; it must be from 0 to 1m", c.RegistrationWait)
	}
	return errors.Join(err, checkPositive("call_timeout", c.CallTimeout), wait, body, checkRange("webhook_concurrency", c.WebhookConcurrency, 1, 100_000), memory)
}

// Allowed is what egress_allow names.
func (c *Calls) Allowed() ([]netip.Prefix, error) { return prefixes("egress_allow", c.EgressAllow) }

// prefixes are the addresses and prefixes of a list that commas divide.
func prefixes(key, list string) (named []netip.Prefix, err error) {
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(item)
		if err != nil {
			ip, notIP := netip.ParseAddr(item)
			if notIP != nil || ip.Zone() != "" {
				return nil, fmt.Errorf("%s has %q; it must name addresses and prefixes, such as 10.1.0.0/16,192.168.1.5", key, item)
			}
			prefix = netip.PrefixFrom(ip, ip.BitLen())
		}
		if ip := prefix.Addr(); ip.Is4In6() {
			return nil, fmt.Errorf("%s has %q, an IPv4 address inside an IPv6 one; write it as %s", key, item, ip.Unmap())
		}
		named = append(named, prefix.Masked())
	}
	return named, nil
}
