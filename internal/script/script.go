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
	// MaxDiagnostics bounds how much of the engine's diagnostics an error contains.
	MaxDiagnostics = 2000
)

// interpreterFactor is how many times longer an interpreted run may take.
const interpreterFactor = 10

// Result is the outcome of a program: the data as it changed them, and the value of its last
// expression. Both are canonical JSON.
type Result struct {
	Data  jsontext.Value
	Value jsontext.Value
}

// Run runs a program on data, which is any JSON. Errors: InvalidPayload when the program does
// not compile or data is not JSON, PayloadTooLarge when either is too large, Runtime when
// the program fails, aborts or exceeds its memory, OperationTimeout when it takes too long
// or the deadline of ctx passes, Internal when this build has no engine, and
// context.Canceled.
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

// Evaluate is Run for callers that need only the value of the last expression.
func (e *Engine) Evaluate(ctx context.Context, program string, data jsontext.Value) (jsontext.Value, error) {
	r, err := e.Run(ctx, program, data)
	return r.Value, err
}

// Check compiles a program without running it. The errors are those of Run.
func (e *Engine) Check(ctx context.Context, program string) error {
	if err := checkProgram(program); err != nil {
		return err
	}
	return e.with(ctx, func(ctx context.Context, i *instance) error {
		return i.Check(ctx, strings.ToValidUTF8(program, "\uFFFD"))
	})
}

// with calls use with an instance, and interrupts it when it takes longer than a run may.
func (e *Engine) with(ctx context.Context, use func(context.Context, *instance) error) error {
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-ctx.Done():
		return contextFault(ctx)
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
		limit *= interpreterFactor
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = use(bounded, i)
	var ended trap
	if !errors.As(err, &ended) {
		// The runtime closes the instance in a goroutine of its own when the context ends.
		// If that happens as the last call returns, the call succeeds and the instance is
		// closed after it.
		sound = bounded.Err() == nil
		return rejectionFault(err)
	}
	switch {
	case ctx.Err() != nil:
		return contextFault(ctx)
	case bounded.Err() != nil:
		return timeoutFault(limit)
	}
	e.options.Log.Warn("a script ended an instance of the engine", "cause", truncate(ended.Error()), "panic", truncate(i.panicked))
	return trapFault(ended)
}

// rejectionFault is the fault of a rejection; other errors stay what they are.
func rejectionFault(err error) error {
	var r rejection
	switch {
	case !errors.As(err, &r):
		return err
	case r.compiling:
		return fault.New(fault.InvalidPayload, "The script does not compile. %s", truncate(r.message))
	}
	return fault.New(fault.Runtime, "The script failed: %s", truncate(r.message))
}

// contextFault is the error of a run whose context is done.
func contextFault(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.New(fault.OperationTimeout, "The script did not run in time, because this server is running many others. Send it again later.").Because(ctx.Err())
	}
	return ctx.Err()
}

func timeoutFault(limit time.Duration) error {
	return fault.New(fault.OperationTimeout, "The script was stopped because it ran longer than %s. Let it work on less data.", limit)
}

// trapFault is the fault of a run that ended in a trap.
func trapFault(ended trap) error {
	var n tooLarge
	if errors.As(ended, &n) {
		return fault.New(fault.Runtime, "The script's result has %d bytes; at most %d are allowed.", uint32(n), MaxResult)
	}
	return fault.New(fault.Runtime, "The script was stopped because it needed more than %d MiB of memory, is nested too deeply, or hit a bug in the engine.", MaxMemory>>20).Because(ended)
}

func checkProgram(program string) error {
	if n := len(program); n > MaxProgram {
		return fault.New(fault.PayloadTooLarge, "The script has %d bytes; at most %d are allowed.", n, MaxProgram)
	}
	return nil
}

// canonical is data as JavaScript would encode them: numbers are 64-bit floats in their
// shortest form, and invalid UTF-8 is replaced.
func canonical(data jsontext.Value) (jsontext.Value, error) {
	if n := len(data); n > MaxData {
		return nil, fault.New(fault.PayloadTooLarge, "The script's data have %d bytes; at most %d are allowed.", n, MaxData)
	}
	data = bytes.ToValidUTF8(data, []byte("\uFFFD"))
	if err := data.Canonicalize(jsontext.AllowInvalidUTF8(true)); err != nil {
		return nil, fault.New(fault.InvalidPayload, "The script's data are not valid JSON: %s", truncate(err.Error()))
	}
	if n := nesting(data); n > MaxNesting {
		return nil, fault.New(fault.InvalidPayload, "The script's data are nested %d levels deep; at most %d are allowed.", n, MaxNesting)
	}
	return data, nil
}

// nesting is the depth of objects and arrays in valid JSON.
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

// truncate bounds a text for messages and the log.
func truncate(text string) string {
	if len(text) <= MaxDiagnostics {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes in all)", strings.ToValidUTF8(text[:MaxDiagnostics], ""), len(text))
}
