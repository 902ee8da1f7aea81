package script

import (
	"fmt"
	"time"
)

// The engine was built for a JavaScript host. Values that live outside its memory (strings
// passed in or out, dates, the source of random numbers) are entries of a table that the
// host keeps, and the engine refers to them by handles. These types are the few kinds of
// values that it asks for. JSON values are kept as their text.
type (
	null      struct{}
	failure   struct{ message string } // an Error
	document  []byte                   // parsed JSON, kept as its text
	date      struct{ time.Time }
	octets    struct{ bytes []byte } // a Uint8Array of its own
	window    struct{ from uint32 }  // a Uint8Array over the memory
	singleton string
)

const (
	globalObject singleton = "globalThis"
	randomSource singleton = "crypto"
	linearMemory singleton = "memory"
	memoryBuffer singleton = "memory.buffer"
	timeFormat   singleton = "Intl.DateTimeFormat"
	timeOptions  singleton = "Intl.DateTimeFormat.resolvedOptions"
	plainObject  singleton = "object"
)

// The handles below fixedHandles are never freed. From firstFixed on they are undefined,
// null, true and false, whose numbers are compiled into the engine; those before are
// unused.
const (
	firstFixed   = 128
	fixedHandles = 132
)

// maxHandles is how many values an instance may refer to at once. A run needs about a
// dozen, so more are a leak.
const maxHandles = 10_000

// table holds the values of one instance by their handles; nil is undefined.
type table struct {
	values []any
	free   []uint32
}

func newTable() *table {
	t := &table{values: make([]any, fixedHandles, fixedHandles+32)}
	copy(t.values[firstFixed:], []any{nil, null{}, true, false})
	return t
}

func (t *table) used() int { return len(t.values) - len(t.free) - fixedHandles }

func (t *table) add(value any) uint32 {
	if n := len(t.free); n > 0 {
		handle := t.free[n-1]
		t.free = t.free[:n-1]
		t.values[handle] = value
		return handle
	}
	if len(t.values) >= maxHandles {
		panic(fmt.Errorf("the engine holds %d values", len(t.values)))
	}
	t.values = append(t.values, value)
	return uint32(len(t.values) - 1)
}

func (t *table) get(handle uint32) any {
	if int(handle) >= len(t.values) {
		panic(fmt.Errorf("the engine refers to value %d of %d", handle, len(t.values)))
	}
	return t.values[handle]
}

func (t *table) drop(handle uint32) {
	if handle >= fixedHandles {
		t.get(handle)
		t.values[handle] = nil
		t.free = append(t.free, handle)
	}
}

func (t *table) take(handle uint32) any {
	value := t.get(handle)
	t.drop(handle)
	return value
}
