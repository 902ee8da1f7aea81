package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/test/bench/load"
)

// How webhooks are measured: so many callers of one instance, whose integration takes
// its time to answer, as it would.
const (
	webhookCallers = 1000
	webhookThought = time.Second
	webhookWindow  = 6 * time.Second
	webhookBody    = 1000 // bytes
	// hangingCallers and hangingBody are the calls that come while the integration
	// hangs.
	hangingCallers = 3000
	hangingBody    = 64 << 10
)

// Targets of the webhooks section.
const (
	shareTarget = 5 * time.Millisecond
	// hangingTarget bounds what a hanging integration costs in memory: a quarter of
	// the 256 MiB that bodies may take, as much again that is not collected yet, and
	// 64 KiB for every connection.
	hangingTarget = 128<<20 + hangingCallers*(64<<10)
)

// webhookFigures is how webhooks are relayed.
type webhookFigures struct {
	relayed, lost int
	// p50 and p99 are of what a call took beyond the time of its integration.
	p50, p99 time.Duration
	// bare is p99 of the same calls made to the integration itself.
	bare time.Duration
	// idle and peak are bytes; admitted and refused are calls while it hung.
	idle, peak        int64
	admitted, refused int
}

// farSide is the integration: it says how long each call was with it.
type farSide struct {
	url     string
	hanging atomic.Bool
	release chan struct{}
	waiting atomic.Int64
}

func (f *farSide) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	_, _ = io.Copy(io.Discard, r.Body) // a call that breaks off is counted by its caller
	if r.Header.Get("x-bp-operation") == "register" {
		_, _ = io.WriteString(w, "{}")
		return
	}
	if f.hanging.Load() {
		f.waiting.Add(1)
		<-f.release
	} else {
		time.Sleep(webhookThought)
	}
	_, _ = io.WriteString(w, strconv.FormatInt(int64(time.Since(began)), 10))
}

