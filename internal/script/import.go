package script

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/botyard/botyard/internal/secret"
)

// importModule is the name of the module that the engine imports the host's functions
// from.
const importModule = "__wbindgen_placeholder__"

// maxOctets bounds the byte arrays that the engine creates. It reads random numbers 256
// bytes at a time.
const maxOctets = 64 << 10

// imported is one function that the engine imports. call finds its parameters on the stack
// and leaves its result there.
type imported struct {
	name    string // without the hash that the engine's build tool appended
	hash    string
	params  []api.ValueType
	results []api.ValueType
	call    func(ctx context.Context, i *instance, stack []uint64)
}

const (
	i32 = api.ValueTypeI32
	f64 = api.ValueTypeF64
)

func types(t ...api.ValueType) []api.ValueType { return t }

// returning is a function whose result is a new handle of what answer returns.
func returning(answer func(i *instance, stack []uint64) any) func(context.Context, *instance, []uint64) {
	return func(_ context.Context, i *instance, stack []uint64) {
		stack[0] = uint64(i.handles.add(answer(i, stack)))
	}
}

// predicate is a function whose result is whether its argument satisfies is.
func predicate(is func(value any) bool) func(context.Context, *instance, []uint64) {
	return func(_ context.Context, i *instance, stack []uint64) {
		answer := is(i.handles.get(uint32(stack[0])))
		stack[0] = 0
		if answer {
			stack[0] = 1
		}
	}
}

// constant is a function that always returns the same value.
func constant(value any) func(context.Context, *instance, []uint64) {
	return returning(func(*instance, []uint64) any { return value })
}

// unsupported is a function of JavaScript hosts that VRL never calls. If it did, the run
// would end with a trap that names the function.
func unsupported(name string) func(context.Context, *instance, []uint64) {
	return func(context.Context, *instance, []uint64) {
		panic(fmt.Errorf("the engine called %s, which this host does not have", name))
	}
}

