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

// How webhooks are measured.
//
// Our share of a call is what its caller waited beyond the time that the integration
// itself says it took: both ways through the relay, and every wait for a processor on
// them, the caller's own and the integration's included. The same calls are made
// straight to the integration, where that share is what this machine alone adds, and
// through Go's own reverse proxy, where it is what any relay adds.
//
//   - Steady: every caller calls once in a period, each at its own moment, so calls
//     come at a rate that is fixed and below what a processor can relay, with half of
//     the callers waiting for an answer at any time. A call is timed from when it was
//     due: one that comes late because the one before was slow counts the wait. The
//     target is of this.
//   - At once: all callers call in the same moment. The last of them waits until all
//     are relayed: with n calls of which a second has room for r, that is n/r, however
//     short one call is. So it has no target, and stands beside the proxy's.
//
// The three take turns, and the medians of the rounds count.
const (
	webhookCallers = 1000
	webhookThought = 500 * time.Millisecond
	webhookPeriod  = time.Second
	// webhookPeriods are measured after one that warms up.
	webhookPeriods = 3
	webhookBody    = 1000 // bytes
	// webhookLimit is when a call counts as lost.
	webhookLimit = time.Minute
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
	// ways are through botyard, through the proxy, and straight.
	ways []webhookWay
	// idle and peak are bytes; admitted and refused are calls while it hung.
	idle, peak        int64
	admitted, refused int
}

// webhookWay is one way to the integration.
type webhookWay struct {
	name          string
	address, path string
	server        *server // nil: there is none between
	rounds        []webhookRound
}

