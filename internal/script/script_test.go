package script

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/botyard/botyard/internal/fault"
)

func TestRunRefuses(t *testing.T) {
	deep := strings.Repeat(`[`, MaxNesting+1) + strings.Repeat(`]`, MaxNesting+1)
	tests := []struct {
		name, program, data string
		want                fault.Type
		says                string
	}{
		{"syntax", ".a = ", "{}", fault.InvalidPayload, "unexpected end of program"},
		{"unknown function", "foo()", "{}", fault.InvalidPayload, "undefined function"},
		{"fallible", "to_int(.a)", "{}", fault.InvalidPayload, "unhandled error"},
		{"abort", "abort", "{}", fault.Runtime, "The script failed: aborted"},
		{"abort with a message", `abort "no team"`, "{}", fault.Runtime, "no team"},
		{"assertion", `assert!(false, "never")`, "{}", fault.Runtime, "never"},
		{"conversion", "to_int!(.a)", `{"a":"x"}`, fault.Runtime, `Invalid integer "x"`},
		{"log", `log("x")`, "{}", fault.Runtime, "not supported"},
		{"network", `dns_lookup!("localhost")`, "{}", fault.Runtime, "not supported"},
		{"host name", "get_hostname!()", "{}", fault.Runtime, "not supported"},
		{"environment", `get_env_var!("PATH")`, "{}", fault.Runtime, "environment variable not found"},
		{"no JSON", "1", "{", fault.InvalidPayload, "not valid JSON"},
		{"a member twice", "1", `{"a":1,"a":2}`, fault.InvalidPayload, "duplicate"},
		{"deep data", "1", deep, fault.InvalidPayload, "101 levels"},
		{"large data", "1", `"` + strings.Repeat("a", MaxData) + `"`, fault.PayloadTooLarge, "1048578 bytes"},
		{"large program", "#" + strings.Repeat("a", MaxProgram), "{}", fault.PayloadTooLarge, "65537 bytes"},
		{"large result", `"a" * 5000000`, "{}", fault.Runtime, "result has 5000"},
		{"much memory", `x = "a" * 30000000; y = x + x + x; length(y)`, "{}", fault.Runtime, "64 MiB of memory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := shared.Run(t.Context(), tt.program, jsontext.Value(tt.data))
			if !fault.Is(err, tt.want) || !strings.Contains(fault.From(err).Message, tt.says) {
				t.Errorf("got %v, want a %s that says %q", err, tt.want, tt.says)
			}
			if n := len(fault.From(err).Message); n > 3000 {
				t.Errorf("the message has %d bytes", n)
			}
			checkSound(t, shared)
		})
	}
}

func TestCheck(t *testing.T) {
	if err := shared.Check(t.Context(), `abort "is not run"`); err != nil {
		t.Errorf("a sound program is refused: %v", err)
	}
	if err := shared.Check(t.Context(), "x = 1"); err != nil {
		t.Errorf("a warning is taken for an error: %v", err)
	}
	// Check and Run tell the same of a program.
	const program = ".a = foo(); to_int(.b)"
	_, ran := shared.Run(t.Context(), program, jsontext.Value("{}"))
	if diff := cmp.Diff(fault.From(ran).Message, fault.From(shared.Check(t.Context(), program)).Message); diff != "" {
		t.Errorf("Check tells something else than Run (-run +check):\n%s", diff)
	}
	if err := shared.Check(t.Context(), strings.Repeat("a", MaxProgram+1)); !fault.Is(err, fault.PayloadTooLarge) {
		t.Errorf("got %v, want PayloadTooLarge", err)
	}
}

func TestEvaluate(t *testing.T) {
	value, err := shared.Evaluate(t.Context(), ".a = 2; .a + 1", jsontext.Value("{}"))
	if err != nil || string(value) != "3" {
		t.Errorf("got %s, %v", value, err)
	}
}

