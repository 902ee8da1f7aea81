package script

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/botyard/botyard/internal/clock"
)

// Options configure an Engine. CacheDir is where the compiled engine is kept, 35 MB. It is
// created when it does not exist, and may be removed while nothing runs. Others must not
// be able to write to it: its content is executed.
type Options struct {
	CacheDir string
	Clock    clock.Clock
	Log      *slog.Logger
	// Time is how long one run may take; 0 means one second.
	Time time.Duration
	// Idle is how long the engine stays in memory without a run; 0 means five minutes.
	Idle time.Duration
}

// loadTimeout is how long the first run waits for compiled code that an earlier process
// left behind. Loading takes longer only when that code is of another version and has to
// be compiled again.
const loadTimeout = 2 * time.Second

// compileMemory is how much memory, in bytes, must be free for the engine to be compiled
// while the interpreter runs. With less, scripts stay interpreted.
const compileMemory = 1 << 30

// Engine runs VRL programs. It is safe for concurrent use. As many programs run at once as
// there are processors; the others wait. The caller must close it.
type Engine struct {
	options       Options
	compileMemory int64
	loadTime      time.Duration
	slots         chan struct{}
	// background is done when the engine is closed.
	background context.Context
	stop       context.CancelFunc
	work       sync.WaitGroup

	mu          sync.Mutex
	closed      bool
	machine     *machine // takes new runs; nil until the first, and after an idle time
	warming     *warming // under way, or nil
	unloadTimer *time.Timer
}

// warming is the process of loading the engine, up to compiled code.
type warming struct {
	ready chan struct{} // closed when there is a machine, or none is to come
	err   error         // why none is to come
}

// New creates an engine, which does nothing until the first run.
func New(o Options) *Engine {
	if o.Time == 0 {
		o.Time = time.Second
	}
	if o.Idle == 0 {
		o.Idle = 5 * time.Minute
	}
	background, stop := context.WithCancel(context.Background())
	return &Engine{
		options: o, compileMemory: compileMemory, loadTime: loadTimeout, slots: make(chan struct{}, runtime.GOMAXPROCS(0)),
		background: background, stop: stop,
	}
}

var errClosed = errors.New("the script engine is closed")

// acquire answers the machine for one run, and waits for one to be loaded when there is
// none. The caller hands it back with release.
func (e *Engine) acquire(ctx context.Context) (*machine, error) {
	for {
		e.mu.Lock()
		if e.closed {
			e.mu.Unlock()
			return nil, errClosed
		}
		if m := e.machine; m != nil {
			m.users++
			e.mu.Unlock()
			return m, nil
		}
		w := e.warming
		if w == nil {
			w = &warming{ready: make(chan struct{})}
			e.warming = w
			e.work.Go(func() { e.warm(w) })
		}
		e.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, contextFault(ctx)
		case <-w.ready:
			if w.err != nil {
				return nil, w.err
			}
		}
	}
}

// warm loads the engine: compiled when an earlier process left its code behind, else
// interpreted until the compiler is done.
func (e *Engine) warm(w *warming) {
	var once sync.Once
	// Waiting runs read w.err as soon as w.ready is closed, so it is set before that and
	// never again.
	settle := func(err error) {
		once.Do(func() {
			w.err = err
			close(w.ready)
		})
	}
	defer func() {
		e.mu.Lock()
		e.warming = nil
		e.scheduleUnload()
		e.mu.Unlock()
		settle(errClosed)
	}()
	o := e.options
	wasm, err := unpack(embedded)
	if err != nil {
		settle(err)
		return
	}
	if hasCode(o.CacheDir) {
		ctx, cancel := context.WithTimeout(e.background, e.loadTime)
		m, err := compile(ctx, wasm, o.CacheDir, o.Clock)
		cancel()
		if err == nil {
			e.install(m)
			settle(nil)
			return
		}
	}
	m, err := interpret(e.background, wasm, o.Clock)
	if err != nil {
		settle(err)
		return
	}
	e.install(m)
	settle(nil)
	if free := available(); free < e.compileMemory {
		o.Log.Warn("scripts are interpreted, which is slow: too little memory is free to compile the VRL engine", "free_mib", free>>20, "needed_mib", e.compileMemory>>20)
		return
	}
	m, err = compile(e.background, wasm, o.CacheDir, o.Clock)
	switch {
	case err == nil:
		e.install(m)
	case e.background.Err() == nil:
		o.Log.Warn("scripts are interpreted, which is slow: the VRL engine could not be compiled", "cause", err)
	}
}

