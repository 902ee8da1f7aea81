package script

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/fault"
)

// Bounds of a run, in bytes, and in levels of nesting.
const (
	MaxProgram = 64 << 10
	MaxData    = 1 << 20
	MaxResult  = 4 << 20
	MaxNesting = 100
	// MaxDiagnostics bounds what an error tells of the engine's words.
	MaxDiagnostics = 2000
)

// slowness is how much longer a run may take while it is interpreted.
const slowness = 10

// Result is what a program leaves: the data as it changed them, and the value of
// its last expression. Both are canonical JSON.
type Result struct {
	Data  jsontext.Value
	Value jsontext.Value
}

// Run runs a program on data, any JSON. Errors: InvalidPayload when the program
// does not compile or the data are no JSON, PayloadTooLarge when either is too
// large, Runtime when the program fails, is aborted or needs too much,
// OperationTimeout when it takes too long or ctx's deadline passes, Internal when
// this build has no engine; and context.Canceled.
func (e *Engine) Run(ctx context.Context, program string, data jsontext.Value) (Result, error) {
	if err := checkProgram(program); err != nil {
		return Result{}, err
	}
	data, err := canonical(data)
	if err != nil {
		return Result{}, err
	}
	var r Result
	err = e.with(ctx, func(ctx context.Context, i *instance) (err error) {
		r, err = i.Execute(ctx, strings.ToValidUTF8(program, "\uFFFD"), data)
		return err
	})
	if err != nil {
		return Result{}, err
	}
	for _, v := range []*jsontext.Value{&r.Data, &r.Value} {
		if err := v.Canonicalize(jsontext.AllowInvalidUTF8(true)); err != nil {
			return Result{}, err
		}
	}
	return r, nil
}

// Evaluate is Run for those who want only the value of the last expression.
func (e *Engine) Evaluate(ctx context.Context, program string, data jsontext.Value) (jsontext.Value, error) {
	r, err := e.Run(ctx, program, data)
	return r.Value, err
}

// Check compiles a program and does not run it. Errors are those of Run.
func (e *Engine) Check(ctx context.Context, program string) error {
	if err := checkProgram(program); err != nil {
		return err
	}
	return e.with(ctx, func(ctx context.Context, i *instance) error {
		return i.Check(ctx, strings.ToValidUTF8(program, "\uFFFD"))
	})
}

// with lends an instance to use, for no longer than a run may take.
func (e *Engine) with(ctx context.Context, use func(context.Context, *instance) error) error {
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-ctx.Done():
		return gaveUp(ctx)
	}
	m, err := e.acquire(ctx)
	if err != nil {
		return err
	}
	var i *instance
	sound := false
	defer func() { e.release(m, i, sound) }()
	if i, err = e.take(ctx, m); err != nil {
		return err
	}
	limit := e.options.Time
	if !m.compiled {
		limit *= slowness
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = use(bounded, i)
	var ended trap
	if sound = !errors.As(err, &ended); sound {
		return publicly(err)
	}
	switch {
	case ctx.Err() != nil:
		return gaveUp(ctx)
	case bounded.Err() != nil:
		return overtime(limit)
	}
	e.options.Log.Warn("a script ended an instance of the engine", "cause", cut(ended.Error()), "panic", cut(i.panicked))
	return brought(ended)
}

// publicly is the fault of a rejection.
func publicly(err error) error {
	var r rejection
	switch {
	case !errors.As(err, &r):
		return err
	case r.compiling:
		return fault.New(fault.InvalidPayload, "The script does not compile. %s", cut(r.message))
	}
	return fault.New(fault.Runtime, "The script failed: %s", cut(r.message))
}

// gaveUp is the error of a run whose caller's context ended.
func gaveUp(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.New(fault.OperationTimeout, "The script did not get its turn in time: many scripts run on this server now. Send it again later.").Because(ctx.Err())
	}
	return ctx.Err()
}

func overtime(limit time.Duration) error {
	return fault.New(fault.OperationTimeout, "The script was stopped: it ran longer than %s. Let it work on less data.", limit)
}

// brought is the fault of a program that ended its instance.
func brought(ended trap) error {
	var n tooLarge
	if errors.As(ended, &n) {
		return fault.New(fault.Runtime, "The script's result has %d bytes; at most %d are taken.", uint32(n), MaxResult)
	}
	return fault.New(fault.Runtime, "The script was stopped: it needed more than %d MiB of memory, is nested too deeply, or met a fault of the engine.", MaxMemory>>20).Because(ended)
}

func checkProgram(program string) error {
	if n := len(program); n > MaxProgram {
		return fault.New(fault.PayloadTooLarge, "The script has %d bytes; at most %d are taken.", n, MaxProgram)
	}
	return nil
}

// canonical is data as JavaScript would send them: numbers as 64-bit floats in
// their shortest form, text that is no text replaced.
func canonical(data jsontext.Value) (jsontext.Value, error) {
	if n := len(data); n > MaxData {
		return nil, fault.New(fault.PayloadTooLarge, "The script's data have %d bytes; at most %d are taken.", n, MaxData)
	}
	data = bytes.ToValidUTF8(data, []byte("\uFFFD"))
	if err := data.Canonicalize(jsontext.AllowInvalidUTF8(true)); err != nil {
		return nil, fault.New(fault.InvalidPayload, "The script's data are no JSON: %s", cut(err.Error()))
	}
	if n := nesting(data); n > MaxNesting {
		return nil, fault.New(fault.InvalidPayload, "The script's data are nested %d levels deep; at most %d are taken.", n, MaxNesting)
	}
	return data, nil
}

// nesting is how many objects and arrays of valid JSON stand in one another.
func nesting(data []byte) (deepest int) {
	depth, text := 0, false
	for n := 0; n < len(data); n++ {
		switch c := data[n]; {
		case c == '"':
			text = !text
		case text && c == '\\':
			n++
		case !text && (c == '{' || c == '['):
			depth++
			deepest = max(deepest, depth)
		case !text && (c == '}' || c == ']'):
			depth--
		}
	}
	return deepest
}

// cut bounds text for messages and the log.
func cut(text string) string {
	if len(text) <= MaxDiagnostics {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes in all)", strings.ToValidUTF8(text[:MaxDiagnostics], ""), len(text))
}
