package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/internal/secret"
	"github.com/botyard/botyard/internal/trace"
)

// Authenticator finds out who a token belongs to; see access.Service.
type Authenticator interface {
	Authenticate(ctx context.Context, token string, w id.Workspace) (access.Actor, error)
}

// Keys sign cursors and addresses, and seal kept answers; see secret.Keyring.
type Keys interface {
	Sign(purpose string, data []byte) []byte
	Verify(purpose string, data, mac []byte) bool
	db.Sealer
}

// Doorkeeper knows the bots' allowlists; see bot.Service.
type Doorkeeper interface {
	// LetIn returns nil if no bot's allowlist excludes the account, and ResourceNotFound
	// otherwise, as for a bot that does not exist. Ids that name no bot exclude nobody.
	LetIn(ctx context.Context, account id.Account, bots []id.Bot) error
}

// Limits bound what a request may cost.
type Limits struct {
	Body     int64 // bytes of a body
	CodeBody int64 // bytes of a body that may carry code
	// ParallelCode is how many bodies larger than Body, measured uncompressed, are in
	// memory at once. One actor has at most half of them; further ones wait.
	ParallelCode int
	// PerToken (of an account), PerBotKey, PerIntegrationKey and PerWorkspace are in
	// requests per second; 0 is no limit. A workspace's plan may lower its own.
	PerToken          int
	PerBotKey         int
	PerIntegrationKey int
	PerWorkspace      int
	// Time is how long an operation may take, CodeTime an operation that carries code.
	Time     time.Duration
	CodeTime time.Duration
	// BodyTime is how long a body may take to arrive, CodeBodyTime a body that may carry
	// code.
	BodyTime     time.Duration
	CodeBodyTime time.Duration
}

// Options are the dependencies and settings of a Mux.
type Options struct {
	Version string
	Access  Authenticator
	// Bots guards every operation that names a bot.
	Bots    Doorkeeper
	Keys    Keys
	DB      *db.DB
	Clock   clock.Clock
	Log     *slog.Logger
	Metrics prometheus.Registerer
	Limits  Limits
	// Blobs are the content of downloads.
	Blobs *blob.Store
	// PublicURL is the address of this installation, without a trailing slash.
	PublicURL func() string
	// Proxies are the trusted proxies in front of the server.
	Proxies []netip.Prefix
	// Plans has the rate limits of the plans; nil is the published catalogue.
	Plans *plan.Catalog
	// Redis is the URL of the Redis in which several servers count requests together;
	// without it, each counts its own.
	Redis secret.Value
	// Tracer makes a span for every request; nil makes none.
	Tracer *trace.Tracer
}

// Mux routes requests to operations. It is an http.Handler.
type Mux struct {
	router     *chi.Mux
	api        huma.API
	config     huma.Config
	operations []*Operation
	added      *huma.Operation // the one that huma added last

	access      Authenticator
	bots        Doorkeeper
	keys        Keys
	clock       clock.Clock
	log         *slog.Logger
	limits      Limits
	metrics     metrics
	rates       *rates
	plans       *plan.Catalog
	codeSlots   *places
	idempotency idempotency
	streams     *streams

	tracer *trace.Tracer
	// probes are the addresses beside the operations, of which spans and log lines
	// would tell nothing.
	probes []string

	sendTime time.Duration

	publicURL func() string
	proxies   []netip.Prefix
	sources   map[string]Source
	// answerSlots are the places for answers as large as code.
	answerSlots *places

	document func() []byte
}

// humaOnce guards huma's package-wide error hooks. They find their Mux through the
// request, so they serve every Mux of the process.
var humaOnce sync.Once