// webhookRound is one measurement of a way.
type webhookRound struct {
	steady, burst []time.Duration // sorted shares
	lost          int
	// processor is what a call cost the server between.
	processor time.Duration
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

	yardstick, err := relayProgram(far.url, b.botyard.processors)
	if err != nil {
		return figures, err
	}
	proxy, _, err := start(ctx, yardstick, b.path("relay"))
	if err != nil {
		return figures, err
	}
	defer func() { err = errors.Join(err, proxy.stop()) }()
	figures.ways = []webhookWay{
		{name: "botyard", address: s.address, path: path, server: s},
		{name: yardstick.name, address: proxy.address, path: "/", server: proxy},
		{name: "straight to the integration", address: listener.Addr().String(), path: "/"},
	}
	for n := range b.options.rounds {
		progress("webhooks: round %d of %d", n+1, b.options.rounds)
		for w := range figures.ways {
			way := &figures.ways[w]
			round, err := way.measure(ctx)
			if err != nil {
				return figures, err
			}
			way.rounds = append(way.rounds, round)
		}
	}
	for _, round := range figures.ways[0].rounds {
		figures.relayed += len(round.steady) + len(round.burst)
		figures.lost += round.lost
	}

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

// measure makes the steady calls and then those at once.
func (w *webhookWay) measure(ctx context.Context) (r webhookRound, err error) {
	callers := make([]*load.Connection, webhookCallers)
	for n := range callers {
		if callers[n], err = load.Dial(ctx, w.address); err != nil {
			return r, err
		}
		defer callers[n].Close()
		if err := callers[n].SetDeadline(time.Now().Add((webhookPeriods+2)*webhookPeriod + webhookLimit)); err != nil {
			return r, err
		}
	}
	before, err := w.processorTime()
	if err != nil {
		return r, err
	}
	begin := time.Now().Add(webhookPeriod / 10)
	calls := make([]time.Time, webhookPeriods+1)
	steady, lost := w.call(callers, 1, func(n int) []time.Time {
		for c := range calls {
			calls[c] = begin.Add(time.Duration(c)*webhookPeriod + webhookPeriod*time.Duration(n)/webhookCallers)
		}
		return slices.Clone(calls)
	})
	after, err := w.processorTime()
	if err != nil {
		return r, err
	}
	r.processor = (after - before) / ((webhookPeriods + 1) * webhookCallers)
	moment := time.Now().Add(webhookPeriod / 10)
	burst, more := w.call(callers, 0, func(int) []time.Time { return []time.Time{moment} })
	r.steady, r.burst, r.lost = steady, burst, lost+more
	if len(steady) == 0 || len(burst) == 0 {
		return r, fmt.Errorf("no webhook was answered on the way %q", w.name)
	}
	return r, nil
}

// call has every caller call when its calls are due, and answers our shares of them,
// sorted and without the first few of each caller, and how many had no good answer.
func (w *webhookWay) call(callers []*load.Connection, first int, due func(caller int) []time.Time) (shares []time.Duration, lost int) {
	request := load.Request{Method: "POST", Path: w.path, Body: []byte(`{"text":"` + strings.Repeat("x", webhookBody) + `"}`)}.Bytes(w.address)
	var mu sync.Mutex
	var all sync.WaitGroup
	for n, caller := range callers {
		calls := due(n)
		all.Go(func() {
			var text bytes.Buffer
			for c, at := range calls {
				time.Sleep(time.Until(at))
				text.Reset()
				_, err := caller.Exchange(request, &text)
				took := time.Since(at)
				far, notNumber := strconv.ParseInt(text.String(), 10, 64)
				mu.Lock()
				switch {
				case err != nil || notNumber != nil:
					lost++
				case c >= first:
					shares = append(shares, took-time.Duration(far))
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	slices.Sort(shares)
	return shares, lost
}

func (w *webhookWay) processorTime() (time.Duration, error) {
	if w.server == nil {
		return 0, nil
	}
	return w.server.processorTime()
}

// median is the middle of one figure of the rounds.
func (w *webhookWay) median(figure func(webhookRound) time.Duration) time.Duration {
	return sorted(w.rounds, figure)[len(w.rounds)/2]
}

// shareOf is a percentile of sorted shares.
func shareOf(shares []time.Duration, percent int) time.Duration {
	return shares[len(shares)*percent/100]
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
	fmt.Fprintf(b, "%d callers of one instance, whose integration takes %s a call. Our share is what a caller waited beyond that, all waits for a processor included; "+
		"on the straight way it is what this machine alone adds. Steady: %d calls a second, each timed from when it was due, %d under way at any time. "+
		"At once: all %d in the same moment, where the last waits until all are relayed. Medians of %d rounds.\n\n",
		webhookCallers, webhookThought, webhookCallers*time.Second/webhookPeriod, webhookCallers*webhookThought/webhookPeriod, webhookCallers, len(f.ways[0].rounds))
	b.WriteString("| our share | steady, p50 | p99 | at once, p50 | p99 | processor time a call |\n|---|--:|--:|--:|--:|--:|\n")
	var share time.Duration
	for n, way := range f.ways {
		p99 := way.median(func(r webhookRound) time.Duration { return shareOf(r.steady, 99) })
		if n == 0 {
			share = p99
		}
		processor := "–"
		if way.server != nil {
			processor = milliseconds(way.median(func(r webhookRound) time.Duration { return r.processor }))
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", way.name,
			milliseconds(way.median(func(r webhookRound) time.Duration { return shareOf(r.steady, 50) })), milliseconds(p99),
			milliseconds(way.median(func(r webhookRound) time.Duration { return shareOf(r.burst, 50) })),
			milliseconds(way.median(func(r webhookRound) time.Duration { return shareOf(r.burst, 99) })), processor)
	}
	b.WriteString("\n| | figure | target |\n|---|--:|--:|\n")
	fmt.Fprintf(b, "| calls relayed | %d | |\n", f.relayed)
	fmt.Fprintf(b, "| calls lost | %d | %s |\n", f.lost, r.judge(f.lost == 0, "0", fmt.Sprintf("webhooks: %d lost", f.lost)))
	fmt.Fprintf(b, "| our share, steady, p99 | %s | %s |\n", milliseconds(share), r.judge(share < shareTarget, "< "+shareTarget.String(), "webhooks: our share "+milliseconds(share)))
	grown := f.peak - f.idle
	fmt.Fprintf(b, "| memory when it hangs: %d calls of %d KB, %d let in, %d refused | + %d MB | %s |\n", hangingCallers, hangingBody>>10, f.admitted, f.refused, grown/megabyte,
		r.judge(grown < hangingTarget, fmt.Sprintf("< %d MB", hangingTarget/megabyte), fmt.Sprintf("webhooks: %d MB while an integration hangs", grown/megabyte)))
}
