package app

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/botyard/botyard/internal/account"
	"github.com/botyard/botyard/internal/audit"
	"github.com/botyard/botyard/internal/billing"
	"github.com/botyard/botyard/internal/bot"
	"github.com/botyard/botyard/internal/catalog"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/dispatch"
	"github.com/botyard/botyard/internal/jobs"
	"github.com/botyard/botyard/internal/meter"
	"github.com/botyard/botyard/internal/script"
	"github.com/botyard/botyard/internal/telemetry"
	"github.com/botyard/botyard/internal/trace"
	"github.com/botyard/botyard/internal/wire"
	"github.com/botyard/botyard/internal/workspace"
)

// Version is the version of this build; the linker may set it.
var Version = "0.1.0"

// How long a body may take to arrive, where read_timeout does not ask for less.
const (
	bodyTime     = 30 * time.Second
	codeBodyTime = 3 * time.Minute
)

// codeTime is how long an operation that carries code may take: the body alone
// may take three minutes to arrive.
const codeTime = 4 * time.Minute

// Server is an installation that answers requests.
type Server struct {
	*App
	Mux *wire.Mux

	config   config.Config
	listener net.Listener
	http     *http.Server
	stop     context.CancelFunc
	work     sync.WaitGroup
	failed   chan error
	floor    []byte
}

// The garbage collector runs when the heap has grown by a quarter of the live heap plus
// heapFloor: after 32 MiB in a small heap, and not much later in a large one. heapFloor is
// reserved and never touched, so it costs address space and no memory. With Go's default, a
// doubling of the live heap, the collector would run dozens of times a second under load
// with a live heap of ten megabytes, and leave a hundred megabytes of garbage beside one of
// a hundred.
const (
	heapFloor  = 128 << 20
	heapGrowth = 25 // percent
)

// tuneCollector returns the floor, which the caller keeps alive. If the operator sets GOGC
// or a memory limit, Go's own rules apply: the runtime would count the floor as memory in
// use.
func tuneCollector(limit int64) (floor []byte) {
	if limit > 0 {
		debug.SetMemoryLimit(limit)
	}
	if os.Getenv("GOGC") != "" || debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return nil
	}
	debug.SetGCPercent(heapGrowth)
	return make([]byte, heapFloor)
}

// Start opens an installation, bootstraps it if it is new, and serves it. It returns once
// requests are answered; welcome is nil except on the first start. The caller stops the
// server.
func Start(ctx context.Context, c config.Config, log *slog.Logger) (s *Server, welcome *Welcome, err error) {
	// With a single processor, nothing runs while the writer waits for the disk, until
	// the runtime notices after some milliseconds: no requests would gather for the next
	// commit, and each would pay for its own.
	if runtime.GOMAXPROCS(0) == 1 {
		runtime.GOMAXPROCS(2)
	}
	tracer, err := trace.FromEnv(ctx, os.Getenv, Version, log)
	if err != nil {
		return nil, nil, err
	}
	a, err := Open(ctx, c.Installation, tracer.Log(log))
	if err != nil {
		return nil, nil, errors.Join(err, tracer.Close(ctx))
	}
	a.Tracer, a.Jobs.Tracer, a.Calls.Tracer = tracer, tracer, tracer
	s = &Server{App: a, config: c, failed: make(chan error, 3), floor: tuneCollector(int64(c.MemoryLimit))}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if err = a.useKeys(ctx); err != nil {
		return nil, nil, err
	}
	if welcome, err = a.Bootstrap(ctx, c); err != nil {
		return nil, nil, err
	}
	a.takePayments(c)
	if err = a.Telemetry.Open(ctx); err != nil {
		return nil, nil, err
	}
	registry := prometheus.NewRegistry()
	s.Mux = NewMux(a, c, registry)
	a.Meter.RateLimit = int64(c.RateLimitWorkspace)
	s.mountProbes(registry)
	if s.listener, err = net.Listen("tcp", c.Listen); err != nil {
		return nil, nil, err
	}
	a.address = s.URL()
	s.http = &http.Server{
		Handler:           s.Mux,
		ReadHeaderTimeout: c.ReadHeaderTimeout,
		ReadTimeout:       c.ReadTimeout,
		IdleTimeout:       c.IdleTimeout,
		// Each request begins with this deadline instead of what the last answer on its
		// connection left; package wire sets another when it begins to answer.
		WriteTimeout:   time.Minute,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	s.http.RegisterOnShutdown(s.Mux.EndStreams)
	s.http.RegisterOnShutdown(a.Dispatch.EndTunnels)
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.startWork(background)
	s.work.Go(func() {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- err
		}
	})
	return s, welcome, nil
}