// New creates a Mux without operations. It panics if Redis is not the URL of a Redis, which
// package config has checked.
func New(o Options) *Mux {
	shared, err := openShared(o.Redis)
	if err != nil {
		panic(err)
	}
	if shared != nil && o.Metrics != nil {
		o.Metrics.MustRegister(shared.alone)
	}
	if o.Plans == nil {
		o.Plans = plan.Default()
	}
	m := &Mux{
		rates:     newRates(o.Limits, shared),
		router:    chi.NewRouter(),
		access:    o.Access,
		bots:      o.Bots,
		keys:      o.Keys,
		clock:     o.Clock,
		log:       o.Log,
		limits:    o.Limits,
		metrics:   newMetrics(o.Metrics),
		plans:     o.Plans,
		codeSlots: newPlaces(o.Limits.ParallelCode),
		streams:   newStreams(),
		tracer:    o.Tracer,
		sendTime:  sendTime,

		publicURL:   o.PublicURL,
		proxies:     o.Proxies,
		sources:     map[string]Source{},
		answerSlots: newPlaces(o.Limits.ParallelCode),
	}
	m.idempotency = idempotency{db: o.DB, clock: o.Clock, keys: o.Keys}
	m.document = sync.OnceValue(m.render)

	humaOnce.Do(func() {
		huma.ValidateStrictCasing = true
		huma.DefaultArrayNullable = false
		huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, details ...error) huma.StatusError {
			mux, _ := ctx.Context().Value(muxKey{}).(*Mux)
			return mux.hook(ctx, status, message, details...)
		}
		// Called only for the type of errors, when an operation is registered.
		huma.NewError = func(int, string, ...error) huma.StatusError { return &Fault{} }
	})

	config := huma.DefaultConfig("botyard", o.Version)
	config.CreateHooks = nil // no $schema member, no Link header
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.Formats = map[string]huma.Format{"application/json": {Marshal: encode, Unmarshal: decode}}
	config.DefaultFormat = "application/json"
	config.AllowAdditionalPropertiesByDefault = true // unknown members are ignored
	config.Info.Description = "The control plane of Botpress Cloud, self-hosted. The official clients work with it unmodified."
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "An access token: bp_pat_…, bp_bak_… or bp_iak_…."},
	}
	config.OnAddOperation = append(config.OnAddOperation, func(_ *huma.OpenAPI, op *huma.Operation) { m.added = op })
	m.config = config
	m.api = humachi.New(m.router, config)
	m.mountDownloads(o.Blobs)

	m.router.NotFound(m.strayed(func(r *http.Request) error {
		return fault.New(fault.ResourceNotFound, "There is no operation %s %s; see the reference at /docs.", fault.BoundedTo(r.Method, 20), fault.BoundedTo(r.URL.Path, 200))
	}))
	m.router.MethodNotAllowed(m.strayed(func(r *http.Request) error {
		return fault.New(fault.MethodNotFound, "%s has no method %s; see the reference at /docs.", fault.BoundedTo(r.URL.Path, 200), fault.BoundedTo(r.Method, 20))
	}))
	return m
}

// strayed answers requests that match no operation. They count against the rate limits, so
// that probing is not free.
func (m *Mux) strayed(explain func(*http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := m.rates.token(bearer(r.Header.Get("Authorization")), r, w.Header())
		if err == nil {
			err = explain(r)
		}
		m.refuse(exchangeOf(r.Context()), w.(*answer), err)
	}
}

type muxKey struct{}

// Operations is the operation table, in the order of registration.
func (m *Mux) Operations() []Operation {
	table := make([]Operation, len(m.operations))
	for i, op := range m.operations {
		table[i] = *op
	}
	return table
}