// imports are all functions that the engine imports.
var imports = []imported{
	{"__wbindgen_is_undefined", "", types(i32), types(i32), predicate(func(v any) bool { return v == nil })},
	{"__wbindgen_is_object", "", types(i32), types(i32), predicate(isObject)},
	{"__wbindgen_is_string", "", types(i32), types(i32), predicate(func(v any) bool { _, is := v.(string); return is })},
	{"__wbindgen_is_function", "", types(i32), types(i32), predicate(func(any) bool { return false })},
	{"__wbindgen_object_drop_ref", "", types(i32), nil, func(_ context.Context, i *instance, stack []uint64) { i.handles.drop(uint32(stack[0])) }},
	{"__wbindgen_object_clone_ref", "", types(i32), types(i32), returning(argument)},
	{"__wbindgen_number_new", "", types(f64), types(i32), returning(func(_ *instance, stack []uint64) any { return api.DecodeF64(stack[0]) })},
	{"__wbindgen_string_new", "", types(i32, i32), types(i32), returning(func(i *instance, stack []uint64) any { return i.text(stack[0], stack[1]) })},
	{"__wbindgen_string_get", "", types(i32, i32), nil, stringGet},
	{"__wbindgen_error_new", "", types(i32, i32), types(i32), returning(func(i *instance, stack []uint64) any { return failure{i.text(stack[0], stack[1])} })},
	{"__wbindgen_throw", "", types(i32, i32), nil, func(_ context.Context, i *instance, stack []uint64) { panic(errors.New(i.text(stack[0], stack[1]))) }},
	{"__wbindgen_memory", "", nil, types(i32), constant(linearMemory)},

	// A panic is reported, with its stack, before it traps.
	{"__wbg_new", "abda76e883ba8a5f", nil, types(i32), constant(failure{})},
	{"__wbg_stack", "658279fe44541cf6", types(i32, i32), nil, func(ctx context.Context, i *instance, stack []uint64) { i.giveText(ctx, uint32(stack[0]), "") }},
	{"__wbg_error", "f851667af71bcfc6", types(i32, i32), nil, reportPanic},

	// JSON.
	{"__wbg_parse", "66d1801634e099ac", types(i32, i32), types(i32), returning(parse)},
	{"__wbg_stringify", "8887fe74e1c50d81", types(i32), types(i32), returning(stringify)},

	// Random numbers: the global object has a crypto, and neither node's process
	// nor a browser's msCrypto.
	{"__wbg_self", "ce0dbfc45cf2f5be", nil, types(i32), constant(globalObject)},
	{"__wbg_window", "c6fb939a7f436783", nil, types(i32), constant(globalObject)},
	{"__wbg_globalThis", "d1e6af4856ba331b", nil, types(i32), constant(globalObject)},
	{"__wbg_global", "207b558942527489", nil, types(i32), constant(globalObject)},
	{"__wbg_crypto", "566d7465cdbb6b7a", types(i32), types(i32), constant(randomSource)},
	{"__wbg_process", "dc09a8c7d59982f6", types(i32), types(i32), constant(nil)},
	{"__wbg_versions", "d98c6400c6ca2bd8", types(i32), types(i32), constant(nil)},
	{"__wbg_node", "caaf83d002149bd5", types(i32), types(i32), constant(nil)},
	{"__wbg_msCrypto", "0b84745e9245cdf6", types(i32), types(i32), constant(nil)},
	{"__wbg_getRandomValues", "260cc23a41afad9a", types(i32, i32), nil, fillRandom},
	{"__wbg_randomFillSync", "290977693942bf03", types(i32, i32), nil, unsupported("randomFillSync")},
	{"__wbg_require", "94a9da52636aacbf", nil, types(i32), unsupported("require")},
	{"__wbg_newnoargs", "e258087cd0daa0ea", types(i32, i32), types(i32), unsupported("Function")},
	{"__wbg_call", "27c0f87801dedf93", types(i32, i32), types(i32), unsupported("Function.call")},
	{"__wbg_call", "b3ca7c6051f9bec1", types(i32, i32, i32), types(i32), unsupported("Function.call")},

	// Byte arrays, by which random bytes reach the memory.
	{"__wbg_buffer", "12d079cc21e14bdb", types(i32), types(i32), constant(memoryBuffer)},
	{"__wbg_newwithbyteoffsetandlength", "aa4a17c33a06e5cb", types(i32, i32, i32), types(i32), returning(func(_ *instance, stack []uint64) any {
		return window{uint32(stack[1])}
	})},
	{"__wbg_new", "63b92bc8671ed464", types(i32), types(i32), constant(window{})},
	{"__wbg_newwithlength", "e9b4878cebadb3d3", types(i32), types(i32), returning(newOctets)},
	{"__wbg_subarray", "a1f73cd4b5b42fe1", types(i32, i32, i32), types(i32), returning(subarray)},
	{"__wbg_set", "a47bac70306a19a7", types(i32, i32, i32), nil, set},

	// The time, and the local time zone, which is UTC.
	{"__wbg_new0", "7d84e5b2cd9fdc73", nil, types(i32), returning(func(i *instance, _ []uint64) any { return date{i.clock.Now()} })},
	{"__wbg_new", "cf3ec55744a78578", types(i32), types(i32), returning(newDate)},
	{"__wbg_newwithyearmonthdayhrminsec", "19ea6fc6146755a0", types(i32, i32, i32, i32, i32, i32), types(i32), returning(dateOfFields)},
	{"__wbg_getTime", "2bc4375165f02d15", types(i32), types(f64), getTime},
	{"__wbg_getTimezoneOffset", "38257122e236c190", types(i32), types(f64), func(_ context.Context, _ *instance, stack []uint64) { stack[0] = api.EncodeF64(0) }},
	{"__wbg_new", "16b304a2cfa7ff4a", nil, types(i32), constant(plainObject)},
	{"__wbg_new", "72fb9a18b5ae2624", nil, types(i32), constant(plainObject)},
	{"__wbg_new", "d1e254633306c863", types(i32, i32), types(i32), constant(timeFormat)},
	{"__wbg_resolvedOptions", "d9546e4eba6aff08", types(i32), types(i32), constant(timeOptions)},
	{"__wbg_get", "e3c254076557e348", types(i32, i32), types(i32), returning(getProperty)},
}

// provide registers the imported functions with a runtime. They find the calling instance
// in the context.
func provide(ctx context.Context, runtime wazero.Runtime) error {
	host := runtime.NewHostModuleBuilder(importModule)
	for _, f := range imports {
		name := f.name
		if f.hash != "" {
			name += "_" + f.hash
		}
		host.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, _ api.Module, stack []uint64) {
			f.call(ctx, ctx.Value(instanceKey{}).(*instance), stack)
		}), f.params, f.results).Export(name)
	}
	_, err := host.Instantiate(ctx)
	return err
}