// webhooks measures the relay of webhooks.
func (b *bed) webhooks(ctx context.Context) (figures webhookFigures, err error) {
	far := &farSide{release: make(chan struct{})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return figures, err
	}
	web := &http.Server{Handler: far, ReadHeaderTimeout: time.Minute}
	go func() { _ = web.Serve(listener) }() // it ends by Close
	defer web.Close()
	far.url = "http://" + listener.Addr().String()

	program := b.botyard
	program.environment = append(slices.Clone(program.environment), "BOTYARD_DEV=true")
	s, _, err := start(ctx, program, b.path("webhooks"))
	if err != nil {
		return figures, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	path, err := b.webhook(ctx, s.address, far.url)
	if err != nil {
		return figures, err
	}

	progress("webhooks: %d callers of an integration that takes %s", webhookCallers, webhookThought)
	bare, _, err := far.load(ctx, listener.Addr().String(), "/")
	if err != nil {
		return figures, err
	}
	figures.bare = bare[len(bare)*99/100]
	shares, lost, err := far.load(ctx, s.address, path)
	if err != nil {
		return figures, err
	}
	figures.relayed, figures.lost = len(shares), lost
	figures.p50, figures.p99 = shares[len(shares)/2], shares[len(shares)*99/100]

	progress("webhooks: %d callers of an integration that hangs", hangingCallers)
	if figures.idle, err = s.residentBytes(); err != nil {
		return figures, err
	}
	if figures.admitted, figures.refused, err = far.hang(ctx, "http://"+s.address+path, func() error {
		figures.peak, err = s.peakBytes()
		return err
	}); err != nil {
		return figures, err
	}
	return figures, nil
}

// webhook installs an integration at url in a bot and answers the path of its webhook.
func (b *bed) webhook(ctx context.Context, address, url string) (string, error) {
	ask := func(method, path, workspace, body string, out any) error {
		header := []string{"Authorization: Bearer " + b.identity.token}
		if workspace != "" {
			header = append(header, "x-workspace-id: "+workspace, "x-multiple-integrations: true")
		}
		connection, err := load.Dial(ctx, address)
		if err != nil {
			return err
		}
		defer connection.Close()
		var text bytes.Buffer
		if _, err := connection.Exchange(load.Request{Method: method, Path: path, Header: header, Body: []byte(body)}.Bytes(address), &text); err != nil {
			return err
		}
		return json.Unmarshal(text.Bytes(), out)
	}
	workspace, err := createWorkspace(ctx, address, b.identity.token, "Webhooks")
	if err != nil {
		return "", err
	}
	type named struct {
		ID           string `json:"id"`
		Integrations map[string]struct {
			WebhookID string `json:"webhookId"`
			Status    string `json:"status"`
		} `json:"integrations"`
	}
	var made struct {
		Bot         named `json:"bot"`
		Integration named `json:"integration"`
	}
	if err := errors.Join(
		ask("PUT", "/v1/admin/workspaces/"+workspace, workspace, `{"handle":"bench-webhooks"}`, &struct{}{}),
		ask("POST", "/v1/admin/integrations", workspace, `{"name":"bench-webhooks/slow","version":"1.0.0","url":"`+url+`"}`, &made),
		ask("POST", "/v1/admin/bots", workspace, `{}`, &made),
	); err != nil {
		return "", err
	}
	if err := ask("PUT", "/v1/admin/bots/"+made.Bot.ID, workspace, `{"integrations":{"one":{"integrationId":"`+made.Integration.ID+`"}}}`, &made); err != nil {
		return "", err
	}
	one := made.Bot.Integrations["one"]
	if one.Status != "registered" {
		return "", fmt.Errorf("the integration is %q", one.Status)
	}
	return "/webhook/" + one.WebhookID, nil
}

// load calls path from every caller at once, for the window, and answers by how much
// each call took longer than the integration says, sorted, and how many had no answer.
func (f *farSide) load(ctx context.Context, address, path string) (shares []time.Duration, lost int, err error) {
	request := load.Request{Method: "POST", Path: path, Body: []byte(`{"text":"` + strings.Repeat("x", webhookBody) + `"}`)}.Bytes(address)
	connections := make([]*load.Connection, webhookCallers)
	for n := range connections {
		if connections[n], err = load.Dial(ctx, address); err != nil {
			return nil, 0, err
		}
		defer connections[n].Close()
	}
	begin := time.Now()
	end := begin.Add(webhookWindow)
	var mu sync.Mutex
	var all sync.WaitGroup
	for n, connection := range connections {
		all.Go(func() {
			// Callers come evenly over the time that one call takes.
			time.Sleep(webhookThought * time.Duration(n) / webhookCallers)
			for time.Now().Before(end) {
				var text bytes.Buffer
				began := time.Now()
				_, err := connection.Exchange(request, &text)
				took := time.Since(began)
				far, notNumber := strconv.ParseInt(text.String(), 10, 64)
				mu.Lock()
				switch {
				case err != nil || notNumber != nil:
					lost++
				case began.Sub(begin) > webhookThought: // what comes before warms up
					shares = append(shares, took-time.Duration(far))
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	all.Wait()
	if len(shares) == 0 {
		return nil, lost, errors.New("no webhook was answered")
	}
	slices.Sort(shares)
	return shares, lost, nil
}

// hang has the integration hang, calls it, looks when all that can be is under way,
// and answers how many calls were relayed in the end, and how many refused.
func (f *farSide) hang(ctx context.Context, url string, look func() error) (admitted, refused int, err error) {
	f.hanging.Store(true)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: hangingCallers, DisableCompression: true}}
	defer client.CloseIdleConnections()
	body := bytes.Repeat([]byte("x"), hangingBody)
	var relayed, turned, failed atomic.Int64
	var all sync.WaitGroup
	for range hangingCallers {
		all.Go(func() {
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
			if err != nil {
				failed.Add(1)
				return
			}
			answer, err := client.Do(r)
			if err != nil {
				failed.Add(1)
				return
			}
			_, _ = io.Copy(io.Discard, answer.Body) // its status says all
			_ = answer.Body.Close()
			switch answer.StatusCode {
			case http.StatusOK:
				relayed.Add(1)
			case http.StatusTooManyRequests:
				turned.Add(1)
			default:
				failed.Add(1)
			}
		})
	}
	for range 600 {
		if f.waiting.Load()+turned.Load()+failed.Load() >= hangingCallers {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	err = look()
	close(f.release)
	all.Wait()
	if n := failed.Load(); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d calls of an integration that hangs had another answer than 200 and 429", n))
	}
	return int(relayed.Load()), int(turned.Load()), err
}

// writeWebhooks prints the figures.
func (r *report) writeWebhooks(b *strings.Builder) {
	const megabyte = 1_000_000
	f := r.webhooks
	fmt.Fprintf(b, "%d callers at once of one instance, whose integration takes %s a call; our share is what a call took beyond that.\n\n", webhookCallers, webhookThought)
	b.WriteString("| | figure | target |\n|---|--:|--:|\n")
	fmt.Fprintf(b, "| calls relayed | %d | |\n", f.relayed)
	fmt.Fprintf(b, "| calls lost | %d | %s |\n", f.lost, r.judge(f.lost == 0, "0", fmt.Sprintf("webhooks: %d lost", f.lost)))
	fmt.Fprintf(b, "| our share, p50 | %s | |\n", milliseconds(f.p50))
	fmt.Fprintf(b, "| our share, p99 | %s | %s |\n", milliseconds(f.p99), r.judge(f.p99 < shareTarget, "< "+shareTarget.String(), "webhooks: our share "+milliseconds(f.p99)))
	fmt.Fprintf(b, "| without botyard between, p99 | %s | |\n", milliseconds(f.bare))
	grown := f.peak - f.idle
	fmt.Fprintf(b, "| memory when it hangs: %d calls of %d KB, %d let in, %d refused | + %d MB | %s |\n", hangingCallers, hangingBody>>10, f.admitted, f.refused, grown/megabyte,
		r.judge(grown < hangingTarget, fmt.Sprintf("< %d MB", hangingTarget/megabyte), fmt.Sprintf("webhooks: %d MB while an integration hangs", grown/megabyte)))
}
