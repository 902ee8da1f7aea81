package wire

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestCaller(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	tests := []struct {
		name      string
		connected string
		forwarded []string
		want      string
	}{
		{"nobody in front", "203.0.113.9:4000", nil, "203.0.113.9:4000"},
		{"a stranger who says who he is", "203.0.113.9:4000", []string{"198.51.100.1"}, "203.0.113.9:4000"},
		{"a proxy", "127.0.0.1:4000", []string{"198.51.100.1"}, "198.51.100.1:0"},
		{"a proxy that says nothing", "127.0.0.1:4000", nil, "127.0.0.1:4000"},
		{"two proxies", "127.0.0.1:4000", []string{"198.51.100.1, 10.1.2.3"}, "198.51.100.1:0"},
		{"two proxies, two headers", "127.0.0.1:4000", []string{"198.51.100.1", "10.1.2.3"}, "198.51.100.1:0"},
		{"a caller behind a proxy who makes up where it comes from", "127.0.0.1:4000", []string{"192.0.2.77, 198.51.100.1"}, "198.51.100.1:0"},
		{"a caller who names a trusted proxy", "127.0.0.1:4000", []string{"10.9.9.9, 198.51.100.1"}, "198.51.100.1:0"},
		{"only proxies", "127.0.0.1:4000", []string{"10.0.0.4, 10.1.2.3"}, "10.0.0.4:0"},
		{"what is no address", "127.0.0.1:4000", []string{"unknown"}, "127.0.0.1:4000"},
		{"what is no address before a proxy", "127.0.0.1:4000", []string{"_hidden, 10.1.2.3"}, "10.1.2.3:0"},
		{"an IPv6 proxy", "[fd00::1]:4000", []string{"2001:db8::7"}, "[2001:db8::7]:0"},
		{"an IPv4 proxy on an IPv6 socket", "[::ffff:10.1.1.1]:4000", []string{"::ffff:198.51.100.1"}, "198.51.100.1:0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = tt.connected
			for _, line := range tt.forwarded {
				r.Header.Add(forwardedHeader, line)
			}
			if got := caller(r, proxies); got != tt.want {
				t.Errorf("caller is %s, want %s", got, tt.want)
			}
		})
	}
	t.Run("no proxy is trusted", func(t *testing.T) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "127.0.0.1:4000"
		r.Header.Set(forwardedHeader, "198.51.100.1")
		if got := caller(r, nil); got != "127.0.0.1:4000" {
			t.Errorf("caller is %s", got)
		}
	})
}
