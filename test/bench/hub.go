package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/bench/load"
	"github.com/botyard/botyard/test/postgres"
)

// hubSize is how large the hub is and how long each work on it is measured.
type hubSize struct {
	names, versions, publishers, others int
	duration                            time.Duration
}

// maxHubVersions is what the ids of copied versions have room for.
const maxHubVersions = 90

func (s hubSize) validate() error {
	if s.names < s.publishers || s.publishers < 1 || s.versions < 2 || s.versions > maxHubVersions || s.others < 1 || s.duration <= 0 {
		return fmt.Errorf("wanted at least one -hub-publishers, as many -hub-names, 2 to %d -hub-versions, one of -hub-others and a -hub-duration, got %d, %d, %d, %d and %s",
			maxHubVersions, s.publishers, s.names, s.versions, s.others, s.duration)
	}
	return nil
}

// Targets of the hub section: medians at one connection.
const (
	lookupTarget  = 5 * time.Millisecond
	publishTarget = 10 * time.Millisecond
	scriptTarget  = 2 * time.Millisecond
	// othersTarget is how many times longer a list may take beside other workspaces;
	// what is above 1 is for the noise of the machine.
	othersTarget = 1.5
)

const (
	publishedSize = 200_000
	uploads       = 8
	uploadSize    = 50_000_000
	// interpreting is the least time in which interpreted scripts are timed: they
	// are slow, and the compiler works beside them.
	interpreting = 4 * time.Second
	// compiling is how long the engine of scripts may be compiled on a busy machine.
	compiling = 90 * time.Second
)

// uploadsAtOnce are the values of --max-parallel-uploads that are measured; 4 is the
// default.
var uploadsAtOnce = []int{4, 1}

// hubTime is how long one kind of work takes.
type hubTime struct {
	work     string
	p50, p99 time.Duration
	// target bounds p50; 0: nothing is promised.
	target time.Duration
	// among is p50 beside other workspaces; 0: not measured.
	among time.Duration
}

// slower is how many times longer the work takes beside other workspaces.
func (t hubTime) slower() float64 { return float64(t.among) / float64(t.p50) }

// hubFigures are those of one database engine. Engines have the same times in the
// same order.
type hubFigures struct {
	engine db.Engine
	times  []hubTime
	// idle is the memory of a server before uploads, peaks the most that it held
	// by --max-parallel-uploads, in bytes.
	idle  int64
	peaks map[int]int64
}

// hub is one installation of botyard whose hub is measured.
type hub struct {
	bed     *bed
	size    hubSize
	program program
	dir     string
	// database opens the installation's database while no server runs on it.
	database   db.Options
	publishers []publisher
	figures    hubFigures
}

// publisher is a workspace that publishes under its handle.
type publisher struct{ workspace, handle string }

