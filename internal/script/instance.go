package script

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/tetratelabs/wazero/api"

	"github.com/botyard/botyard/internal/clock"
)

// maxKept is the largest memory, in bytes, of an instance that is kept for another run. The
// memory of an instance never shrinks; a new one has 3.5 MB.
const maxKept = 16 << 20

// instance is one copy of the engine. It runs one program at a time.
type instance struct {
	module  api.Module
	memory  api.Memory
	handles *table
	clock   clock.Clock
	// panicked is the message of a panic in the engine, which comes before its trap.
	panicked string

	execute, check, format, malloc, free, moveStack api.Function
}

type instanceKey struct{}

func newInstance(module api.Module, clock clock.Clock) (*instance, error) {
	i := &instance{module: module, memory: module.Memory(), handles: newTable(), clock: clock}
	for name, function := range map[string]*api.Function{
		"execute": &i.execute, "check": &i.check, "format_diagnostic": &i.format,
		"__wbindgen_malloc": &i.malloc, "__wbindgen_free": &i.free, "__wbindgen_add_to_stack_pointer": &i.moveStack,
	} {
		if *function = module.ExportedFunction(name); *function == nil {
			return nil, fmt.Errorf("the engine has no function %s", name)
		}
	}
	if i.memory == nil {
		return nil, errors.New("the engine exports no memory")
	}
	return i, nil
}

// reusable says whether the instance may be kept for another run.
func (i *instance) reusable() bool {
	return i.memory.Size() <= maxKept && i.handles.used() < maxHandles/10
}

// trap is an error after which the instance must not be used again.
type trap struct{ cause error }

func (t trap) Error() string { return t.cause.Error() }
func (t trap) Unwrap() error { return t.cause }

// tooLarge is the size, in bytes, of a result that exceeds MaxResult.
type tooLarge uint32

func (n tooLarge) Error() string { return fmt.Sprintf("the result has %d bytes", uint32(n)) }

// rejection is an error that the engine reports about a program. The instance stays sound.
type rejection struct {
	compiling bool
	message   string
}

func (r rejection) Error() string { return r.message }

// call calls a function of the engine. It panics with a trap when that fails, because it is
// also used inside of host functions, which cannot return an error.
func (i *instance) call(ctx context.Context, f api.Function, arguments ...uint64) uint64 {
	results, err := f.Call(ctx, arguments...)
	if err != nil {
		panic(trap{err})
	}
	if len(results) == 0 {
		return 0
	}
	return results[0]
}

// guard turns the panics of call, read and write into an error.
func guard(err *error) {
	switch p := recover().(type) {
	case nil:
	case trap:
		*err = p
	case error:
		*err = trap{p}
	default:
		panic(p)
	}
}

// Execute runs a program on data, which must be canonical JSON. The error is a rejection or
// a trap.
func (i *instance) Execute(ctx context.Context, program string, data []byte) (r Result, err error) {
	defer guard(&err)
	ctx = context.WithValue(ctx, instanceKey{}, i)
	frame := uint32(i.call(ctx, i.moveStack, negative(16)))
	address := i.give(ctx, program)
	i.call(ctx, i.execute, uint64(frame), uint64(address), uint64(len(program)), uint64(i.handles.add(document(data))))
	value, problem, failed := i.read(frame), i.read(frame+4), i.read(frame+8)
	i.call(ctx, i.moveStack, 16)
	if failed != 0 {
		return Result{}, rejectionOf(i.handles.take(problem))
	}
	text, is := i.handles.take(value).(document)
	if !is {
		return Result{}, trap{errors.New("the engine answered something that is not JSON")}
	}
	var answer struct {
		Event  jsontext.Value `json:"event"`
		Result jsontext.Value `json:"result"`
	}
	if err := json.Unmarshal(text, &answer, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return Result{}, trap{err}
	}
	return Result{Data: answer.Event, Value: answer.Result}, nil
}

