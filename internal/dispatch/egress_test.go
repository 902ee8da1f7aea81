package dispatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func get(t *testing.T, e *Egress, address string) (*http.Response, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	return e.Do(ctx, r)
}

// refusedWith fails the test unless an address is refused for a reason, which the
// error tells.
func refusedWith(t *testing.T, e *Egress, address, reason string) {
	t.Helper()
	answer, err := get(t, e, address)
	if err == nil {
		answer.Body.Close()
		t.Fatalf("%s was called", address)
	}
	var refused *Refused
	if !errors.As(err, &refused) || refused.Reason != reason || !strings.Contains(err.Error(), reason) {
		t.Errorf("%s: %v, want a refusal because it is %s", address, err, reason)
	}
}

// far is a server on this machine, which nothing but a loopback address leads to.
func far(t *testing.T) (port string, called *atomic.Int64) {
	t.Helper()
	called = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { called.Add(1) }))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port(), called
}

func TestEgressRefusesAddresses(t *testing.T) {
	port, called := far(t)
	e := NewEgress(EgressOptions{})
	for host, reason := range map[string]string{
		"127.0.0.1": "a loopback address", "127.8.9.10": "a loopback address", "[::1]": "a loopback address",
		"10.0.0.1": "a private address", "172.16.0.1": "a private address", "172.31.255.255": "a private address",
		"192.168.1.1": "a private address", "[fd12:3456::1]": "a private address", "[fc00::1]": "a private address", "[fec0::1]": "a private address",
		"169.254.169.254": "a link-local address", "[fe80::1]": "a link-local address", "[fe80::1%25lo]": "a link-local address",
		"168.63.129.16": "a cloud provider's internal address",
		"100.64.0.1":    "a carrier's private address", "100.127.255.254": "a carrier's private address",
		"0.0.0.0": "an unspecified address", "0.1.2.3": "an unspecified address", "[::]": "an unspecified address",
		"224.0.0.1": "a multicast address", "239.1.1.1": "a multicast address", "[ff02::1]": "a multicast address",
		"255.255.255.255": "a reserved address", "240.0.0.1": "a reserved address", "192.0.0.1": "a reserved address",
		"198.18.0.1": "a reserved address", "203.0.113.9": "a reserved address", "[2001:db8::1]": "a reserved address",
		"[2001::1]": "a reserved address", "[64:ff9b:1::1]": "a reserved address", "[100::1]": "a reserved address",
		// IPv6 that leads to IPv4: mapped, compatible, NAT64, 6to4.
		"[::ffff:127.0.0.1]": "a loopback address", "[::ffff:7f00:1]": "a loopback address", "[::ffff:10.0.0.1]": "a private address",
		"[::127.0.0.1]": "a loopback address", "[::a9fe:a9fe]": "a link-local address",
		"[64:ff9b::7f00:1]": "a loopback address", "[64:ff9b::169.254.169.254]": "a link-local address",
		"[2002:7f00:1::]": "a loopback address", "[2002:c0a8:101::1]": "a private address",
		// Forms that only old resolvers take.
		"2130706433": "an address in an unusual form", "0x7f000001": "an address in an unusual form", "0x7F.1": "an address in an unusual form",
		"017700000001": "an address in an unusual form", "0177.0.0.1": "an address in an unusual form", "127.1": "an address in an unusual form",
		"127.0.1": "an address in an unusual form", "127.0.0.01": "an address in an unusual form", "127.0.0.0x1": "an address in an unusual form",
		"0": "an address in an unusual form", "127.0.0.1.": "an address in an unusual form", "999.999.999.999": "an address in an unusual form",
		"localhost": "a loopback address",
	} {
		refusedWith(t, e, "http://"+host+":"+port+"/", reason)
		if !strings.Contains(host, "%25") {
			refusedWith(t, e, "https://user:password@"+host+":"+port+"/", reason)
		}
	}
	for _, address := range []string{"ftp://example.com/", "file:///etc/passwd", "gopher://127.0.0.1/"} {
		refusedWith(t, e, address, "no http:// or https:// address")
	}
	if n := called.Load(); n != 0 {
		t.Errorf("the server was called %d times", n)
	}
}

func TestRefusal(t *testing.T) {
	for _, public := range []string{"1.1.1.1", "8.8.8.8", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0", "169.253.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"} {
		if reason := refusal(netip.MustParseAddr(public), nil); reason != "" {
			t.Errorf("%s is refused as %s", public, reason)
		}
	}
	allowed := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/64")}
	for ip, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false, "fd00::5": true, "fd00:1::5": false, "127.0.0.1": false} {
		if reason := refusal(netip.MustParseAddr(ip), allowed); (reason == "") != want {
			t.Errorf("%s: refused %q, want allowed %v", ip, reason, want)
		}
	}
}

