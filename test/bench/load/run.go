package load

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// patience is how long past the end of a run the last answers may take.
const patience = 30 * time.Second

// Plan is one measured run.
type Plan struct {
	// Address is host:port.
	Address     string
	Connections int
	// WarmUp is sent before the measured window and not counted.
	WarmUp   time.Duration
	Duration time.Duration
	Requests Source
}

// Result is what was seen inside the measured window.
type Result struct {
	// Answers is how many requests began and were answered in the window.
	Answers int
	// Served is Answers and those of the warm-up and the end: all that the server
	// worked for.
	Served    int
	PerSecond float64
	P50, P99  time.Duration
	// Bytes is the mean length of an answer's body.
	Bytes int64
}

// ErrNoAnswer says that a window was over before anything was answered in it, as a short
// one can be on a busy machine.
var ErrNoAnswer = errors.New("no request was answered")

// Run sends the plan's requests on all connections at once, each waiting for its
// answer before the next. It fails on the first answer that is not 200, and with
// ErrNoAnswer when there was none.
func Run(ctx context.Context, plan Plan) (Result, error) {
	if plan.Connections < 1 || plan.Duration <= 0 {
		return Result{}, fmt.Errorf("a run needs connections and a duration, got %d and %s", plan.Connections, plan.Duration)
	}
	connections := make([]*Connection, plan.Connections)
	for i := range connections {
		connection, err := Dial(ctx, plan.Address)
		if err != nil {
			return Result{}, err
		}
		defer connection.Close()
		connections[i] = connection
	}

	opens := time.Now().Add(plan.WarmUp)
	window := window{opens: opens, closes: opens.Add(plan.Duration)}
	seen := make([]seen, plan.Connections)
	parent := ctx
	group, ctx := errgroup.WithContext(parent)
	defer context.AfterFunc(ctx, func() {
		for _, connection := range connections {
			connection.Close()
		}
	})()
	for i, connection := range connections {
		next := plan.Requests(i)
		group.Go(func() error { return seen[i].fill(connection, next, window) })
	}
	if err := group.Wait(); err != nil {
		return Result{}, cmp.Or(parent.Err(), err)
	}
	return summarise(seen, plan.Duration)
}

// window is the time in which answers count.
type window struct{ opens, closes time.Time }

// seen is what one connection saw in the window.
type seen struct {
	latencies []time.Duration
	bytes     int64
	served    int
}

func (s *seen) fill(connection *Connection, next func() []byte, window window) error {
	if err := connection.SetDeadline(window.closes.Add(patience)); err != nil {
		return err
	}
	s.latencies = make([]time.Duration, 0, 1<<14)
	began := time.Now()
	for {
		size, err := connection.Exchange(next(), nil)
		if err != nil {
			return err
		}
		s.served++
		ended := time.Now()
		if ended.After(window.closes) {
			return nil
		}
		if began.After(window.opens) {
			s.latencies = append(s.latencies, ended.Sub(began))
			s.bytes += size
		}
		began = ended
	}
}

func summarise(seen []seen, duration time.Duration) (Result, error) {
	var latencies []time.Duration
	var total int64
	var served int
	for _, s := range seen {
		served += s.served
		latencies = append(latencies, s.latencies...)
		total += s.bytes
	}
	if len(latencies) == 0 {
		return Result{}, fmt.Errorf("%w within %s", ErrNoAnswer, duration)
	}
	slices.Sort(latencies)
	n := len(latencies)
	return Result{
		Answers:   n,
		Served:    served,
		PerSecond: float64(n) / duration.Seconds(),
		P50:       latencies[n/2],
		P99:       latencies[n*99/100],
		Bytes:     total / int64(n),
	}, nil
}

// Each sends requests 0 to n-1, each once, over the given number of connections,
// and hands every answer's body to the caller. It fills a server with data.
// request and answer are called from several goroutines; body is valid during
// the call. The order of the requests is only nearly kept.
func Each(ctx context.Context, address string, connections, n int, request func(i int) []byte, answer func(i int, body []byte) error) error {
	var given atomic.Int64
	parent := ctx
	group, ctx := errgroup.WithContext(parent)
	for range min(connections, n) {
		group.Go(func() error {
			connection, err := Dial(ctx, address)
			if err != nil {
				return err
			}
			defer connection.Close()
			defer context.AfterFunc(ctx, func() { connection.Close() })()
			var body bytes.Buffer
			for ctx.Err() == nil {
				i := int(given.Add(1)) - 1
				if i >= n {
					return nil
				}
				body.Reset()
				if _, err := connection.Exchange(request(i), &body); err != nil {
					return fmt.Errorf("request %d of %d: %w", i+1, n, err)
				}
				if err := answer(i, body.Bytes()); err != nil {
					return fmt.Errorf("answer %d of %d: %w", i+1, n, err)
				}
			}
			return ctx.Err()
		})
	}
	err := group.Wait()
	return cmp.Or(parent.Err(), err)
}

// Once sends one request over a connection of its own and returns the answer's body.
func Once(ctx context.Context, address string, request Request) ([]byte, error) {
	connection, err := Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	var body bytes.Buffer
	if _, err := connection.Exchange(request.Bytes(address), &body); err != nil {
		return nil, err
	}
	return body.Bytes(), nil
}
