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

// Options are what an Engine needs. CacheDir takes the compiled engine, 35 MB; it
// is made when it is not there, and may be removed while nothing runs. It must
// not be writable for others: what stands in it is executed.
type Options struct {
	CacheDir string
	Clock    clock.Clock
	Log      *slog.Logger
	// Time bounds one run; 0 is a second.
	Time time.Duration
	// Idle is how long the engine stays in memory without a run; 0 is five
	// minutes.
	Idle time.Duration
}

// patience is how long the first run waits for the compiled code that an earlier
// process left. It takes longer only when that code is of another version.
const patience = 2 * time.Second

// room is the memory, in bytes, that must be free for the engine to be compiled
// beside the interpreter. With less, scripts are interpreted.
const room = 1 << 30

// Engine runs VRL programs. It is safe for concurrent use; as many programs run
// at once as there are processors, and others wait. The caller closes it.
type Engine struct {
	options Options
	room    int64
	slots   chan struct{}
	// background ends when the engine is closed.
	background context.Context
	stop       context.CancelFunc
	work       sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	machine *machine // takes new runs; nil until the first, and after an idle time
	warming *warming // under way, or nil
	cooling *time.Timer
}

// warming is the way from nothing to compiled code.
type warming struct {
	ready chan struct{} // closed when there is a machine, or none is to come
	err   error         // why none is to come
}

// New makes an engine. It does nothing until the first run.
func New(o Options) *Engine {
	if o.Time == 0 {
		o.Time = time.Second
	}
	if o.Idle == 0 {
		o.Idle = 5 * time.Minute
	}
	background, stop := context.WithCancel(context.Background())
	return &Engine{options: o, room: room, slots: make(chan struct{}, runtime.GOMAXPROCS(0)), background: background, stop: stop}
}

var errClosed = errors.New("the script engine is closed")

// acquire gives a machine for one run, and makes one when there is none. The
// caller gives it back with release.
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
			return nil, gaveUp(ctx)
		case <-w.ready:
			if w.err != nil {
				return nil, w.err
			}
		}
	}
}

// warm brings the engine into memory: compiled when an earlier process left the
// code, else interpreted until the compiler is done.
func (e *Engine) warm(w *warming) {
	var once sync.Once
	// Those who wait read w.err once w.ready is closed, so it is set before and never
	// again.
	settle := func(err error) {
		once.Do(func() {
			w.err = err
			close(w.ready)
		})
	}
	defer func() {
		e.mu.Lock()
		e.warming = nil
		e.coolLater()
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
		ctx, cancel := context.WithTimeout(e.background, patience)
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
	if free := available(); free < e.room {
		o.Log.Warn("scripts are interpreted, which is slow: too little memory is free to compile the VRL engine", "free_mib", free>>20, "needed_mib", e.room>>20)
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

// available is how much memory, in bytes, may still be taken: the least of what
// the machine has, its container allows, and the process was told to keep to.
func available() int64 {
	limit := debug.SetMemoryLimit(-1) // only reads it
	if free, known := freeMemory(); known {
		return min(free, limit)
	}
	return limit
}

// install lets a machine take the runs to come. The one before it ends with its
// last run.
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

// retire takes a machine, or none, out of use; it answers the machine when
// nothing runs on it, for end. The mutex is held.
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

// end closes a machine, or none, and gives its memory back at once: it is large,
// and the next collection may be far.
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

// take gives an instance for one run on m.
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

// release ends a run on m. An instance that is not sound, or has grown, is
// dropped.
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
	e.coolLater()
	e.mu.Unlock()
	if i != nil {
		if err := i.module.Close(context.Background()); err != nil {
			e.options.Log.Warn("a script instance was not closed cleanly", "cause", err)
		}
	}
	e.end(unused)
}

// coolLater starts the idle time anew. The mutex is held.
func (e *Engine) coolLater() {
	if e.closed || e.machine == nil {
		return
	}
	if e.cooling == nil {
		e.cooling = time.AfterFunc(e.options.Idle, e.cool)
		return
	}
	e.cooling.Reset(e.options.Idle)
}

// cool gives the engine's memory back, unless something runs or is being
// compiled: the end of either starts the idle time anew.
func (e *Engine) cool() {
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

// Close ends a compilation under way and refuses further runs. Those under way
// finish.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	if e.cooling != nil {
		e.cooling.Stop()
	}
	unused := e.retire(e.machine)
	e.machine = nil
	e.mu.Unlock()
	e.stop()
	e.work.Wait()
	e.end(unused)
	return nil
}
