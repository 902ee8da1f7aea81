package dispatch

import (
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// Where webhooks are.
const (
	webhookPath = "/webhook/"
	globalPath  = "integration/global/"
	oauthPath   = "oauth"
)

// routeTime is how much longer than a call the route of a webhook may take: the body
// of its caller has to arrive, and scripts may run.
const routeTime = 30 * time.Second

// Mount adds the routes below /webhook:
//
//	/webhook/{webhookId}/…               to the instance of the webhook
//	/webhook/oauth/…?state={webhookId}   to the instance of the webhook
//	/webhook/integration/global/{name}/… to the instance that the integration's script finds
//
// callTime is the longest that a call can take.
func Mount(m *wire.Mux, s *Service, callTime time.Duration) {
	m.Open(wire.Route{Name: "webhook", Pattern: webhookPath + "*", Time: callTime + routeTime}, s.serve)
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request) error {
	rest := strings.TrimPrefix(r.URL.EscapedPath(), webhookPath)
	in := incoming{method: r.Method, query: r.URL.RawQuery, headers: kept(r)}
	var out answered
	var err error
	if name, global := strings.CutPrefix(rest, globalPath); global {
		out, err = s.serveGlobal(r, name, in)
	} else {
		first, behind, deeper := strings.Cut(rest, "/")
		webhook := id.Webhook(first)
		in.path = "/" + behind
		if first == oauthPath {
			// What an authorisation server sends back holds the webhook as its state.
			webhook, in.path = id.Webhook(r.URL.Query().Get("state")), "/"+oauthPath
			if deeper {
				in.path += "/" + behind
			}
		}
		out, err = s.relay(r.Context(), webhook, in, s.bodyOf(r))
	}
	if err != nil {
		return err
	}
	return relayed(w, out)
}

// relayed answers what the far side answered.
func relayed(w http.ResponseWriter, out answered) (err error) {
	copyHeader(w.Header(), out.header)
	w.WriteHeader(out.status)
	if out.status != http.StatusNoContent && out.status != http.StatusNotModified {
		_, err = w.Write(out.body)
	}
	return err
}

// serveGlobal answers a call that names an integration and not one of its instances.
// Its body is needed to find the instance, so it counts as the integration's own
// until then.
func (s *Service) serveGlobal(r *http.Request, name string, in incoming) (answered, error) {
	shared, path, err := s.addressee(r.Context(), name)
	if err != nil {
		return answered{}, err
	}
	in.path = path
	memory, err := s.load.begin(id.Webhook(globalPath + shared.Scope))
	if err != nil {
		return answered{}, err
	}
	body, err := s.bodyOf(r)(memory)
	if err != nil {
		memory.end()
		return answered{}, err
	}
	in.body, in.hasBody = body, len(body) > 0
	webhook, other, err := s.route(r.Context(), shared, in, memory)
	memory.end()
	if err != nil || webhook == "" {
		return other, err
	}
	return s.relay(r.Context(), webhook, in, func(memory *lease) ([]byte, error) {
		if memory.grow(int64(len(body))) != nil {
			return nil, full()
		}
		return body, nil
	})
}

// bodyOf reads the body of a call from outside.
func (s *Service) bodyOf(r *http.Request) func(*lease) ([]byte, error) {
	return func(memory *lease) ([]byte, error) {
		body, err := readAll(r.Body, r.ContentLength, s.load.Body, memory)
		var tooLarge *tooLargeError
		switch {
		case errors.As(err, &tooLarge):
			return nil, fault.New(fault.PayloadTooLarge, "The body is larger than the limit of %d bytes for relayed calls.", s.load.Body)
		case errors.Is(err, errFull):
			return nil, full()
		case err != nil:
			return nil, fault.New(fault.InvalidPayload, "The body was cut off, or did not arrive in time. Nothing was relayed; send it again.").Because(err)
		case !utf8.Valid(body):
			return nil, fault.New(fault.UnsupportedMediaType, "The body is not UTF-8 text, and integrations receive bodies as text. Send it as text, uncompressed.")
		}
		return body, nil
	}
}