// ServeHTTP answers one request, always in the form of the API.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{started: clock.Start(), id: id.NewRequest(m.clock.Now()), path: r.URL.EscapedPath(), query: r.URL.RawQuery}
	a := newAnswer(w)
	a.Header().Set("X-Request-Id", x.id)
	ctx := context.WithValue(context.WithValue(r.Context(), exchangeKey{}, x), muxKey{}, m)
	ctx, x.span = m.begin(ctx, r)
	r = r.WithContext(ctx)
	r.RemoteAddr = caller(r, m.proxies)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &arriving{r.Body, http.NewResponseController(w)}
	}

	defer func() {
		if p := recover(); p != nil {
			if err, is := p.(error); is && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			m.refuse(x, a, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
		if a.status >= 400 {
			drain(a, r)
		}
		// A caller that has gone does not read its answer: nothing to do.
		_ = a.send(m.sendTime)
		m.finish(ctx, x, r, a)
	}()
	if crossOrigin(a.Header(), r) {
		a.WriteHeader(http.StatusNoContent)
		return
	}
	if !utf8.ValidString(r.URL.Path) || strings.ContainsRune(r.URL.Path, 0) {
		// No id looks like this, and PostgreSQL would refuse to compare it.
		m.strayed(func(r *http.Request) error {
			return fault.New(fault.ResourceNotFound, "There is nothing at %s: a path is UTF-8 text without the character U+0000.", fault.BoundedTo(r.URL.EscapedPath(), 200))
		})(a, r)
		return
	}
	m.router.ServeHTTP(a, r)
}

// Handle adds a handler beside the operations, for probes, metrics and pages.
func (m *Mux) Handle(pattern string, h http.Handler) {
	m.probes = append(m.probes, pattern)
	m.router.Handle(pattern, h)
}

const workspaceHeader = "x-workspace-id"

// admit checks the token's rate limit, the token, the workspace, its rate limit and the
// permission, in this order and before any parameter or body is read: with a bad token and
// a bad body, the caller is told about the token.
func (m *Mux) admit(ctx huma.Context, next func(huma.Context)) {
	x := exchangeOf(ctx.Context())
	op := operationOf(ctx.Operation())
	x.operation = op
	r, w := humachi.Unwrap(ctx)
	header := w.Header()

	limit := m.limits.Time
	if op.Code {
		limit = m.limits.CodeTime
	}
	deadline, cancel := context.WithTimeout(ctx.Context(), limit)
	defer cancel()

	token := bearer(r.Header.Get("Authorization"))
	if err := m.rates.token(token, r, header); err != nil {
		m.refuse(x, w.(*answer), err)
		return
	}
	workspace, missing := workspaceOf(op, ctx, r)
	if err := checkTexts(r); err != nil {
		workspace, missing = "", err
	}
	actor, err := m.access.Authenticate(deadline, token, workspace)
	x.actor = actor
	if fault.Is(err, fault.Unauthorized) {
		// Every made-up token has a rate window of its own, so failures count against
		// the address as well.
		if limited := m.rates.address(r, header); limited != nil {
			err = limited
		}
	}
	if err == nil && actor.Kind != access.KindAccount {
		err = fault.New(fault.Forbidden, "This is the key of a %s. It opens the runtime and ingest; %s needs a personal access token (bp_pat_…).", actor.Kind, op.ID)
	}
	if err == nil {
		err = missing
	}
	if err == nil && workspace != "" {
		if err = m.rates.workspace(actor, m.plans, header); err == nil {
			err = actor.Require(op.Permission)
		}
		if err == nil && !op.openToBlocked() {
			err = actor.Paid()
		}
	}
	if err != nil {
		m.refuse(x, w.(*answer), err)
		return
	}
	next(huma.WithContext(ctx, access.With(deadline, actor)))
}

// bearer is the token of an Authorization header, or "".
func bearer(header string) string {
	const scheme = "bearer "
	if len(header) < len(scheme) || !equalFold(header[:len(scheme)], scheme) {
		return ""
	}
	return header[len(scheme):]
}

func equalFold(s, lower string) bool {
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// workspaceOf is the workspace that a request names; missing is the fault of a request that
// names none although the operation needs one.
func workspaceOf(op *Operation, ctx huma.Context, r *http.Request) (w id.Workspace, missing error) {
	switch op.Scope {
	case InPath:
		return id.Workspace(ctx.Param("id")), nil
	case InHeader, InUndeclaredHeader:
		w = id.Workspace(r.Header.Get(workspaceHeader))
		if w == "" {
			missing = fault.New(fault.InvalidPayload, "request/headers must have required property '%s': name the workspace that the request is about.", workspaceHeader)
		}
	}
	return w, missing
}
