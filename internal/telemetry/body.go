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

// body is the body of a request in memory, as it was sent or decompressed. The pass has
// room for all of its memory until giveBack.
type body struct {
	bytes []byte
	pass  *pass
	most  int
	how   string // completes the message that it is too large
}

// buffers are pools of memory for bodies, one for each power of two. In a single pool
// small bodies would hold on to large buffers while they wait.
var buffers [maxBuffer + 1]sync.Pool

const (
	minBuffer = 12 // 4 KiB
	maxBuffer = 21 // 2 MiB; larger ones are not pooled
)

// grow extends the buffer to at least size bytes.
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

// takeBuffer answers a buffer of exactly size bytes.
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

// fill reads everything. expected is the declared length, or less than 1. The buffer never
// grows beyond twice what has arrived.
func (b *body) fill(from io.Reader, expected int64) error {
	const first = 64 << 10
	size := first
	if expected > 0 {
		size = int(min(expected+1, first)) // one more, to notice the end
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

// unpack decompresses a body into another. packed is false when the body is not
// compressed.
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
	// The last four bytes should be the size. If it is plausible the buffer need not grow
	// step by step.
	if size := int64(binary.LittleEndian.Uint32(sent[len(sent)-4:])); size < int64(len(sent))*64 {
		if err := into.grow(int(size) + 1); err != nil {
			return err
		}
	}
	return into.fill(z, 0)
}

// The sizes of zstd windows, as powers of two. A decoder holds the window beside the
// output. Decoders should support 8 MiB, and no body needs more than its maximal size.
const (
	minWindow = 17
	maxWindow = 24
)

func windowSize(window int) int64 { return min(int64(1)<<window, maxUnpacked+1) }

// unzstds are pools of decoders, by their largest window.
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

// unzstd takes room for the window that the first frame declares, and starts over with
// room for the largest window when a later frame needs more.
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
		// A pooled decoder keeps its window, so those with large ones are not pooled.
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
