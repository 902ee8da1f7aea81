package script

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/botyard/botyard/internal/clock"
)

const (
	pageSize = 64 << 10
	// MaxMemory is the memory that one run may use.
	MaxMemory = 64 << 20
	// compilers is how many goroutines compile. With fewer than two, wazero cannot cancel
	// a compilation.
	compilers = 2
)

// machine is a WebAssembly runtime in which the engine is loaded. The second group of fields
// is guarded by the Engine's mutex.
type machine struct {
	runtime  wazero.Runtime
	module   wazero.CompiledModule
	cache    wazero.CompilationCache
	clock    clock.Clock
	compiled bool

	waiting []*instance // kept for further runs
	users   int         // runs in progress
	retired bool        // gets no new runs
}

// interpret makes a machine that is ready after half a second but runs slowly. It keeps
// 210 MB.
func interpret(ctx context.Context, binary []byte, clock clock.Clock) (*machine, error) {
	m := &machine{clock: clock}
	return m, m.load(ctx, wazero.NewRuntimeConfigInterpreter(), binary)
}

// compile makes a machine that runs fast and keeps 50 MB. It takes ten seconds and 700 MB,
// but only a moment when dir has the code of an earlier compilation. It fails where there
// is no compiler for the processor, or the system does not let processes make code.
func compile(ctx context.Context, binary []byte, dir string, clock clock.Clock) (m *machine, err error) {
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, fmt.Errorf("this system cannot run compiled code: %v", p)
		}
	}()
	m = &machine{clock: clock, compiled: true}
	if m.cache, err = wazero.NewCompilationCacheWithDir(dir); err != nil {
		return nil, fmt.Errorf("the directory for compiled code: %w", err)
	}
	return m, m.load(experimental.WithCompilationWorkers(ctx, compilers), wazero.NewRuntimeConfigCompiler().WithCompilationCache(m.cache), binary)
}

// hasCode says whether dir has compiled code. Whether it is of this version turns out when
// it is loaded.
func hasCode(dir string) (found bool) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && filepath.Ext(path) != ".tmp" {
			found = true
			return fs.SkipAll
		}
		return nil // what cannot be read counts as absent
	})
	return found
}

// load creates the runtime and compiles the engine; it closes the machine when it fails.
func (m *machine) load(ctx context.Context, config wazero.RuntimeConfig, binary []byte) (err error) {
	m.runtime = wazero.NewRuntimeWithConfig(ctx, config.
		WithCloseOnContextDone(true).
		WithMemoryLimitPages(MaxMemory/pageSize).
		WithDebugInfoEnabled(false))
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	if err := provide(ctx, m.runtime); err != nil {
		return err
	}
	m.module, err = m.runtime.CompileModule(ctx, binary)
	return err
}

// instantiate makes an instance, which outlives ctx.
func (m *machine) instantiate(ctx context.Context) (*instance, error) {
	module, err := m.runtime.InstantiateModule(context.WithoutCancel(ctx), m.module, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		return nil, err
	}
	i, err := newInstance(module, m.clock)
	if err != nil {
		return nil, errors.Join(err, module.Close(context.WithoutCancel(ctx)))
	}
	return i, nil
}

// close frees everything. No run may be in progress.
func (m *machine) close() error {
	err := m.runtime.Close(context.Background())
	if m.cache != nil {
		err = errors.Join(err, m.cache.Close(context.Background()))
	}
	return err
}