func TestSurroundings(t *testing.T) {
	before := time.Now().Add(-time.Second)
	var at time.Time
	if err := json.Unmarshal(run(t, shared, "now()", "{}").Value, &at); err != nil || at.Before(before) || at.After(time.Now().Add(time.Second)) {
		t.Errorf("now() is %s, %v", at, err)
	}
	seen := map[string]bool{}
	for range 50 {
		seen[string(run(t, shared, "uuid_v4()", "{}").Value)] = true
		seen[string(run(t, shared, "encode_base64(random_bytes(24))", "{}").Value)] = true
	}
	if len(seen) != 100 {
		t.Errorf("100 random values are %d different ones", len(seen))
	}
	if zone := run(t, shared, "get_timezone_name!()", "{}").Value; string(zone) != `"UTC"` {
		t.Errorf("the local time zone is %s", zone)
	}
}

func TestTextThatIsNoText(t *testing.T) {
	r := run(t, shared, ".", "{\"a\":\"\xff\",\"b\":\"\\ud800\",\"c\":\"\\ud83d\\ude00\"}")
	if diff := cmp.Diff(`{"a":"�","b":"�","c":"😀"}`, string(r.Value)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if r := run(t, shared, "\"a\xffb\"", "{}"); string(r.Value) != `"a�b"` {
		t.Errorf("got %s", r.Value)
	}
}

// TestDataSurvive sends data through a program that does nothing. Its numbers have
// up to fifteen digits: of longer ones, TestLongNumbers.
func TestDataSurvive(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		data, err := json.Marshal(genValue(rt, 4), json.Deterministic(true))
		if err != nil {
			rt.Fatal(err)
		}
		want, err := canonical(data)
		if err != nil {
			rt.Fatal(err)
		}
		r, err := shared.Run(t.Context(), ".", data)
		if err != nil {
			rt.Fatalf("%s: %v", data, err)
		}
		if diff := cmp.Diff(Result{Data: want, Value: want}, r); diff != "" {
			rt.Fatalf("%s (-want +got):\n%s", data, diff)
		}
	})
}

// TestLongNumbers holds how far off the engine may read a number that a float64
// needs sixteen or seventeen digits for. A sample of TestSameAsNode shows that the
// cloud's is off by as much.
func TestLongNumbers(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		number := rapid.Float64Range(-1e300, 1e300).Draw(rt, "number")
		data, err := json.Marshal(number)
		if err != nil {
			rt.Fatal(err)
		}
		r, err := shared.Run(t.Context(), ".", data)
		if err != nil {
			rt.Fatalf("%s: %v", data, err)
		}
		var got float64
		if err := json.Unmarshal(r.Value, &got); err != nil {
			rt.Fatalf("%s: %v", r.Value, err)
		}
		// A subnormal number has fewer bits, and so larger steps.
		if off := math.Abs(got - number); off > math.Abs(number)*0x1p-51 && off > math.SmallestNonzeroFloat64 {
			rt.Fatalf("%s went in, %s came out", data, r.Value)
		}
	})
}

func genValue(t *rapid.T, depth int) any {
	kinds := 6
	if depth == 0 {
		kinds = 4
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return rapid.String().Draw(t, "text")
	case 1:
		return rapid.Int32().Draw(t, "integer")
	case 2:
		return float64(rapid.Int64Range(-999_999_999_999_999, 999_999_999_999_999).Draw(t, "digits")) / math.Pow10(rapid.IntRange(0, 15).Draw(t, "decimals"))
	case 3:
		return rapid.SampledFrom([]any{nil, true, false}).Draw(t, "constant")
	case 4:
		list := make([]any, rapid.IntRange(0, 4).Draw(t, "length"))
		for n := range list {
			list[n] = genValue(t, depth-1)
		}
		return list
	default:
		object := map[string]any{}
		for range rapid.IntRange(0, 4).Draw(t, "members") {
			object[rapid.String().Draw(t, "key")] = genValue(t, depth-1)
		}
		return object
	}
}

func TestNesting(t *testing.T) {
	for data, want := range map[string]int{
		`1`: 0, `[]`: 1, `{"a":[{}]}`: 3, `[[],[]]`: 2, `"[[["`: 0, `["\"[[[\\"]`: 1, `{"[":"{"}`: 1,
	} {
		if got := nesting([]byte(data)); got != want {
			t.Errorf("%s is nested %d levels deep, want %d", data, got, want)
		}
	}
}