func argument(i *instance, stack []uint64) any { return i.handles.get(uint32(stack[0])) }

func isObject(value any) bool {
	switch value.(type) {
	case nil, null, bool, string, float64:
		return false
	}
	return true
}

// stringGet copies a string into the memory and writes its address and length; the address
// is 0 when the value is not a string.
func stringGet(ctx context.Context, i *instance, stack []uint64) {
	if text, is := i.handles.get(uint32(stack[1])).(string); is {
		i.giveText(ctx, uint32(stack[0]), text)
		return
	}
	i.write(uint32(stack[0]), 0)
	i.write(uint32(stack[0])+4, 0)
}

func reportPanic(ctx context.Context, i *instance, stack []uint64) {
	i.panicked = i.text(stack[0], stack[1])
	i.call(ctx, i.free, stack[0], stack[1], 1)
}

func parse(i *instance, stack []uint64) any {
	if n := uint32(stack[1]); n > MaxResult {
		panic(tooLarge(n))
	}
	return document(i.text(stack[0], stack[1]))
}

func stringify(i *instance, stack []uint64) any {
	text, is := argument(i, stack).(document)
	if !is {
		panic(fmt.Errorf("the engine stringified a %T, not JSON", argument(i, stack)))
	}
	return string(text)
}

func fillRandom(_ context.Context, i *instance, stack []uint64) {
	array, is := i.handles.get(uint32(stack[1])).(octets)
	if !is {
		panic(errors.New("the engine asked for random values in something that is not a byte array"))
	}
	copy(array.bytes, secret.Random(len(array.bytes)))
}

func newOctets(_ *instance, stack []uint64) any {
	n := uint32(stack[0])
	if n > maxOctets {
		panic(fmt.Errorf("the engine asked for a byte array of %d bytes", n))
	}
	return octets{make([]byte, n)}
}

// subarray shares the bytes of its array, as in JavaScript.
func subarray(i *instance, stack []uint64) any {
	from, to := uint32(stack[1]), uint32(stack[2])
	switch array := argument(i, stack).(type) {
	case octets:
		return octets{array.bytes[from:to]}
	case window:
		return window{array.from + from}
	default:
		panic(fmt.Errorf("the engine asked for a subarray of a %T", array))
	}
}

// set copies an array of bytes into the memory.
func set(_ context.Context, i *instance, stack []uint64) {
	target, isWindow := i.handles.get(uint32(stack[0])).(window)
	source, isOctets := i.handles.get(uint32(stack[1])).(octets)
	at := target.from + uint32(stack[2])
	if !isWindow || !isOctets || !i.memory.Write(at, source.bytes) {
		panic(errors.New("the engine copied bytes to an address outside of its memory"))
	}
}

// newDate makes a date from milliseconds since 1970, or from another date.
func newDate(i *instance, stack []uint64) any {
	switch value := argument(i, stack).(type) {
	case float64:
		return date{time.UnixMilli(int64(value)).UTC()}
	case date:
		return value
	default:
		panic(fmt.Errorf("the engine asked for a date of a %T", value))
	}
}

// dateOfFields makes a date as JavaScript does: months count from 0, and years below 100 are
// in the twentieth century.
func dateOfFields(_ *instance, stack []uint64) any {
	field := func(n int) int { return int(int32(stack[n])) }
	year := field(0)
	if 0 <= year && year < 100 {
		year += 1900
	}
	return date{time.Date(year, time.Month(field(1)+1), field(2), field(3), field(4), field(5), 0, time.UTC)}
}

func getTime(_ context.Context, i *instance, stack []uint64) {
	value, is := argument(i, stack).(date)
	if !is {
		panic(errors.New("the engine asked for the time of something that is not a date"))
	}
	stack[0] = api.EncodeF64(float64(value.UnixMilli()))
}

// getProperty knows the only property that the engine reads: the local time zone.
func getProperty(i *instance, stack []uint64) any {
	if argument(i, stack) == timeOptions && i.handles.get(uint32(stack[1])) == "timeZone" {
		return "UTC"
	}
	return nil
}
