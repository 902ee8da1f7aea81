package wire

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// forwardedHeader is the header to whose end each proxy appends the address of its caller.
const forwardedHeader = "X-Forwarded-For"

// caller is the address that a request comes from: that of the connection, unless it is a
// trusted proxy. Then it is the last address in X-Forwarded-For that is not a trusted proxy
// itself. Those before it are the caller's own claims: if they counted, every request could
// have a rate limit of its own.
func caller(r *http.Request, proxies []netip.Prefix) string {
	connected, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !among(proxies, connected.Addr()) {
		return r.RemoteAddr
	}
	last := r.RemoteAddr
	hops := strings.Split(strings.Join(r.Header.Values(forwardedHeader), ","), ",")
	for _, hop := range slices.Backward(hops) {
		ip, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		last = net.JoinHostPort(ip.Unmap().String(), "0")
		if !among(proxies, ip) {
			break
		}
	}
	return last
}

func among(prefixes []netip.Prefix, ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(ip) })
}