// Every address inside a special range is refused, whichever IPv6 form leads to it.
func FuzzRefusal(f *testing.F) {
	f.Add([]byte{127, 0, 0, 1})
	f.Add([]byte{10, 0, 0, 1})
	f.Add([]byte{8, 8, 8, 8})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != 4 {
			return
		}
		v4 := netip.AddrFrom4([4]byte(b))
		plain := refusal(v4, nil)
		for _, form := range []string{"::ffff:%s", "64:ff9b::%s"} {
			ip := netip.MustParseAddr(fmt.Sprintf(form, v4))
			if got := refusal(ip, nil); got != plain {
				t.Errorf("%s is refused as %q, %s as %q", v4, plain, ip, got)
			}
		}
		if got := refusal(netip.MustParseAddr(fmt.Sprintf("2002:%02x%02x:%02x%02x::1", b[0], b[1], b[2], b[3])), nil); got != plain {
			t.Errorf("%s is refused as %q, in 6to4 as %q", v4, plain, got)
		}
	})
}

// names is a DNS server of the test's own: it answers the questions for a name with
// one address after the other, and the last one from then on.
func names(t *testing.T, answers ...string) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	var asked atomic.Int64
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Authoritative, m.Additionals = true, true, nil
			q := m.Questions[0]
			if q.Type == dnsmessage.TypeA {
				at := min(int(asked.Add(1))-1, len(answers)-1)
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
					Body:   &dnsmessage.AResource{A: netip.MustParseAddr(answers[at]).As4()},
				}}
			}
			packed, err := m.Pack()
			if err == nil {
				_, _ = server.WriteTo(packed, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// A name that first leads to a public address and then to this machine is refused
// when it does: what was looked at before is not what is connected to.
func TestEgressRefusesRebinding(t *testing.T) {
	port, called := far(t)
	e := NewEgress(EgressOptions{Resolver: names(t, "192.0.2.1", "10.9.8.7", "127.0.0.1")})
	refusedWith(t, e, "http://rebinding.example.com:"+port+"/", "a reserved address")
	refusedWith(t, e, "http://rebinding.example.com:"+port+"/", "a private address")
	refusedWith(t, e, "http://rebinding.example.com:"+port+"/", "a loopback address")
	if n := called.Load(); n != 0 {
		t.Errorf("the server was called %d times", n)
	}

	// A connection that was allowed is kept; the name is looked at again for the next.
	e = NewEgress(EgressOptions{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Resolver: names(t, "127.0.0.1", "127.0.0.2")})
	answer, err := get(t, e, "http://rebinding.example.com:"+port+"/")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	e.Close()
	refusedWith(t, e, "http://rebinding.example.com:"+port+"/", "a loopback address")
	if n := called.Load(); n != 1 {
		t.Errorf("the server was called %d times", n)
	}
}

// What goes wrong on the way is told, and logged, without the path and the query of the
// url: those may be secret.
func TestEgressErrorsTellNoURL(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	e := NewEgress(EgressOptions{Loopback: true, Resolver: names(t, "127.0.0.1")})
	for _, address := range []string{closed.URL, "ftp://example.com", "http://10.0.0.1"} {
		_, err := get(t, e, address+"/s3cret/path?token=s3cret")
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// What a refusal says of a name is its kind of address, not the address.
func TestRefusalTellsNoAddress(t *testing.T) {
	e := NewEgress(EgressOptions{Resolver: names(t, "10.77.66.55")})
	_, err := get(t, e, "http://internal.example.com/")
	if err == nil || strings.Contains(err.Error(), "10.77") || !strings.Contains(err.Error(), "internal.example.com") {
		t.Error(err)
	}
}

func TestEgressFollowsNoRedirect(t *testing.T) {
	port, called := far(t)
	redirect := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:"+port+"/", http.StatusFound))
	t.Cleanup(redirect.Close)
	answer, err := get(t, NewEgress(EgressOptions{Loopback: true}), redirect.URL)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusFound || called.Load() != 0 {
		t.Errorf("answered %d after %d calls of the place that it leads to", answer.StatusCode, called.Load())
	}
}

func TestEgressUsesNoProxy(t *testing.T) {
	port, called := far(t)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:"+port)
	}
	e := NewEgress(EgressOptions{Resolver: names(t, "10.0.0.1")})
	refusedWith(t, e, "http://example.com/", "a private address")
	if n := called.Load(); n != 0 {
		t.Errorf("the proxy was called %d times", n)
	}
}