// Check compiles a program. The error is a rejection or a trap.
func (i *instance) Check(ctx context.Context, program string) (err error) {
	defer guard(&err)
	ctx = context.WithValue(ctx, instanceKey{}, i)
	address := i.give(ctx, program)
	text, is := i.handles.take(uint32(i.call(ctx, i.check, uint64(address), uint64(len(program))))).(document)
	if !is {
		return trap{errors.New("the engine's diagnostics are not JSON")}
	}
	var found struct {
		Errors []jsontext.Value `json:"errors"`
	}
	if err := json.Unmarshal(text, &found, jsontext.AllowInvalidUTF8(true)); err != nil {
		return trap{err}
	}
	if len(found.Errors) == 0 {
		return nil
	}
	var messages []string
	for _, diagnostic := range found.Errors {
		message, err := i.describe(ctx, diagnostic)
		if err != nil {
			return err
		}
		messages = append(messages, message)
	}
	return rejection{compiling: true, message: strings.Join(messages, "\n")}
}

// describe formats a diagnostic for people.
func (i *instance) describe(ctx context.Context, diagnostic []byte) (string, error) {
	frame := uint32(i.call(ctx, i.moveStack, negative(16)))
	i.call(ctx, i.format, uint64(frame), uint64(i.handles.add(document(diagnostic))))
	address, length, problem, failed := i.read(frame), i.read(frame+4), i.read(frame+8), i.read(frame+12)
	i.call(ctx, i.moveStack, 16)
	if failed != 0 {
		return "", trap{fmt.Errorf("the engine cannot describe a diagnostic: %v", i.handles.take(problem))}
	}
	text := strings.TrimSpace(i.text(uint64(address), uint64(length)))
	i.call(ctx, i.free, uint64(address), uint64(length), 1)
	return text, nil
}

// The first lines of the engine's errors.
const (
	compilationFailed = "Compilation Error;"
	runFailed         = "Termination;"
)

func rejectionOf(thrown any) error {
	f, is := thrown.(failure)
	if !is {
		return trap{fmt.Errorf("the engine threw a %T", thrown)}
	}
	if message, is := strings.CutPrefix(f.message, compilationFailed); is {
		return rejection{compiling: true, message: strings.TrimSpace(message)}
	}
	message, _ := strings.CutPrefix(f.message, runFailed)
	return rejection{message: strings.TrimSpace(message)}
}

// negative encodes -n as a parameter.
func negative(n int32) uint64 { return api.EncodeI32(-n) }

func (i *instance) read(address uint32) uint32 {
	value, inside := i.memory.ReadUint32Le(address)
	if !inside {
		panic(trap{fmt.Errorf("address %d is not in the memory", address)})
	}
	return value
}

func (i *instance) write(address, value uint32) {
	if !i.memory.WriteUint32Le(address, value) {
		panic(trap{fmt.Errorf("address %d is not in the memory", address)})
	}
}

// text copies a string out of the memory, which may move when it grows.
func (i *instance) text(address, length uint64) string {
	bytes, inside := i.memory.Read(uint32(address), uint32(length))
	if !inside {
		panic(trap{fmt.Errorf("text of %d bytes at address %d is not in the memory", uint32(length), uint32(address))})
	}
	return string(bytes)
}

// give copies a string, which must be valid UTF-8, into memory that the engine then owns.
func (i *instance) give(ctx context.Context, text string) uint32 {
	address := uint32(i.call(ctx, i.malloc, uint64(len(text)), 1))
	if !i.memory.WriteString(address, text) {
		panic(trap{fmt.Errorf("the engine allocated no room for %d bytes", len(text))})
	}
	return address
}

// giveText is give, and writes the address and length of the copy to where.
func (i *instance) giveText(ctx context.Context, where uint32, text string) {
	address := i.give(ctx, text)
	i.write(where, address)
	i.write(where+4, uint32(len(text)))
}
