package dispatch

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

// tunnelPath is the address of a tunnel, as the bp command line makes it: a random
// UUID directly below the host, which is all that keeps strangers from calling it.
const tunnelPath = "/{tunnel:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}}"

// MountTunnels adds the addresses of tunnels:
//
//	/{uuid}   with an upgrade to a web socket, opens the tunnel
//	/{uuid}/… is asked through it
//
// Nobody shows who they are, in the protocol of the official command line. callTime is
// the longest that a call can take.
func MountTunnels(m *wire.Mux, s *Service, callTime time.Duration) {
	for _, pattern := range []string{tunnelPath, tunnelPath + "/*"} {
		m.Open(wire.Route{Name: operationTunnel, Pattern: pattern, Time: callTime + routeTime}, s.serveTunnel)
	}
}

func (s *Service) serveTunnel(w http.ResponseWriter, r *http.Request) error {
	name, rest, deeper := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	if !deeper && r.Header.Get("Upgrade") != "" {
		return s.openTunnel(w, r, name)
	}
	memory, err := s.load.begin(tunnelLoad(name))
	if err != nil {
		return err
	}
	defer memory.end()
	in := incoming{method: r.Method, path: "/" + rest, query: r.URL.RawQuery, headers: kept(r)}
	// The far end packs and counts the body anew, and unpacks what it is answered.
	delete(in.headers, "content-length")
	delete(in.headers, "accept-encoding")
	if in.body, err = s.bodyOf(r)(memory); err != nil {
		return err
	}
	in.hasBody = len(in.body) > 0
	ctx, cancel := context.WithTimeout(r.Context(), s.CallTime)
	defer cancel()
	started := clock.Start()
	out, err := s.through(ctx, name, in, memory)
	s.metrics.observe(operationTunnel, err, started.Elapsed())
	if err != nil {
		return err
	}
	return relayed(w, out)
}

// openTunnel makes a web socket of a request, and serves it until it ends. Pages of
// other origins may not: they would make this server answer in their name.
func (s *Service) openTunnel(w http.ResponseWriter, r *http.Request, name string) error {
	header := r.Header
	if r.Method != http.MethodGet || !strings.EqualFold(header.Get("Upgrade"), "websocket") || header.Get("Sec-Websocket-Key") == "" || header.Get("Sec-Websocket-Version") != "13" {
		return fault.New(fault.InvalidPayload, "A tunnel is opened by a GET request that upgrades to a web socket of version 13.")
	}
	if header.Get("Origin") != "" {
		return fault.New(fault.Forbidden, "A tunnel is opened by a program, such as \"bp dev\", not by a web page.")
	}
	t := newTunnel()
	if err := s.tunnels.enter(r.Context(), name, t); err != nil {
		return err
	}
	// From here on the connection is not HTTP's: its handshake is answered as it is,
	// and errors are told by closing it.
	var err error
	if t.conn, err = websocket.Accept(wire.Take(w, http.StatusSwitchingProtocols), r, nil); err != nil {
		s.tunnels.leave(name, t)
		return nil //nolint:nilerr // Accept has answered it
	}
	close(t.ready)
	end := s.hold(context.WithoutCancel(r.Context()), name, t)
	// The tunnel has ended, whether the far end hears why or not.
	_ = t.conn.Close(end.code, end.reason)
	return nil
}
