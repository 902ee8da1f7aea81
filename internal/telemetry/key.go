package telemetry

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"slices"
)

// key identifies a record whose sender gave it an id: 128 bits of the SHA-256 of its bot
// (or integration), kind and id. Collisions cannot be constructed.
type key [keySize]byte

const keySize = 16

func keyOf(r *Record) key {
	scope := string(r.Bot)
	if scope == "" {
		scope = string(r.Integration)
	}
	text := make([]byte, 0, 128)
	text = append(text, byte(r.Kind))
	text = binary.AppendUvarint(text, uint64(len(scope)))
	text = append(text, scope...)
	text = append(text, r.ID...)
	sum := sha256.Sum256(text)
	return key(sum[:keySize])
}

func (k key) high() uint64 { return binary.BigEndian.Uint64(k[:8]) }
func (k key) low() uint64  { return binary.LittleEndian.Uint64(k[8:]) }

func compareKeys(a, b key) int { return bytes.Compare(a[:], b[:]) }

// keySet is a hash set with open addressing. It takes 16 bytes a slot, a third of what a
// Go map would.
type keySet struct {
	places []key
	used   int
	zero   bool // the key of zeros, which marks a free place, is in the set
}

func (s *keySet) len() int { return s.used }

func (s *keySet) has(k key) bool {
	if k == (key{}) {
		return s.zero
	}
	if len(s.places) == 0 {
		return false
	}
	mask := uint64(len(s.places) - 1)
	for at := k.low() & mask; ; at = (at + 1) & mask {
		switch s.places[at] {
		case k:
			return true
		case key{}:
			return false
		}
	}
}

// add adds a key and says whether it was new.
func (s *keySet) add(k key) bool {
	if k == (key{}) {
		added := !s.zero
		s.zero = true
		return added
	}
	if (s.used+1)*4 > len(s.places)*3 {
		old := s.places
		s.places, s.used = make([]key, max(64, len(old)*2)), 0
		for _, o := range old {
			if o != (key{}) {
				s.add(o)
			}
		}
	}
	mask := uint64(len(s.places) - 1)
	for at := k.low() & mask; ; at = (at + 1) & mask {
		switch s.places[at] {
		case k:
			return false
		case key{}:
			s.places[at] = k
			s.used++
			return true
		}
	}
}

// keysOf splits bytes into keys.
func keysOf(b []byte) []key {
	keys := make([]key, len(b)/keySize)
	for i := range keys {
		copy(keys[i][:], b[i*keySize:])
	}
	return keys
}

func appendKeys(b []byte, keys []key) []byte {
	for _, k := range keys {
		b = append(b, k[:]...)
	}
	return b
}

// run is a sorted list of keys on disk, in buckets of about keysPerBucket by their leading
// bits, with a Bloom filter in memory.
type run struct {
	id      int64
	buckets uint64
	filter  bloom
}

const (
	keysPerBucket = 128
	// maxFresh is how many keys of a day are in memory before they become a run,
	// 8 MiB of them in a table of 16 MiB.
	maxFresh = 1 << 19
	// maxRuns is how many runs a day may have before they are made one.
	maxRuns = 8
)

// bucketOf is the bucket of a key among n. Keys are uniformly distributed, so it takes no
// index to find it.
func bucketOf(k key, n uint64) uint64 {
	at, _ := bits.Mul64(k.high(), n)
	return at
}

// inBucket says whether the sorted keys of a bucket hold k.
func inBucket(bucket []byte, k key) bool {
	_, found := slices.BinarySearchFunc(keysOf(bucket), k, compareKeys)
	return found
}

// header is what is stored of a run beside its buckets: their number, then the filter.
func (r run) header() []byte {
	return append(binary.BigEndian.AppendUint64(nil, r.buckets), r.filter...)
}

func runOf(id int64, header []byte) (run, bool) {
	if len(header) < 8+bloomBlock || (len(header)-8)%bloomBlock != 0 {
		return run{}, false
	}
	return run{id: id, buckets: binary.BigEndian.Uint64(header), filter: bloom(header[8:])}, true
}
