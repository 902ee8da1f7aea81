package telemetry

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/go-json-experiment/json"
	"github.com/klauspost/compress/zstd"

	"github.com/botyard/botyard/internal/id"
)

// A block holds records of one owner (workspace, bot and integration) and one class,
// stored by column and compressed, with a summary that tells which records it cannot
// contain.
//
// It has two parts. The head has the columns that filters look at: time, sequence, level,
// and the ids of user, conversation and workflow. The text has the messages, or the JSON
// of the bodies, in frames that can be decompressed one by one. To read a page, few heads
// and still fewer frames are decompressed.
type block struct {
	owner
	// sequence is the lowest of the records', and identifies the block.
	sequence     int64
	lastSequence int64
	firstAt      int64
	lastAt       int64
	records      int
	kinds        uint64 // bit k: a record of Kind k
	levels       uint64 // bit l: a record of Level l
	// A fresh block is as it was appended: consecutive sequences in the order of arrival,
	// one frame, and no trigrams. Merged blocks are sorted by time and sequence.
	fresh bool
	full  bool // never merged again
	ids   bloom
	words trigrams
	head  []byte
	text  []byte
}

type owner struct {
	workspace   id.Workspace
	bot         id.Bot
	integration id.Integration
}

func ownerOf(r *Record) owner { return owner{r.Workspace, r.Bot, r.Integration} }

// The limits of a block.
const (
	maxRecords   = 4096
	maxBlockText = 1 << 20
	// maxFrame is how much text is compressed together, unless one record is larger. Small
	// frames let a reader of few records decompress little, and hardly cost compression.
	maxFrame = 16 << 10
)

// blockVersion is the first byte of every head.
const blockVersion = 1

var errBlock = errors.New("a block of records cannot be decoded")

// The codecs are configured for little memory: blocks are small.
var (
	fastest = newEncoder(zstd.SpeedFastest)
	tighter = newEncoder(zstd.SpeedDefault)
	decoder = newDecoder()
)

func newEncoder(level zstd.EncoderLevel) *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(2), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return e
}

func newDecoder() *zstd.Decoder {
	// Only this package's own output is decoded: the limit guards against damaged data.
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(4), zstd.WithDecoderMaxMemory(64<<20), zstd.WithDecoderLowmem(true))
	if err != nil {
		panic(err)
	}
	return d
}

// encodeFresh makes a block of records of one owner and class, in the order of their
// arrival. Its sequence is assigned when it is appended.
func encodeFresh(records []Record) (*block, error) {
	return encode(records, true, fastest)
}

// encodeSorted makes a block of records that are sorted by time and sequence.
func encodeSorted(records []Record) (*block, error) {
	b, err := encode(records, false, tighter)
	if err != nil {
		return nil, err
	}
	b.sequence, b.lastSequence = records[0].Sequence, records[0].Sequence
	length := 0
	for i := range records {
		b.sequence, b.lastSequence = min(b.sequence, records[i].Sequence), max(b.lastSequence, records[i].Sequence)
		length += len(records[i].Message)
	}
	if length > 0 {
		b.words = newTrigrams(length)
		for i := range records {
			b.words.add(records[i].Message)
		}
	}
	return b, nil
}

// scratch is the working memory of encode, which is pooled: uncompressed, a block takes
// several times its size.
type scratch struct {
	head, text, packed []byte
	ends               []int
	numbers            []uint64
	known              map[string]int
	columns            [len(idColumns) + 1][]string // the distinct texts of each column
}

var scratches = sync.Pool{New: func() any { return &scratch{known: map[string]int{}} }}

// maxScratch is the largest buffer that goes back to the pool.
const maxScratch = 2 << 20

func (s *scratch) giveBack() {
	for i := range s.columns {
		clear(s.columns[i]) // or they would keep the records' texts alive
	}
	if max(cap(s.head), cap(s.text), cap(s.packed)) <= maxScratch {
		scratches.Put(s)
	}
}

