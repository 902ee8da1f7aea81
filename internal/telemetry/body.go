package telemetry

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/botyard/botyard/internal/fault"
)

// body is the body of a request in memory, as it was sent or unpacked. All of its
// memory has room in the pass, and is given back with giveBack.
type body struct {
	bytes []byte
	pass  *pass
	most  int
	how   string // it is, for who is told that it is too large
}

// buffers keep the memory of bodies for the next ones, by the power of two that they
// have at the least: were they one pool, small bodies would hold the memory of large
// ones while they wait.
var buffers [maxBuffer + 1]sync.Pool

const (
	minBuffer = 12 // 4 KiB
	maxBuffer = 21 // 2 MiB; larger ones are not kept
)

// grow makes the memory at least size bytes.
func (b *body) grow(size int) error {
	if size <= cap(b.bytes) {
		return nil
	}
	class := max(bits.Len(uint(size-1)), minBuffer)
	had := cap(b.bytes)
	if class < bits.Len(uint(b.most)) {
		size = 1 << class
	} else {
		size, class = b.most+1, maxBuffer+1
	}
	if err := b.pass.grow(int64(size - had)); err != nil {
		return err
	}
	larger := takeBuffer(size, class)
	larger = larger[:copy(larger[:cap(larger)], b.bytes)]
	keepBuffer(b.bytes)
	b.bytes = larger
	return nil
}

// takeBuffer is memory of exactly size bytes.
func takeBuffer(size, class int) []byte {
	if class <= maxBuffer {
		if kept, _ := buffers[class].Get().(*[]byte); kept != nil {
			return *kept
		}
	}
	return make([]byte, 0, size)
}

func keepBuffer(buffer []byte) {
	if size := cap(buffer); bits.OnesCount(uint(size)) == 1 && size <= 1<<maxBuffer {
		buffer = buffer[:0]
		buffers[bits.Len(uint(size-1))].Put(&buffer)
	}
}

func (b *body) giveBack() {
	b.pass.shrink(int64(cap(b.bytes)))
	keepBuffer(b.bytes)
	b.bytes = nil
}

// fill reads all. expected is how much may come, or less than 1; no more memory is
// taken for it than twice what has come.
func (b *body) fill(from io.Reader, expected int64) error {
	const first = 64 << 10
	size := first
	if expected > 0 {
		size = int(min(expected+1, first)) // with the byte that shows that it ended
	}
	if err := b.grow(size); err != nil {
		return err
	}
	for {
		n, err := from.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case len(b.bytes) > b.most:
			return tooLarge(int64(b.most), b.how)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return brokenBody(err)
		case len(b.bytes) == cap(b.bytes):
			if err := b.grow(2 * cap(b.bytes)); err != nil {
				return err
			}
		}
	}
}

// unpack decompresses a body that was sent, within the bounds of another; packed is
// false when there is nothing to decompress.
func unpack(encoding string, sent []byte, into *body) (packed bool, err error) {
	switch strings.ToLower(encoding) {
	case "", "identity":
		return false, nil
	case "gzip":
		return true, gunzip(sent, into)
	case "zstd":
		return true, unzstd(sent, into)
	}
	return false, fault.New(fault.UnsupportedMediaType, "Content-Encoding %q is not supported: send the body plain, with gzip or with zstd.", fault.BoundedTo(encoding, 100))
}

var gunzips = sync.Pool{New: func() any { return new(gzip.Reader) }}

func gunzip(sent []byte, into *body) error {
	z := gunzips.Get().(*gzip.Reader)
	defer gunzips.Put(z)
	if err := z.Reset(bytes.NewReader(sent)); err != nil {
		return brokenBody(err)
	}
	// The last four bytes are the size, if they are what they should be: it spares
	// growing, and what is not so large after all is given back soon.
	if size := int64(binary.LittleEndian.Uint32(sent[len(sent)-4:])); size < int64(len(sent))*64 {
		if err := into.grow(int(size) + 1); err != nil {
			return err
		}
	}
	return into.fill(z, 0)
}

// Windows of zstd, as powers of two: what a decoder holds of a text beside the text
// itself. Every decoder should have 8 MiB; no body needs more than it may have.
const (
	minWindow = 17
	maxWindow = 24
)

func windowSize(window int) int64 { return min(int64(1)<<window, maxUnpacked+1) }

// unzstds are decoders by the window that they have at the most.
var unzstds [maxWindow + 1]sync.Pool

func unzstdOf(window int) *zstd.Decoder {
	if kept, _ := unzstds[window].Get().(*zstd.Decoder); kept != nil {
		return kept
	}
	most := uint64(windowSize(window))
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(most), zstd.WithDecoderMaxMemory(most))
	if err != nil {
		panic(fmt.Sprintf("the options of the decoder are wrong: %v", err))
	}
	return d
}

// unzstd takes room for the window that the body names, and again for the largest one
// when a later frame of the body needs more than the first.
func unzstd(sent []byte, into *body) error {
	window := maxWindow
	var header zstd.Header
	if header.Decode(sent) == nil {
		named := header.WindowSize
		if header.SingleSegment {
			named = header.FrameContentSize
		}
		window = min(max(bits.Len64(named), minWindow), maxWindow)
	}
	err := unzstdIn(window, sent, into)
	if window < maxWindow && (errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded)) {
		into.bytes = into.bytes[:0]
		err = unzstdIn(maxWindow, sent, into)
	}
	return err
}

func unzstdIn(window int, sent []byte, into *body) error {
	if err := into.pass.grow(windowSize(window)); err != nil {
		return err
	}
	defer into.pass.shrink(windowSize(window))
	z := unzstdOf(window)
	defer func() {
		// A decoder keeps its window: those of large ones are too much to keep.
		if window <= maxBuffer && z.Reset(nil) == nil {
			unzstds[window].Put(z)
			return
		}
		z.Close()
	}()
	if err := z.Reset(bytes.NewReader(sent)); err != nil {
		return brokenBody(err)
	}
	return into.fill(z, 0)
}
