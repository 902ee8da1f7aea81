package telemetry

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/botyard/botyard/internal/fault"
)

// entered is the pass of a request that has its turn.
func entered(t *testing.T, a *admission) *pass {
	t.Helper()
	p, err := a.enter("bot", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.work(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestBodyHasRoom: all the memory of a body has room, whatever was announced, and a
// body that is too large is told of however little it is.
func TestBodyHasRoom(t *testing.T) {
	for _, c := range []struct {
		size, most int
		expected   int64
		fails      bool
	}{
		{size: 0, most: 100},
		{size: 100, most: 100, expected: 100},
		{size: 1_000, most: 2_000},
		{size: 1_000, most: 2_000, expected: 1},
		{size: 200_000, most: 1 << 20, expected: 200_000},
		{size: 64 << 10, most: 64 << 10, expected: 64 << 10},
		{size: 3 << 20, most: 3 << 20, expected: 3 << 20},
		{size: 1_001, most: 1_000, fails: true},
		{size: 200_000, most: 150_000, expected: 3, fails: true},
	} {
		a := newAdmission()
		p := entered(t, a)
		b := body{pass: p, most: c.most}
		text := strings.Repeat("x", c.size)
		err := b.fill(iotest.OneByteReader(strings.NewReader(text)), c.expected)
		switch {
		case c.fails && !fault.Is(err, fault.PayloadTooLarge):
			t.Errorf("%d bytes where %d are the most: %v", c.size, c.most, err)
		case !c.fails && (err != nil || string(b.bytes) != text):
			t.Errorf("%d bytes were read as %d, %v", c.size, len(b.bytes), err)
		}
		if p.size != int64(cap(b.bytes)) {
			t.Errorf("a body of %d bytes has %d bytes of memory and room for %d", c.size, cap(b.bytes), p.size)
		}
		b.giveBack()
		p.leave()
		if !a.empty() {
			t.Errorf("a body of %d bytes left room taken: %+v", c.size, a.all)
		}
	}
}

// TestUnpack: what every compressor makes is read, with large windows, without a size,
// in several frames; what is broken or too large is refused, and no room stays taken.
func TestUnpack(t *testing.T) {
	text := make([]byte, 9<<20)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(text[:1<<20]) // never fails
	copy(text[8<<20:], text[:1<<20]) // what a large window finds
	for name, c := range map[string]struct {
		encoding string
		packed   []byte
		text     []byte
		fails    fault.Type
	}{
		"plain":                       {"", text, nil, ""},
		"gzip":                        {"gzip", gzipped(t, text), text, ""},
		"gzip of nothing":             {"gzip", gzipped(t, nil), nil, ""},
		"gzip, two members":           {"gzip", append(gzipped(t, text[:1000]), gzipped(t, text[1000:2000])...), text[:2000], ""},
		"gzip, broken off":            {"gzip", gzipped(t, text[:9000])[:4000], nil, fault.InvalidPayload},
		"gzip, 11 MiB of zeros":       {"gzip", gzipped(t, make([]byte, 11<<20)), nil, fault.PayloadTooLarge},
		"gzip, only a header":         {"gzip", gzipped(t, nil)[:10], nil, fault.InvalidPayload},
		"zstd":                        {"zstd", zstdAll(t, text), text, ""},
		"zstd, small":                 {"zstd", zstdAll(t, text[:500]), text[:500], ""},
		"zstd, of nothing":            {"zstd", zstdAll(t, nil), nil, ""},
		"zstd, a stream":              {"zstd", zstdStream(t, text, 8<<20), text, ""},
		"zstd, a small window":        {"zstd", zstdStream(t, text, 64<<10), text, ""},
		"zstd, a later larger window": {"zstd", append(zstdStream(t, text[:100_000], 64<<10), zstdStream(t, text[100_000:], 4<<20)...), text, ""},
		"zstd, a later larger frame":  {"zstd", append(zstdAll(t, text[:1000]), zstdAll(t, text[1000:])...), text, ""},
		"zstd, 11 MiB of zeros":       {"zstd", zstdAll(t, make([]byte, 11<<20)), nil, fault.PayloadTooLarge},
		"zstd, broken off":            {"zstd", zstdAll(t, text[:9000])[:4000], nil, fault.InvalidPayload},
		"zstd, not at all":            {"zstd", []byte("{}"), nil, fault.InvalidPayload},
		"something else":              {"br", nil, nil, fault.UnsupportedMediaType},
	} {
		a := newAdmission()
		p := entered(t, a)
		into := body{pass: p, most: maxUnpacked}
		packed, err := unpack(c.encoding, c.packed, &into)
		switch {
		case c.fails != "" && !fault.Is(err, c.fails):
			t.Errorf("%s: %v, want %s", name, err, c.fails)
		case c.fails == "" && (err != nil || packed != (c.encoding != "") || !bytes.Equal(into.bytes, c.text)):
			t.Errorf("%s: %d bytes, %v", name, len(into.bytes), err)
		}
		if p.size != int64(cap(into.bytes)) {
			t.Errorf("%s: there is room for %d bytes, and memory of %d", name, p.size, cap(into.bytes))
		}
		into.giveBack()
		p.leave()
		if !a.empty() {
			t.Errorf("%s: room is still taken: %+v", name, a.all)
		}
	}
}

func gzipped(t *testing.T, text []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func zstdAll(t *testing.T, text []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(text, nil)
}

func zstdStream(t *testing.T, text []byte, window int) []byte {
	t.Helper()
	var packed bytes.Buffer
	z, err := zstd.NewWriter(&packed, zstd.WithWindowSize(window), zstd.WithSingleSegment(false))
	if err != nil {
		t.Fatal(err)
	}
	for len(text) > 0 {
		n := min(len(text), 100_000)
		if _, err := z.Write(text[:n]); err != nil {
			t.Fatal(err)
		}
		text = text[n:]
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}