func encode(records []Record, fresh bool, with *zstd.Encoder) (*block, error) {
	s := scratches.Get().(*scratch)
	defer s.giveBack()
	first := &records[0]
	b := &block{owner: ownerOf(first), firstAt: first.At, lastAt: first.At, records: len(records), fresh: fresh}
	head, text, ends := s.head[:0], s.text[:0], s.ends[:0]
	at, sequence := int64(0), int64(0)
	for i := range records {
		r := &records[i]
		b.firstAt, b.lastAt = min(b.firstAt, r.At), max(b.lastAt, r.At)
		b.kinds |= 1 << r.Kind
		b.levels |= 1 << r.Level
		head = binary.AppendVarint(head, r.At-at)
		at = r.At
	}
	if !fresh {
		for i := range records {
			head = binary.AppendVarint(head, records[i].Sequence-sequence)
			sequence = records[i].Sequence
		}
	}
	for i := range records {
		head = append(head, flagsOf(&records[i]))
	}
	for i, column := range idColumns {
		head = s.appendTexts(head, records, column.of, i)
	}
	b.ids = idsOf([len(idColumns)][]string(s.columns[:len(idColumns)]))
	if classOf(first.Kind) == Events {
		for i := range records {
			head = append(head, byte(records[i].Kind))
		}
		head = s.appendTexts(head, records, recordID, len(idColumns))
	}
	for i := range records {
		r := &records[i]
		if r.Body == nil {
			text = append(text, r.Message...)
			head = binary.AppendUvarint(head, uint64(len(r.Message)))
			ends = append(ends, len(text))
			continue
		}
		body, err := json.Marshal(r.Body)
		if err != nil {
			return nil, fmt.Errorf("the body of a record of kind %s: %w", r.Kind, err)
		}
		text = append(text, body...)
		head = binary.AppendUvarint(head, uint64(len(body)))
		ends = append(ends, len(text))
	}
	most := maxFrame
	if fresh {
		most = len(text) // soon to be merged
	}
	packed := s.packed[:0]
	for from, start := 0, 0; from < len(ends); {
		to := from + 1
		for to < len(ends) && ends[to]-start <= most {
			to++
		}
		before := len(packed)
		packed = with.EncodeAll(text[start:ends[to-1]], packed)
		head = binary.AppendUvarint(head, uint64(to-from))
		head = binary.AppendUvarint(head, uint64(len(packed)-before))
		from, start = to, ends[to-1]
	}
	b.text = bytes.Clone(packed)
	packed = with.EncodeAll(head, append(packed[:0], blockVersion))
	b.head = bytes.Clone(packed)
	s.head, s.text, s.packed, s.ends = head, text, packed, ends
	return b, nil
}

const (
	flagHiddenFromBot = 1 << (4 + iota)
	flagHiddenFromIntegration
)

// flagsOf has the level in the low four bits, and the two flags above them.
func flagsOf(r *Record) byte {
	flags := byte(r.Level)
	if r.HiddenFromBot {
		flags |= flagHiddenFromBot
	}
	if r.HiddenFromIntegration {
		flags |= flagHiddenFromIntegration
	}
	return flags
}

// idColumns are the columns of ids. The letter keeps their hashes apart.
var idColumns = [...]struct {
	letter byte
	of     func(*Record) *string
	wanted func(*Filter) string
}{
	{'u', func(r *Record) *string { return &r.User }, func(f *Filter) string { return f.User }},
	{'c', func(r *Record) *string { return &r.Conversation }, func(f *Filter) string { return f.Conversation }},
	{'w', func(r *Record) *string { return &r.Workflow }, func(f *Filter) string { return f.Workflow }},
}

func recordID(r *Record) *string { return &r.ID }

func idHash(letter byte, value string) uint64 {
	h := xxhash.NewWithSeed(uint64(letter))
	_, _ = h.WriteString(value) // never fails
	return h.Sum64()
}

// idBits is the size of a block's Bloom filter, in bits for each id. One block in a hundred
// is opened for nothing, which costs less than reading larger filters of all blocks.
const idBits = 10

// idsOf is the Bloom filter of a block's ids, given the distinct ones of each column.
func idsOf(columns [len(idColumns)][]string) bloom {
	n := 0
	for _, texts := range columns {
		n += len(texts)
	}
	f := newBloom(n * idBits / (8 * bloomBytes))
	for i, texts := range columns {
		for _, text := range texts {
			if text != "" {
				f.add(idHash(idColumns[i].letter, text))
			}
		}
	}
	return f
}

// appendTexts writes a column of texts: the number of distinct texts, their lengths, the
// texts one after the other, and for each record a reference to its text. The reference
// counts back from the texts seen so far, so a new text is 0 and a recent one is small.
// A column with a single text needs no references. Afterwards columns[at] has the distinct
// texts.
func (s *scratch) appendTexts(head []byte, records []Record, column func(*Record) *string, at int) []byte {
	numbers := slices.Grow(s.numbers[:0], len(records))[:len(records)]
	clear(s.known)
	texts := s.columns[at][:0]
	for i := range records {
		text := *column(&records[i])
		if i > 0 && text == *column(&records[i-1]) {
			numbers[i] = numbers[i-1]
			if numbers[i] == 0 {
				numbers[i] = 1 // the text that was new there is the latest one here
			}
			continue
		}
		n, found := s.known[text]
		if found {
			numbers[i] = uint64(len(texts) - n)
			continue
		}
		s.known[text] = len(texts)
		numbers[i] = 0
		texts = append(texts, text)
	}
	head = binary.AppendUvarint(head, uint64(len(texts)))
	for _, text := range texts {
		head = binary.AppendUvarint(head, uint64(len(text)))
	}
	for _, text := range texts {
		head = append(head, text...)
	}
	if len(texts) > 1 {
		for _, n := range numbers {
			head = binary.AppendUvarint(head, n)
		}
	}
	clear(s.known)
	s.numbers, s.columns[at] = numbers, texts
	return head
}

// older is the order of records in a merged block: by time, then by sequence.
func older(a, b *Record) int {
	switch {
	case a.At != b.At:
		if a.At < b.At {
			return -1
		}
		return 1
	case a.Sequence < b.Sequence:
		return -1
	case a.Sequence > b.Sequence:
		return 1
	}
	return 0
}