// available is how much memory, in bytes, may still be taken: the minimum of what the
// machine has free, what its container or service allows, and GOMEMLIMIT.
func available() int64 {
	limit := debug.SetMemoryLimit(-1) // only reads it
	if free, known := freeMemory(); known {
		return min(free, limit)
	}
	return limit
}

// install makes m the machine for new runs. The previous one is closed after its last run.
func (e *Engine) install(m *machine) {
	e.mu.Lock()
	before := e.machine
	e.machine = m
	if e.closed {
		before, e.machine = m, nil
	}
	unused := e.retire(before)
	e.mu.Unlock()
	e.end(unused)
}

// retire keeps a machine, which may be nil, from getting further runs. It answers the
// machine, to be given to end, when nothing runs on it. The caller holds the mutex.
func (e *Engine) retire(m *machine) *machine {
	if m == nil {
		return nil
	}
	m.retired = true
	if m.users > 0 {
		return nil
	}
	return m
}

// end closes a machine, which may be nil, and returns its memory to the system at once: it
// is large, and the next garbage collection may be far off.
func (e *Engine) end(m *machine) {
	if m == nil {
		return
	}
	if err := m.close(); err != nil {
		e.options.Log.Warn("a script machine was not closed cleanly", "cause", err)
	}
	*m = machine{retired: true}
	debug.FreeOSMemory()
}

// take answers an instance for one run on m: one that waits, or a new one.
func (e *Engine) take(ctx context.Context, m *machine) (*instance, error) {
	e.mu.Lock()
	if n := len(m.waiting); n > 0 {
		i := m.waiting[n-1]
		m.waiting = m.waiting[:n-1]
		e.mu.Unlock()
		return i, nil
	}
	e.mu.Unlock()
	return m.instantiate(ctx)
}

// release ends a run on m. The instance waits for another run, unless it is not sound or
// has grown too large.
func (e *Engine) release(m *machine, i *instance, sound bool) {
	e.mu.Lock()
	m.users--
	if i != nil && sound && !m.retired && i.reusable() {
		m.waiting = append(m.waiting, i)
		i = nil
	}
	var unused *machine
	if m.retired {
		unused = e.retire(m)
	}
	e.scheduleUnload()
	e.mu.Unlock()
	if i != nil {
		if err := i.module.Close(context.Background()); err != nil {
			e.options.Log.Warn("a script instance was not closed cleanly", "cause", err)
		}
	}
	e.end(unused)
}

// scheduleUnload restarts the idle time. The caller holds the mutex.
func (e *Engine) scheduleUnload() {
	if e.closed || e.machine == nil {
		return
	}
	if e.unloadTimer == nil {
		e.unloadTimer = time.AfterFunc(e.options.Idle, e.unload)
		return
	}
	e.unloadTimer.Reset(e.options.Idle)
}

// unload frees the engine's memory, unless something runs or is being compiled: the end of
// either restarts the idle time.
func (e *Engine) unload() {
	e.mu.Lock()
	if e.machine == nil || e.machine.users > 0 || e.warming != nil {
		e.mu.Unlock()
		return
	}
	unused := e.retire(e.machine)
	e.machine = nil
	e.mu.Unlock()
	e.end(unused)
}

// Close cancels a compilation in progress and refuses further runs. Runs in progress
// finish.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	if e.unloadTimer != nil {
		e.unloadTimer.Stop()
	}
	unused := e.retire(e.machine)
	e.machine = nil
	e.mu.Unlock()
	e.stop()
	e.work.Wait()
	e.end(unused)
	return nil
}
