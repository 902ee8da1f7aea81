package script

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/fault"
)

// shared is one engine for the tests that do not look at its life. Its compiled
// code is kept from one test run to the next.
var shared *Engine

func TestMain(m *testing.M) {
	if !Embedded() {
		fmt.Fprintln(os.Stderr, "these tests need the VRL engine: run \"make engine\" first")
		os.Exit(1)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	shared = New(Options{CacheDir: filepath.Join(cache, "botyard-test", "wazero"), Clock: clock.System(), Log: slog.New(slog.DiscardHandler), Time: ample})
	code := m.Run()
	if err := shared.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// ample is the time of a run in tests of something else: a machine that is busy with other
// tests may need longer than a run is given by default.
const ample = 3 * time.Minute

// fresh is an engine of its own, without compiled code.
func fresh(t *testing.T, o Options) *Engine {
	t.Helper()
	o.Time = ample
	o.CacheDir, o.Clock, o.Log = t.TempDir(), clock.System(), slog.New(slog.DiscardHandler)
	e := New(o)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// warmed is an engine of its own that finds the compiled code of the shared one.
func warmed(t *testing.T, o Options) *Engine {
	t.Helper()
	compiled(t, shared)
	o.CacheDir, o.Clock, o.Log, o.Time = shared.options.CacheDir, clock.System(), slog.New(slog.DiscardHandler), ample
	e := New(o)
	e.loadTime = ample
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// compiled waits until e no longer interprets.
func compiled(t testing.TB, e *Engine) {
	t.Helper()
	if err := e.Check(t.Context(), "null"); err != nil {
		t.Fatal(err)
	}
	e.work.Wait()
	if e.mu.Lock(); e.machine == nil || !e.machine.compiled {
		t.Error("the engine was not compiled")
	}
	e.mu.Unlock()
}

func run(t *testing.T, e *Engine, program, data string) Result {
	t.Helper()
	r, err := e.Run(t.Context(), program, jsontext.Value(data))
	if err != nil {
		t.Fatalf("%s on %s: %v", program, data, err)
	}
	return r
}

// checkSound holds the engine against a run whose answer is known.
func checkSound(t *testing.T, e *Engine) {
	t.Helper()
	want := Result{Data: jsontext.Value(`{"a":20,"b":"x20"}`), Value: jsontext.Value(`22`)}
	if diff := cmp.Diff(want, run(t, e, `.b = "x" + to_string!(.a); to_int!(.a) + 2`, `{"a":20}`)); diff != "" {
		t.Errorf("the engine is not sound (-want +got):\n%s", diff)
	}
}

func waiting(e *Engine) []*instance {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.machine == nil {
		return nil
	}
	return append([]*instance(nil), e.machine.waiting...)
}

func TestFirstRunIsInterpreted(t *testing.T) {
	e := fresh(t, Options{})
	if e.machine != nil || e.warming != nil {
		t.Error("an engine that ran nothing holds something")
	}
	e.compileMemory = math.MaxInt64 - 1 // it is not compiled behind the first run
	checkSound(t, e)
	e.mu.Lock()
	interpreted := e.machine != nil && !e.machine.compiled
	e.mu.Unlock()
	if !interpreted {
		t.Error("the first run without compiled code was not interpreted")
	}
}

func TestCompiledCodeIsKept(t *testing.T) {
	e := warmed(t, Options{})
	if dir := shared.options.CacheDir; !hasCode(dir) {
		t.Fatalf("nothing was kept in %s", dir)
	}
	checkSound(t, e)
	if e.mu.Lock(); !e.machine.compiled {
		t.Error("the kept code was not used")
	}
	e.mu.Unlock()
}

func TestCacheThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	e := New(Options{CacheDir: filepath.Join(file, "cache"), Clock: clock.System(), Log: slog.New(slog.NewTextHandler(&log, nil))})
	checkSound(t, e)
	e.work.Wait()
	checkSound(t, e)
	if !strings.Contains(log.String(), "scripts are interpreted") {
		t.Errorf("the log does not tell that scripts are interpreted: %s", log.String())
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func TestLittleMemory(t *testing.T) {
	e := fresh(t, Options{})
	var log strings.Builder
	e.options.Log = slog.New(slog.NewTextHandler(&log, nil))
	e.compileMemory = math.MaxInt64 - 1
	checkSound(t, e)
	e.work.Wait()
	checkSound(t, e)
	if e.mu.Lock(); e.machine.compiled {
		t.Error("the engine was compiled without room for it")
	}
	e.mu.Unlock()
	if !strings.Contains(log.String(), "too little memory") {
		t.Errorf("the log does not tell why: %s", log.String())
	}
}

func TestAvailableMemory(t *testing.T) {
	if n := available(); n < 1<<20 {
		t.Errorf("%d bytes are available, and yet this test runs", n)
	}
	before := debug.SetMemoryLimit(200 << 20)
	defer debug.SetMemoryLimit(before)
	if n := available(); n != 200<<20 {
		t.Errorf("%d bytes are available under a limit of 200 MiB", n)
	}
}

func TestIdleEngineIsDropped(t *testing.T) {
	e := warmed(t, Options{Idle: 20 * time.Millisecond})
	for range 3 {
		checkSound(t, e)
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			e.mu.Lock()
			dropped := e.machine == nil
			e.mu.Unlock()
			if dropped {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the idle engine was not dropped")
			}
		}
	}
}

func TestCloseEndsCompilation(t *testing.T) {
	e := fresh(t, Options{})
	checkSound(t, e)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	// A compilation that ran to its end leaves its code.
	if hasCode(e.options.CacheDir) {
		t.Error("closing waited for the compilation")
	}
	if _, err := e.Run(t.Context(), "1", jsontext.Value("{}")); err == nil {
		t.Error("a closed engine ran a script")
	}
}

func TestConcurrentRuns(t *testing.T) {
	const runs = 1000
	var wg sync.WaitGroup
	for n := range runs {
		wg.Go(func() {
			r, err := shared.Run(t.Context(), `.twice = to_int!(.n) * 2; "run " + to_string!(.n)`, jsontext.Value(fmt.Sprintf(`{"n":%d}`, n)))
			if err != nil {
				t.Errorf("run %d: %v", n, err)
				return
			}
			want := Result{Data: jsontext.Value(fmt.Sprintf(`{"n":%d,"twice":%d}`, n, 2*n)), Value: jsontext.Value(fmt.Sprintf(`"run %d"`, n))}
			if diff := cmp.Diff(want, r); diff != "" {
				t.Errorf("run %d (-want +got):\n%s", n, diff)
			}
		})
	}
	wg.Wait()
	if n, most := len(waiting(shared)), runtime.GOMAXPROCS(0); n > most {
		t.Errorf("%d instances wait, at most %d may", n, most)
	}
}

func TestTrapEndsTheInstance(t *testing.T) {
	tests := map[string]string{
		"memory":  `"a" * 100000000`,
		"nesting": strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000),
	}
	for name, program := range tests {
		t.Run(name, func(t *testing.T) {
			checkSound(t, shared)
			before := waiting(shared)
			for range 3 {
				if _, err := shared.Run(t.Context(), program, jsontext.Value("{}")); !fault.Is(err, fault.Runtime) {
					t.Fatalf("got %v, want a Runtime fault", err)
				}
			}
			kept := waiting(shared)
			if len(kept) >= max(len(before), 2) {
				t.Errorf("%d instances wait after three traps, %d did before", len(kept), len(before))
			}
			for _, i := range kept {
				if i.module.IsClosed() {
					t.Error("an instance that was closed waits for a run")
				}
			}
			checkSound(t, shared)
		})
	}
}

func TestLargeInstancesAreDropped(t *testing.T) {
	for range 10 {
		run(t, shared, `x = "a" * 8000000; length(x)`, "{}")
	}
	for _, i := range waiting(shared) {
		if n := i.memory.Size(); n > maxKept {
			t.Errorf("an instance with %d bytes waits", n)
		}
	}
	checkSound(t, shared)
}

func TestManyRunsDoNotLeak(t *testing.T) {
	e := warmed(t, Options{})
	for n := range 3000 {
		run(t, e, `.id = uuid_v4(); .at = now(); .hash = hmac(to_string!(.s), "key"); parse_json!("[1,2]")`, fmt.Sprintf(`{"s":"%d"}`, n))
		if _, err := e.Run(t.Context(), "to_int!(.s)", jsontext.Value(`{"s":"x"}`)); !fault.Is(err, fault.Runtime) {
			t.Fatal(err)
		}
	}
	for _, i := range waiting(e) {
		if n := i.handles.used(); n > 20 {
			t.Errorf("an instance holds %d values after its runs", n)
		}
		if n := i.memory.Size(); n > 8<<20 {
			t.Errorf("an instance has %d bytes after small runs", n)
		}
	}
}

func TestTimeLimit(t *testing.T) {
	e := warmed(t, Options{})
	compiled(t, e)
	e.options.Time = 50 * time.Millisecond
	data := `{"list":[` + strings.TrimSuffix(strings.Repeat("1,", 5000), ",") + `]}`
	slow := `n = 0
		for_each(array!(.list)) -> |_, _| { for_each(array!(.list)) -> |_, _| { n = n + 1 } }
		n`
	// Only a run that was interrupted ends so: one that comes to its end has a result.
	_, err := e.Run(t.Context(), slow, jsontext.Value(data))
	if !fault.Is(err, fault.OperationTimeout) {
		t.Errorf("got %v, want OperationTimeout", err)
	}
	if n := len(waiting(e)); n != 0 {
		t.Errorf("%d instances wait; the one that was stopped must not", n)
	}
}

func TestCallerGivesUp(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := shared.Run(canceled, "1", jsontext.Value("{}")); err == nil {
		t.Error("a run of a caller who is gone succeeded")
	}
	late, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if _, err := shared.Run(late, "1", jsontext.Value("{}")); !fault.Is(err, fault.OperationTimeout) {
		t.Errorf("got %v, want OperationTimeout", err)
	}
	checkSound(t, shared)
}

// TestCallerGivesUpAtTheEnd holds that an instance is not kept when the caller gave up
// before the run came to its end: it may still be closed then, under the next run.
func TestCallerGivesUpAtTheEnd(t *testing.T) {
	e := warmed(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	err := e.with(ctx, func(ctx context.Context, i *instance) error {
		_, err := i.Execute(ctx, "1", []byte("{}"))
		cancel()
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if n := len(waiting(e)); n != 0 {
		t.Errorf("%d instances wait for another run", n)
	}
	checkSound(t, e)
}

func TestBuildWithoutEngine(t *testing.T) {
	_, err := unpack(fstest.MapFS{"engine/NOTICE": {}})
	if !fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), "make build") {
		t.Errorf("got %v, want an Internal fault that says how to build", err)
	}
}

func TestNotice(t *testing.T) {
	for _, says := range []string{"MIT License", "Mozilla Public License 2.0", "https://github.com/vectordotdev/vrl"} {
		if !strings.Contains(Notice(), says) {
			t.Errorf("the notice does not say %q", says)
		}
	}
}

func BenchmarkRun(b *testing.B) {
	compiled(b, shared)
	program := `signature = string!(.headers."x-signature")
		body = parse_json!(.body)
		expected = encode_base16(hmac(string!(.body), string!(.secrets.key)))
		if signature == expected { "ok" } else { to_string!(body.team.id) }`
	data := jsontext.Value(`{"path":"/","method":"POST","headers":{"x-signature":"none"},"secrets":{"key":"k"},"body":"{\"team\":{\"id\":\"T123\"},\"text\":\"hello\"}"}`)
	b.ReportAllocs()
	for b.Loop() {
		r, err := shared.Run(b.Context(), program, data)
		if err != nil || string(r.Value) != `"T123"` {
			b.Fatal(string(r.Value), err)
		}
	}
}