func TestTruncate(t *testing.T) {
	if got := truncate("short"); got != "short" {
		t.Errorf("got %q", got)
	}
	long := strings.Repeat("ä", MaxDiagnostics)
	if got := truncate("x" + long); !strings.HasSuffix(got, "ä… (4001 bytes in all)") || len(got) > MaxDiagnostics+40 {
		t.Errorf("got %q", got[len(got)-60:])
	}
}

func TestHandles(t *testing.T) {
	table := newTable()
	for handle, want := range map[uint32]any{0: nil, 127: nil, 128: nil, 129: null{}, 130: true, 131: false} {
		if diff := cmp.Diff(want, table.get(handle)); diff != "" {
			t.Errorf("handle %d (-want +got):\n%s", handle, diff)
		}
		table.drop(handle) // is of no effect
		if diff := cmp.Diff(want, table.take(handle)); diff != "" {
			t.Errorf("handle %d after it was dropped (-want +got):\n%s", handle, diff)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		table, held := newTable(), map[uint32]string{}
		for n := range rapid.IntRange(0, 60).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "add") || len(held) == 0 {
				handle := table.add(strconv.Itoa(n))
				if _, taken := held[handle]; taken || handle < fixedHandles {
					t.Fatalf("handle %d is not free", handle)
				}
				held[handle] = strconv.Itoa(n)
				continue
			}
			for handle, want := range held {
				if got := table.take(handle); got != want {
					t.Fatalf("handle %d holds %v, want %s", handle, got, want)
				}
				delete(held, handle)
				break
			}
		}
		if table.used() != len(held) {
			t.Fatalf("%d values are held, the table says %d", len(held), table.used())
		}
	})
}

func TestDates(t *testing.T) {
	fields := func(f ...int32) []uint64 {
		stack := make([]uint64, len(f))
		for n, v := range f {
			stack[n] = uint64(uint32(v))
		}
		return stack
	}
	for _, tt := range []struct {
		stack []uint64
		want  string
	}{
		{fields(2026, 0, 2, 3, 4, 5), "2026-01-02T03:04:05Z"},
		{fields(99, 11, 31, 23, 59, 60), "2000-01-01T00:00:00Z"},
		{fields(2026, -1, 1, 0, 0, 0), "2025-12-01T00:00:00Z"},
	} {
		if got := dateOfFields(nil, tt.stack).(date).Format(time.RFC3339); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
	i := &instance{handles: newTable()}
	handle := i.handles.add(float64(1e12))
	if got := newDate(i, []uint64{uint64(handle)}).(date).UnixMilli(); got != 1e12 {
		t.Errorf("got %d", got)
	}
}

// FuzzRun runs any program on any data. Whatever it does, the answer is a result
// or a fault of a known type, and the engine stays sound.
func FuzzRun(f *testing.F) {
	for _, s := range samples {
		f.Add(s.program, s.data)
	}
	f.Add(`"a" * 1000000000`, `{}`)
	f.Add(strings.Repeat("[", 3000), `{"a":1e400}`)
	f.Add(`.a[999999999] = 1; .`, `{}`)
	f.Add(`parse_regex!(.a, r'(a+)+$')`, `{"a":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"}`)
	known := map[fault.Type]bool{fault.InvalidPayload: true, fault.Runtime: true, fault.PayloadTooLarge: true, fault.OperationTimeout: true}
	f.Fuzz(func(t *testing.T, program, data string) {
		r, err := shared.Run(t.Context(), program, jsontext.Value(data))
		switch {
		case err != nil:
			if !known[fault.From(err).Type] {
				t.Errorf("got %v", err)
			}
		case !r.Data.IsValid() || !r.Value.IsValid():
			t.Errorf("the result is no JSON: %s, %s", r.Data, r.Value)
		}
		checkSound(t, shared)
	})
}

func TestFloatsThatJSONHasNot(t *testing.T) {
	if r := run(t, shared, ".a = 1.5; [.a, 3.0, 0.1 + 0.2]", "{}"); string(r.Value) != "[1.5,3,0.30000000000000004]" {
		t.Errorf("got %s", r.Value)
	}
	if r := run(t, shared, ".", `{"a":1e400}`); string(r.Value) != `{"a":1.7976931348623157e+308}` {
		t.Errorf("got %s", r.Value)
	}
}
