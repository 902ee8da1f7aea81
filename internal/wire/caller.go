package wire

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// forwardedHeader is what proxies add the address of who called them to, each at
// its end.
const forwardedHeader = "X-Forwarded-For"

// caller is the address that a request comes from: who connected, unless that is a
// trusted proxy. Then it is the last one in X-Forwarded-For that is no trusted proxy
// itself. What stands before it was written by the caller, who may write anything:
// taken, it would give every request a rate of its own.
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
