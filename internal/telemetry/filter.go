package telemetry

import (
	"encoding/binary"
	"math/bits"
)

// A filter answers whether a hash may have been added to it: never wrongly no, and
// wrongly yes for about one of two thousand when it has filterBytes for each hash.
// It is a split-block Bloom filter, as Apache Parquet's: a hash touches 32 bytes
// that lie together, so a question costs one miss of the processor's cache.
type filter []byte

const (
	filterBlock = 32
	filterBytes = 2 // for each hash
)

// The multipliers of Parquet's specification, which take eight bits out of one hash.
var filterSalts = [8]uint32{
	0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
}

func newFilter(hashes int) filter {
	blocks := max(1, (hashes*filterBytes+filterBlock-1)/filterBlock)
	return make(filter, blocks*filterBlock)
}

func (f filter) block(hash uint64) filter {
	// The high half chooses the block, without a division.
	at, _ := bits.Mul64(hash, uint64(len(f)/filterBlock))
	return f[at*filterBlock:][:filterBlock]
}

func (f filter) add(hash uint64) {
	b := f.block(hash)
	for i, salt := range filterSalts {
		word := b[i*4:]
		binary.LittleEndian.PutUint32(word, binary.LittleEndian.Uint32(word)|1<<((uint32(hash)*salt)>>27))
	}
}

// has is true when there is no filter: then anything may be there.
func (f filter) has(hash uint64) bool {
	if len(f) < filterBlock {
		return true
	}
	b := f.block(hash)
	for i, salt := range filterSalts {
		if binary.LittleEndian.Uint32(b[i*4:])&(1<<((uint32(hash)*salt)>>27)) == 0 {
			return false
		}
	}
	return true
}

// trigrams is a set of the runs of three bytes in a block's text, as bits by their
// hash. A text that contains a needle contains all of the needle's trigrams.
type trigrams []byte

// The set has a bit for every eight bytes of text, within these bounds. Text of
// people and programs then fills a tenth of it, and a needle of ten letters that
// is not there is taken for present once in ten thousand millions.
const (
	minTrigrams = 1 << 6  // bytes
	maxTrigrams = 1 << 13 // bytes
)

func newTrigrams(text int) trigrams {
	size := minTrigrams
	for size < maxTrigrams && size < text/64 {
		size *= 2
	}
	return make(trigrams, size)
}

func trigramBit(t uint32) uint32 { return t * 0x9e3779b1 >> 8 }

func (t trigrams) add(text string) {
	mask := uint32(len(t)*8 - 1)
	var gram uint32
	for i := range len(text) {
		gram = gram<<8&0xffffff | uint32(text[i])
		if i >= 2 {
			bit := trigramBit(gram) & mask
			t[bit>>3] |= 1 << (bit & 7)
		}
	}
}

// may says whether a text of the block may contain the needle. Without a set, and
// for needles of one or two bytes, anything may.
func (t trigrams) may(needle string) bool {
	if len(t) == 0 {
		return true
	}
	mask := uint32(len(t)*8 - 1)
	var gram uint32
	for i := range len(needle) {
		gram = gram<<8&0xffffff | uint32(needle[i])
		if i < 2 {
			continue
		}
		if bit := trigramBit(gram) & mask; t[bit>>3]&(1<<(bit&7)) == 0 {
			return false
		}
	}
	return true
}
