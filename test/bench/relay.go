package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"
)

// relay is the yardstick of webhooks: Go's own reverse proxy before one far side, in a
// process of its own. It is what a hop costs that reads no database, wraps nothing,
// signs nothing and bounds nothing. It ends with ctx.
func relay(ctx context.Context, arguments []string) error {
	if len(arguments) != 2 {
		return errors.New("wanted the address to listen on and the url of the far side")
	}
	to, err := url.Parse(arguments[1])
	if err != nil {
		return fmt.Errorf("the url of the far side: %w", err)
	}
	routes := http.NewServeMux()
	routes.Handle("/", &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport: &http.Transport{MaxIdleConnsPerHost: webhookCallers, DisableCompression: true},
	})
	routes.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	web := &http.Server{Addr: arguments[0], Handler: routes, ReadHeaderTimeout: time.Minute}
	go func() {
		<-ctx.Done()
		_ = web.Close() // nobody waits for an answer any more
	}()
	if err := web.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// relayProgram is this program as a relay to url.
func relayProgram(url, processors string) (program, error) {
	binary, err := os.Executable()
	return program{
		name:       "Go's reverse proxy",
		binary:     binary,
		arguments:  func(address, _ string) []string { return []string{"relay", address, url} },
		readiness:  "/readyz",
		processors: processors,
	}, err
}
