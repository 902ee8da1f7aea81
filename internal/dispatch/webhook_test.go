package dispatch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

func TestCopyHeader(t *testing.T) {
	to := http.Header{"Content-Security-Policy": nil, "X-Request-Id": {"ours"}}
	copyHeader(to, http.Header{
		"Connection": {"close, X-Hop", "x-other"}, "X-Hop": {"1"}, "X-Other": {"1"}, "Upgrade": {"h2c"}, "Transfer-Encoding": {"chunked"},
		"Set-Cookie": {"a=b"}, "X-Request-Id": {"theirs"}, "Content-Length": {"5"}, "Access-Control-Allow-Credentials": {"true"}, "Vary": {"*"},
		"Content-Security-Policy": {"default-src 'none'"}, "X-Content-Type-Options": {"none"}, "Link": {"<a>", "<b>"},
	})
	want := http.Header{
		"X-Request-Id": {"ours"}, "Content-Security-Policy": {"default-src 'none'", pageRules}, "X-Content-Type-Options": {"nosniff"}, "Link": {"<a>", "<b>"},
	}
	if diff := cmp.Diff(want, to); diff != "" {
		t.Error(diff)
	}
}

func TestKeptHeaders(t *testing.T) {
	r := &http.Request{Host: "example.com", Header: http.Header{
		"Connection": {"X-Hop"}, "X-Hop": {"1"}, "Cookie": {"a=b"}, "Proxy-Authorization": {"x"}, "Authorization": {"Basic x"}, "X-Two": {"1", "2"},
	}}
	if diff := cmp.Diff(map[string]string{"host": "example.com", "authorization": "Basic x", "x-two": "1, 2"}, kept(r)); diff != "" {
		t.Error(diff)
	}
}

// The memory of a relay is that of the text as it is sent on, which can be six times
// as much as came: the bound holds for that.
func TestQuotedSize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[\x00-\x1f"\\a]*`)).Draw(t, "text")
		if size, n := quotedSize([]byte(text)), len(wire.AppendText(nil, text)); size < n {
			t.Fatalf("%q: %d bytes, and %d were foreseen", text, n, size)
		}
	})
	memory, err := newLoad(Load{Body: 1 << 20, Calls: 1, Memory: 8 << 20}).begin("w")
	if err != nil {
		t.Fatal(err)
	}
	body := bytes.Repeat([]byte{1}, 1<<20)
	if _, err := (&Service{}).pass(t.Context(), definition.Instance{}, incoming{body: body, hasBody: true}, memory); !fault.Is(err, fault.RateLimited) {
		t.Errorf("a body that is six times as large when it is quoted: %v", err)
	}
}

// Whatever comes from outside, an integration gets it as JSON that says the same.
func TestIncomingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := incoming{
			method: rapid.String().Draw(t, "method"), path: rapid.String().Draw(t, "path"), query: rapid.String().Draw(t, "query"),
			headers: rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "headers"), body: []byte(rapid.String().Draw(t, "body")), hasBody: true,
		}
		var got struct {
			Method, Path, Query, Body string
			Headers                   map[string]string
		}
		if err := json.Unmarshal(append(in.appendJSON([]byte("{")), '}'), &got); err != nil {
			t.Fatal(err)
		}
		if got.Method != in.method || got.Path != in.path || got.Query != in.query || got.Body != string(in.body) || !cmp.Equal(got.Headers, in.headers) {
			t.Fatalf("%+v became %+v", in, got)
		}
	})
}

// readAll reads what is there, never more than is allowed nor more than there is
// memory for, and the lease gives back what it took.
func TestReadAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(0, 40<<10).Draw(t, "size")
		most := rapid.Int64Range(1, 40<<10).Draw(t, "most")
		memory := rapid.Int64Range(0, 400<<10).Draw(t, "memory")
		length := size
		if rapid.Bool().Draw(t, "unknown length") {
			length = -1
		}
		l := newLoad(Load{Calls: 1, Memory: memory})
		held, err := l.begin("w")
		if err != nil {
			t.Fatal(err)
		}
		text := bytes.Repeat([]byte("x"), int(size))
		var from io.Reader = bytes.NewReader(text)
		if rapid.Bool().Draw(t, "slow") {
			from = iotest.HalfReader(from)
		}
		got, err := readAll(from, length, most, held)
		var tooLarge *tooLargeError
		switch {
		case errors.Is(err, errFull):
			if memory/memoryShares >= 2*min(max(size, firstPiece), most)+firstPiece {
				t.Fatalf("no room for %d bytes in %d", size, memory)
			}
		case size > most:
			if !errors.As(err, &tooLarge) {
				t.Fatalf("%d bytes where %d are allowed: %v", size, most, err)
			}
		case err != nil || !bytes.Equal(got, text):
			t.Fatalf("read %d of %d bytes: %v", len(got), size, err)
		}
		held.end()
		if l.all != (share{}) || len(l.instances) != 0 {
			t.Fatalf("%+v is held at the end", l.all)
		}
	})
}

func TestLoadIsShared(t *testing.T) {
	l := newLoad(Load{Calls: 2, Memory: 400})
	begin := func(w string) *lease {
		held, err := l.begin(id.Webhook(w))
		if err != nil {
			t.Fatal(err)
		}
		return held
	}
	a, b := begin("a"), begin("b")
	begin("a")
	if _, err := l.begin("a"); !fault.Is(err, fault.RateLimited) {
		t.Errorf("a third call of one instance: %v", err)
	}
	if a.grow(101) == nil || a.grow(100) != nil || a.grow(1) == nil {
		t.Error("one instance holds another part than its quarter")
	}
	if b.grow(100) != nil {
		t.Error("another instance has no part")
	}
	for n := range 2*allCalls - 3 {
		begin(strings.Repeat("x", n+1))
	}
	if _, err := l.begin("one too many"); !fault.Is(err, fault.RateLimited) {
		t.Errorf("more than all: %v", err)
	}
	a.end()
	begin("one more")
}

// The answers of calls hold memory and take no place from other calls, whichever ends
// first.
func TestRoomTakesNoPlace(t *testing.T) {
	l := newLoad(Load{Calls: 1, Memory: 400})
	call, err := l.begin("a")
	if err != nil {
		t.Fatal(err)
	}
	room := l.room("a")
	if l.underWay() != 1 {
		t.Errorf("%d calls are under way, want 1", l.underWay())
	}
	if room.grow(100) != nil || call.grow(1) == nil {
		t.Error("the memory of an answer is not counted with that of its instance")
	}
	call.end()
	if _, err := l.begin("a"); err != nil {
		t.Errorf("an answer keeps the place of its call: %v", err)
	}
	if room.grow(1) == nil {
		t.Error("the share of an instance was forgotten while something held it")
	}
	room.end()
	if l.all.bytes != 0 {
		t.Errorf("%d bytes are held at the end", l.all.bytes)
	}
}

func TestValidHeader(t *testing.T) {
	for name, want := range map[string]bool{"x-a": true, "": false, "a b": false, "a:b": false, "ä": false, "a\n": false} {
		if validHeader(name, []byte("v")) != want {
			t.Errorf("the header %q: want %v", name, want)
		}
	}
	for value, want := range map[string]bool{"": true, "a b\tc": true, "a\r\nb": false, "\x7f": false} {
		if validHeader("x", []byte(value)) != want {
			t.Errorf("the value %q: want %v", value, want)
		}
	}
}