// NewMux creates the operation table of an installation. It works without domains too,
// which is enough for the document.
func NewMux(a *App, c config.Config, metrics prometheus.Registerer) *wire.Mux {
	trusted, _ := c.Proxies() // checked when the settings were read
	m := wire.New(wire.Options{
		Version: Version, Access: a.Tokens, Bots: a.Bots, Keys: a.Keys, DB: a.DB, Clock: a.Clock, Log: a.Log, Metrics: metrics,
		Blobs: a.Blobs, PublicURL: func() string { return a.address },
		Plans: a.Plans, Redis: c.RedisURL, Tracer: a.Tracer, Proxies: trusted,
		Limits: wire.Limits{
			Body: int64(c.MaxBody), CodeBody: int64(c.MaxCodeBody), ParallelCode: c.MaxParallelUploads,
			PerToken: c.RateLimitToken, PerBotKey: c.RateLimitBotKey, PerIntegrationKey: c.RateLimitIntegrationKey,
			PerWorkspace: c.RateLimitWorkspace,
			Time:         c.RequestTimeout, CodeTime: max(codeTime, c.RequestTimeout),
			BodyTime: min(bodyTime, c.ReadTimeout), CodeBodyTime: min(codeBodyTime, c.ReadTimeout),
		},
	})
	account.Mount(m, a.Accounts)
	workspace.Mount(m, a.Workspaces)
	audit.Mount(m, a.Audit)
	bot.Mount(m, a.Bots, bot.WebchatHosts{
		Host: c.WebchatHostURL, Messaging: c.WebchatMessagingURL, Files: c.WebchatFilesURL, Integration: c.WebchatIntegration,
	})
	catalog.Mount(m, a.Catalog)
	meter.Mount(m, a.Meter)
	billing.Mount(m, a.Billing)
	script.Mount(m, a.Scripts)
	dispatch.Mount(m, a.Dispatch, c.CallTimeout)
	if c.Tunnels || c.Dev {
		dispatch.MountTunnels(m, a.Dispatch, c.CallTimeout)
	}
	telemetry.Mount(m, a.Telemetry)
	m.MountReference()
	return m
}

// Kinds of background jobs.
const (
	jobForgetAnswers = "forget-idempotency-answers"
	jobForgetDead    = "forget-dead-jobs"
	jobCollectBlobs  = "collect-blobs"
)

// deadKept is how long a job that was given up is kept, with its last error.
const deadKept = 30 * 24 * time.Hour

func (s *Server) startWork(ctx context.Context) {
	s.Jobs.Handle(jobForgetAnswers, func(ctx context.Context, _ jobs.Job) error { return s.Mux.ForgetAnswers(ctx) }, jobs.Policy{})
	s.Jobs.Every(jobForgetAnswers, time.Hour)
	s.Jobs.Handle(jobForgetDead, func(ctx context.Context, _ jobs.Job) error {
		return s.Jobs.ForgetDead(ctx, s.Clock.Now().Add(-deadKept))
	}, jobs.Policy{})
	s.Jobs.Every(jobForgetDead, 24*time.Hour)
	s.Jobs.Handle(jobCollectBlobs, func(ctx context.Context, _ jobs.Job) error {
		deleted, err := s.CollectBlobs(ctx)
		if deleted > 0 {
			s.Log.InfoContext(ctx, "blobs without a reference were deleted", "blobs", deleted)
		}
		return err
	}, jobs.Policy{Timeout: time.Hour})
	s.Jobs.Every(jobCollectBlobs, 24*time.Hour)
	s.meterWork()
	s.billingWork()
	s.work.Go(func() { s.Tokens.Run(ctx) })
	s.work.Go(func() { s.Catalog.Run(ctx) })
	s.telemetryWork(ctx)
	for _, queue := range []*jobs.Queue{s.Jobs, s.Calls} {
		s.work.Go(func() {
			if err := queue.Run(ctx); err != nil && ctx.Err() == nil {
				s.failed <- err
			}
		})
	}
}

// URL is the address by which callers reach the server.
func (s *Server) URL() string {
	if s.config.PublicURL != "" {
		return s.config.PublicURL
	}
	return "http://" + s.listener.Addr().String()
}

// Failed receives the error of a server that stopped by itself.
func (s *Server) Failed() <-chan error { return s.failed }

// Stop lets requests in progress finish, for as long as ctx lasts, ends the background work
// and closes the installation.
func (s *Server) Stop(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	s.stop()
	s.work.Wait()
	return errors.Join(err, s.Mux.Close(), s.Close())
}
