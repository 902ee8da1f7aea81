package dispatch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/botyard/botyard/internal/fault"
)

// EgressOptions are how calls leave this server.
type EgressOptions struct {
	// Allowed are addresses that may be called although they are not on the public
	// internet.
	Allowed []netip.Prefix
	// Loopback allows the addresses of this machine, as a development server does.
	Loopback bool
	// Resolver finds the addresses of names; nil is the system's.
	Resolver *net.Resolver
}

// Egress is the one HTTP client for calls that leave this server. It follows no
// redirects, ignores proxies set in the environment, keeps no cookies, and connects only
// to addresses that its options allow.
type Egress struct {
	client  *http.Client
	allowed []netip.Prefix
}

// Refused is a call that was not made because of where it would have gone.
type Refused struct {
	Host string
	// Reason is what is wrong with the place, such as "a private address".
	Reason string
}

// Error names the host, never what it resolves to: users see it.
func (r *Refused) Error() string {
	return fmt.Sprintf("%s is %s, which this server does not call", r.Host, r.Reason)
}

// Times and sizes of connections.
const (
	connectTime = 10 * time.Second
	// idleTime is less than the five seconds after which a Node server closes an idle
	// connection, so that no call is sent on one that is about to be closed.
	idleTime   = 3 * time.Second
	maxIdle    = 2048     // connections
	idleOfHost = 1024     // as many as the webhooks of one instance use at a time
	maxHeader  = 64 << 10 // bytes of the headers of an answer
)

// NewEgress makes the client.
func NewEgress(o EgressOptions) *Egress {
	e := &Egress{allowed: o.Allowed}
	if o.Loopback {
		e.allowed = append(append([]netip.Prefix{}, o.Allowed...), loopback...)
	}
	dialer := &net.Dialer{Timeout: connectTime, KeepAlive: 30 * time.Second, Resolver: o.Resolver, Control: e.control}
	e.client = &http.Client{
		Transport: &http.Transport{
			Proxy: nil, DialContext: dialer.DialContext, TLSHandshakeTimeout: connectTime, DisableCompression: true,
			MaxIdleConns: maxIdle, MaxIdleConnsPerHost: idleOfHost, IdleConnTimeout: idleTime, MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return e
}

// control is called with the address of every connection just before it is made, after
// the name was resolved, so the name cannot change in between.
func (e *Egress) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return &Refused{Host: address, Reason: "no address of the internet"}
	}
	if reason := refusal(at.Addr(), e.allowed); reason != "" {
		return &Refused{Host: at.Addr().String(), Reason: reason}
	}
	return nil
}

// check says what is wrong with a url before anything is resolved.
func (e *Egress) check(u *url.URL) error {
	host := u.Hostname()
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || host == "":
		return &Refused{Host: fault.Bounded(u.Scheme + "://" + u.Host), Reason: "no http:// or https:// address"}
	case disguised(host):
		return &Refused{Host: fault.Bounded(host), Reason: "an address in an unusual form"}
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if reason := refusal(ip, e.allowed); reason != "" {
			return &Refused{Host: fault.Bounded(host), Reason: reason}
		}
	}
	return nil
}

// disguised says whether a host is an IPv4 address in a form that only old resolvers
// accept: fewer than four numbers, or octal or hexadecimal ones.
func disguised(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	if last == "" {
		return false
	}
	// No top-level domain is a number, so a host whose last label is one is meant as an
	// address (WHATWG URL, "ends in a number").
	if digits := strings.TrimLeft(last, "0123456789"); digits == "" {
		return true
	}
	lower := strings.ToLower(last)
	hex, found := strings.CutPrefix(lower, "0x")
	return found && strings.Trim(hex, "0123456789abcdef") == ""
}

// Do sends a request and returns once the headers of the answer are there. The caller
// closes the body, and bounds how much of it is read.
func (e *Egress) Do(ctx context.Context, r *http.Request) (*http.Response, error) {
	if err := e.check(r.URL); err != nil {
		return nil, err
	}
	response, err := e.client.Do(r.WithContext(ctx))
	var refused *Refused
	if errors.As(err, &refused) {
		// The name, not what it resolves to: that may be private.
		return nil, &Refused{Host: fault.Bounded(r.URL.Hostname()), Reason: refused.Reason}
	}
	var failed *url.Error
	if errors.As(err, &failed) {
		// It would quote the whole url, whose path and query may be secret, in the log.
		return nil, fmt.Errorf("%s: %w", fault.Bounded(r.URL.Host), failed.Err)
	}
	return response, err
}

// Close closes the connections that are idle.
func (e *Egress) Close() { e.client.CloseIdleConnections() }