// hub measures the hub on every database engine.
func (b *bed) hub(ctx context.Context) ([]hubFigures, error) {
	var all []hubFigures
	for _, engine := range []db.Engine{db.SQLite, db.PostgreSQL} {
		h := &hub{bed: b, size: b.options.hub, program: b.botyard, dir: b.path("hub-" + string(engine)), figures: hubFigures{engine: engine}}
		h.database = db.Options{Dir: h.dir, Synchronous: "NORMAL"}
		if engine == db.PostgreSQL {
			address, err := postgres.Create(ctx)
			if err != nil {
				return nil, err
			}
			h.database = db.Options{URL: address}
			h.program.environment = append(slices.Clone(h.program.environment), "BOTYARD_DATABASE_URL="+address)
		}
		if err := h.measure(ctx); err != nil {
			return nil, fmt.Errorf("the hub on %s: %w", engine, err)
		}
		all = append(all, h.figures)
		if !b.kept {
			if err := os.RemoveAll(h.dir); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

func (h *hub) measure(ctx context.Context) error {
	began := time.Now()
	if err := h.fill(ctx); err != nil {
		return err
	}
	progress("%s: filled in %s", h.figures.engine, time.Since(began).Round(time.Second))
	if err := h.serve(ctx, h.program, h.measureAlone); err != nil {
		return err
	}
	if err := h.fillOthers(ctx); err != nil {
		return err
	}
	if err := h.serve(ctx, h.program, h.measureAmongOthers); err != nil {
		return err
	}
	h.figures.peaks = map[int]int64{}
	for _, parallel := range uploadsAtOnce {
		program := h.program
		program.environment = append(slices.Clone(program.environment), fmt.Sprint("BOTYARD_MAX_PARALLEL_UPLOADS=", parallel))
		if err := h.serve(ctx, program, func(ctx context.Context, server *server) (err error) {
			if h.figures.idle, err = server.residentBytes(); err != nil {
				return err
			}
			h.figures.peaks[parallel], err = h.upload(ctx, server)
			return err
		}); err != nil {
			return err
		}
	}
	progress("%s: measured in %s", h.figures.engine, time.Since(began).Round(time.Second))
	return nil
}

// serve runs do on a server, and stops the server.
func (h *hub) serve(ctx context.Context, program program, do func(context.Context, *server) error) error {
	server, err := h.bed.start(ctx, program, h.dir)
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, server), h.bed.stopAll())
}

// work is a kind of request that is timed.
type work struct {
	name     string
	requests load.Source
	target   time.Duration
}

// time sends the work over one connection and notes how long it takes.
func (h *hub) time(ctx context.Context, server *server, w work) (hubTime, error) {
	result, err := load.Run(ctx, load.Plan{
		Address: server.address, Connections: 1, WarmUp: h.size.duration / 4, Duration: h.size.duration, Requests: w.requests,
	})
	if err != nil {
		return hubTime{}, fmt.Errorf("%s: %w", w.name, err)
	}
	progress("%s, %s: %s", h.figures.engine, w.name, milliseconds(result.P50))
	return hubTime{work: w.name, p50: result.P50, p99: result.P99, target: w.target}, nil
}

func (h *hub) note(ctx context.Context, server *server, works []work) error {
	for _, w := range works {
		one, err := h.time(ctx, server, w)
		if err != nil {
			return err
		}
		h.figures.times = append(h.figures.times, one)
	}
	return nil
}

func (h *hub) measureAlone(ctx context.Context, server *server) error {
	if err := h.note(ctx, server, append(h.lists(server.address), h.named(server.address)...)); err != nil {
		return err
	}
	if err := h.note(ctx, server, h.publications(server.address)); err != nil {
		return err
	}
	return h.measureScripts(ctx, server)
}

// measureAmongOthers times the lists again.
func (h *hub) measureAmongOthers(ctx context.Context, server *server) error {
	for n, w := range h.lists(server.address) {
		one, err := h.time(ctx, server, w)
		if err != nil {
			return err
		}
		h.figures.times[n].among = one.p50
	}
	return nil
}

const hubPath = "/v1/admin/hub/integrations"

func (h *hub) header() []string { return []string{"Authorization: Bearer " + h.bed.identity.token} }

// lists are the pages of the hub, searched or not.
func (h *hub) lists(address string) []work {
	var works []work
	for _, asked := range []struct{ name, query string }{
		{"list, newest first", ""},
		{"list by updatedAt", "&sortBy=updatedAt"},
		{"list by name", "&sortBy=name"},
		{"list by popularity", "&sortBy=popularity"},
		{"search a word that all have", "&search=messages"},
		{"search a word that all have, by popularity", "&search=messages&sortBy=popularity"},
		{"search a word of one name in " + fmt.Sprint(topics), "&search=topic007"},
		{"search a word of one name in " + fmt.Sprint(topics) + ", by popularity", "&search=topic007&sortBy=popularity"},
		{"search a word of one name in " + fmt.Sprint(topics) + ", by name", "&search=topic007&sortBy=name"},
		{"search a word of one name in " + fmt.Sprint(topics) + ", by updatedAt", "&search=topic007&sortBy=updatedAt"},
		{"search a word of one name", "&search=" + product(h.size.names/2)},
		{"search two words", "&search=messages%20" + product(h.size.names/3)},
		{"search two words, one of one name in " + fmt.Sprint(topics), "&search=messages%20topic007"},
		{"search a word that none has", "&search=zebra"},
	} {
		works = append(works, work{asked.name, load.Cycle([][]byte{load.Request{
			Method: "GET", Path: fmt.Sprintf("%s?pageSize=%d%s", hubPath, pageSize, asked.query), Header: h.header(),
		}.Bytes(address)}), lookupTarget})
	}
	return works
}

// named are lookups of many names in turn, each with another kind of version.
func (h *hub) named(address string) []work {
	var works []work
	for _, asked := range []struct{ name, version string }{
		{"by name, exact version", "1.1.0"},
		{"by name, latest", "latest"},
		{"by name, ^1.2.0", "%5E1.2.0"},
	} {
		var requests [][]byte
		for n := range min(h.size.names, viewed) {
			name := strings.Replace(h.name(n), "/", "%2F", 1)
			requests = append(requests, load.Request{Method: "GET", Path: hubPath + "/" + name + "/" + asked.version, Header: h.header()}.Bytes(address))
		}
		works = append(works, work{asked.name, load.Cycle(requests), lookupTarget})
	}
	return works
}

// publications make integrations whose bodies are of publishedSize.
func (h *hub) publications(address string) []work {
	by := h.publishers[0]
	create := func(parts string) load.Source {
		return load.Numbered(load.Request{
			Method: "POST", Path: "/v1/admin/integrations", Header: h.bed.identity.header(by.workspace),
			Body: []byte(`{"name":"` + by.handle + `/made` + load.Number + `","version":"1.0.0",` + parts + `}`),
		}.Bytes(address))
	}
	code := `"code":"// ` + load.Number + `\n` + text(publishedSize-integrationSize) + `",`
	return []work{
		{fmt.Sprintf("createIntegration, %d KB of actions", publishedSize/1000), create(manyActions(publishedSize)), publishTarget},
		{fmt.Sprintf("createIntegration, %d KB, most of it code", publishedSize/1000), create(code + definition(integrationSize)), publishTarget},
	}
}

// measureScripts times scripts as a server runs them at first, interpreted, and
// once its engine is compiled.
func (h *hub) measureScripts(ctx context.Context, server *server) error {
	run := load.Cycle([][]byte{load.Request{
		Method: "POST", Path: "/v1/admin/helper/vrl", Header: h.bed.identity.header(h.publishers[0].workspace),
		Body: []byte(`{"data":{"method":"POST","body":"{\"conversation\":{\"id\":\"c-17\"},\"text\":\"Hello\"}","headers":{"x-signature":"abc"}},` +
			`"script":"body = parse_json!(.body)\n.conversation = body.conversation.id\n.text = downcase!(body.text)\nsha2(string!(.conversation))"}`),
	}.Bytes(server.address)})
	patient := *h
	patient.size.duration = max(h.size.duration, interpreting)
	interpreted, err := patient.time(ctx, server, work{"runVrl, interpreted while the compiler works", run, 0})
	if err != nil {
		return err
	}
	h.figures.times = append(h.figures.times, interpreted)
	if err := h.awaitCompiled(ctx); err != nil {
		return err
	}
	return h.note(ctx, server, []work{{"runVrl, compiled", run, scriptTarget}})
}

// awaitCompiled waits for the file that the compiler leaves, and a moment more in
// which the server takes it into use.
func (h *hub) awaitCompiled(ctx context.Context) error {
	for deadline := time.Now().Add(compiling); time.Now().Before(deadline); {
		files, err := filepath.Glob(filepath.Join(h.dir, "cache", "wazero", "*", "*"))
		if err != nil {
			return err
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
		if slices.ContainsFunc(files, func(name string) bool { return filepath.Ext(name) != ".tmp" }) {
			return nil
		}
	}
	return fmt.Errorf("the engine of scripts was not compiled within %s (it needs 1 GiB of free memory)", compiling)
}

// upload deploys code to several integrations at once and answers the most memory
// that the server held until then.
func (h *hub) upload(ctx context.Context, server *server) (int64, error) {
	by, identity := h.publishers[0], h.bed.identity
	run := rand.Uint64()
	ids, err := h.create(ctx, server.address, uploads, func(n int) (publisher, string) {
		return by, fmt.Sprintf(`{"name":"%s/deployed%d-%d","version":"1.0.0"}`, by.handle, run, n)
	})
	if err != nil {
		return 0, err
	}
	code := text(uploadSize)
	if err := load.Each(ctx, server.address, uploads, uploads,
		func(n int) []byte {
			return load.Request{
				Method: "PUT", Path: "/v1/admin/integrations/" + ids[n], Header: identity.header(by.workspace),
				Body: slices.Concat(fmt.Appendf(nil, `{"code":"// %d %d\n`, run, n), []byte(code), []byte(`"}`)),
			}.Bytes(server.address)
		},
		func(int, []byte) error { return nil }); err != nil {
		return 0, err
	}
	peak, err := server.peakBytes()
	progress("%s: %d uploads of %d MB, most memory %d MB", h.figures.engine, uploads, uploadSize/1_000_000, peak/1_000_000)
	return peak, err
}

// text is about size bytes of lines inside a JSON string, which do not compress to
// nothing.
func text(size int) string {
	random := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	b.Grow(size + 100)
	for b.Len() < size {
		fmt.Fprintf(&b, `  if (kind === \"%016x\") { reply(%d) }\n`, random.Uint64(), random.IntN(1000))
	}
	return b.String()
}
