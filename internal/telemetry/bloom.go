package telemetry

import (
	"encoding/binary"
	"math/bits"
)

// bloom is a Bloom filter of hashes. With bloomBytes for each hash, about one in two
// thousand look-ups is a false positive. It is a split-block filter like that of Apache
// Parquet: a look-up touches 32 adjacent bytes, and so costs one cache miss.
type bloom []byte

const (
	bloomBlock = 32
	bloomBytes = 2 // for each hash
)

// The multipliers of Parquet's specification, which derive eight bits from one hash.
var bloomSalts = [8]uint32{
	0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
}

func newBloom(hashes int) bloom {
	blocks := max(1, (hashes*bloomBytes+bloomBlock-1)/bloomBlock)
	return make(bloom, blocks*bloomBlock)
}

func (f bloom) block(hash uint64) bloom {
	// The high bits select the block, without a division.
	at, _ := bits.Mul64(hash, uint64(len(f)/bloomBlock))
	return f[at*bloomBlock:][:bloomBlock]
}

func (f bloom) add(hash uint64) {
	b := f.block(hash)
	for i, salt := range bloomSalts {
		word := b[i*4:]
		binary.LittleEndian.PutUint32(word, binary.LittleEndian.Uint32(word)|1<<((uint32(hash)*salt)>>27))
	}
}

// has says whether the hash may have been added. An absent filter may contain anything.
func (f bloom) has(hash uint64) bool {
	if len(f) < bloomBlock {
		return true
	}
	b := f.block(hash)
	for i, salt := range bloomSalts {
		if binary.LittleEndian.Uint32(b[i*4:])&(1<<((uint32(hash)*salt)>>27)) == 0 {
			return false
		}
	}
	return true
}

// trigrams is the set of three-byte sequences in a block's text, as a bitmap by their
// hash. A text that contains a needle contains all trigrams of the needle.
type trigrams []byte

// The bitmap has one bit for every eight bytes of text, within these bounds. Ordinary text
// then sets about a tenth of the bits, and a needle of ten letters that does not occur
// passes once in ten billion look-ups.
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

// may says whether a text of the block may contain the needle. It is true without a
// bitmap, and for needles of one or two bytes.
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
