package telemetry

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/go-json-experiment/json"
	"github.com/klauspost/compress/zstd"

	"github.com/botyard/botyard/internal/id"
)

// A block is records of one owner (workspace, bot and integration) and class,
// column by column and compressed, with a summary that says what is not in it.
//
// It has two parts. The head has what filters ask for: time, sequence, level, the
// ids of user, conversation and workflow. The text has the messages, or the bodies'
// JSON. Reading a page opens few heads and fewer texts.
type block struct {
	owner
	// sequence is the least of the records', and names the block.
	sequence     int64
	lastSequence int64
	firstAt      int64
	lastAt       int64
	records      int
	kinds        uint64 // bit k: a record of Kind k
	levels       uint64 // bit l: a record of Level l
	// fresh blocks are as they were appended: consecutive sequences in the order of
	// arrival, no filters. Others are sorted by time and sequence.
	fresh bool
	full  bool // not to be merged any more
	ids   filter
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

// The bounds of a block.
const (
	mostRecords   = 4096
	mostBlockText = 1 << 20
)

// blockVersion is the first byte of every head.
const blockVersion = 1

var errBlock = errors.New("a block of records cannot be decoded")

// The compressors keep little memory: blocks are small, and as many are at work as
// there are processors.
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
	// Only what this package wrote is decoded: a bound against damage.
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(4), zstd.WithDecoderMaxMemory(64<<20), zstd.WithDecoderLowmem(true))
	if err != nil {
		panic(err)
	}
	return d
}

// The names of the columns of ids, within the hashes of block.ids.
const (
	ofUser         = "u"
	ofConversation = "c"
	ofWorkflow     = "w"
)

func idHash(column, value string) uint64 {
	h := xxhash.NewWithSeed(uint64(column[0]))
	_, _ = h.WriteString(value) // never fails
	return h.Sum64()
}

// encodeFresh makes the block of records of one owner and class in the order of
// their arrival. Its sequence is set when it is appended.
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
	b.ids = idsOf(records)
	return b, nil
}

func idsOf(records []Record) filter {
	hashes := map[uint64]struct{}{}
	for i := range records {
		r := &records[i]
		for _, p := range [...]struct{ column, value string }{{ofUser, r.User}, {ofConversation, r.Conversation}, {ofWorkflow, r.Workflow}} {
			if p.value != "" {
				hashes[idHash(p.column, p.value)] = struct{}{}
			}
		}
	}
	f := newFilter(len(hashes))
	for h := range hashes {
		f.add(h)
	}
	return f
}

func encode(records []Record, fresh bool, with *zstd.Encoder) (*block, error) {
	first := &records[0]
	b := &block{owner: ownerOf(first), firstAt: first.At, lastAt: first.At, records: len(records), fresh: fresh}
	head := make([]byte, 0, 16*len(records))
	var text []byte
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
	for _, column := range idColumns {
		head = appendStrings(head, records, column)
	}
	if classOf(first.Kind) == Events {
		for i := range records {
			head = append(head, byte(records[i].Kind))
		}
		head = appendStrings(head, records, func(r *Record) *string { return &r.ID })
	}
	for i := range records {
		r := &records[i]
		if r.Body == nil {
			text = append(text, r.Message...)
			head = binary.AppendUvarint(head, uint64(len(r.Message)))
			continue
		}
		body, err := json.Marshal(r.Body)
		if err != nil {
			return nil, fmt.Errorf("the body of a record of kind %s: %w", r.Kind, err)
		}
		text = append(text, body...)
		head = binary.AppendUvarint(head, uint64(len(body)))
	}
	b.head = with.EncodeAll(head, append(make([]byte, 0, len(head)/2+32), blockVersion))
	b.text = with.EncodeAll(text, make([]byte, 0, len(text)/3+32))
	return b, nil
}

const (
	flagHiddenFromBot = 1 << (4 + iota)
	flagHiddenFromIntegration
)

// flagsOf is the level in the low bits and what is hidden above them.
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

var idColumns = [...]func(*Record) *string{
	func(r *Record) *string { return &r.User },
	func(r *Record) *string { return &r.Conversation },
	func(r *Record) *string { return &r.Workflow },
}

// appendStrings writes a column of texts: how many differ, these, and for each
// record its number. A column with one text needs no numbers.
func appendStrings(head []byte, records []Record, column func(*Record) *string) []byte {
	numbers := make([]uint64, len(records))
	known := map[string]uint64{}
	var texts []string
	for i := range records {
		text := *column(&records[i])
		n, found := known[text]
		if !found {
			n = uint64(len(texts))
			known[text] = n
			texts = append(texts, text)
		}
		numbers[i] = n
	}
	head = binary.AppendUvarint(head, uint64(len(texts)))
	for _, text := range texts {
		head = binary.AppendUvarint(head, uint64(len(text)))
		head = append(head, text...)
	}
	if len(texts) > 1 {
		for _, n := range numbers {
			head = binary.AppendUvarint(head, n)
		}
	}
	return head
}

// reading goes through a decompressed head. After the first thing that cannot be
// there it answers zeros, and bad says so.
type reading struct {
	rest []byte
	bad  bool
}

func (r *reading) varint() int64 {
	v, n := binary.Varint(r.rest)
	return take(r, v, n)
}

func (r *reading) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	return take(r, v, n)
}

func take[V any](r *reading, v V, n int) (zero V) {
	if n <= 0 {
		r.bad, r.rest = true, nil
		return zero
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reading) bytes(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reading) strings(records []Record, column func(*Record) *string) {
	n := r.uvarint()
	if n > uint64(len(records)) || n == 0 {
		r.bad = true
		return
	}
	texts := make([]string, n)
	for i := range texts {
		texts[i] = string(r.bytes(r.uvarint()))
	}
	for i := range records {
		number := uint64(0)
		if n > 1 {
			number = r.uvarint()
		}
		if number >= n {
			r.bad = true
			return
		}
		*column(&records[i]) = texts[number]
	}
}

// opened is a block whose head is decoded: its records have no message and no body
// yet, and record i's are ends[i-1] to ends[i] of the text.
type opened struct {
	*block
	records []Record
	ends    []int
}

// open decodes the head. Records are in the order of time and sequence.
func (b *block) open(class Class) (*opened, error) {
	if b.records <= 0 || b.records > 1<<20 || len(b.head) == 0 || b.head[0] != blockVersion {
		return nil, fmt.Errorf("%w: block %d of %d records", errBlock, b.sequence, b.records)
	}
	head, err := decoder.DecodeAll(b.head[1:], nil)
	if err != nil {
		return nil, fmt.Errorf("%w: block %d: %w", errBlock, b.sequence, err)
	}
	r := &reading{rest: head}
	o := &opened{block: b, records: make([]Record, b.records), ends: make([]int, b.records)}
	at, sequence := int64(0), int64(0)
	for i := range o.records {
		at += r.varint()
		o.records[i] = Record{Kind: KindLog, At: at, Workspace: b.workspace, Bot: b.bot, Integration: b.integration, Sequence: b.sequence + int64(i)}
	}
	if !b.fresh {
		for i := range o.records {
			sequence += r.varint()
			o.records[i].Sequence = sequence
		}
	}
	for i, flags := range r.bytes(uint64(b.records)) {
		o.records[i].Level = Level(flags & 0xf)
		o.records[i].HiddenFromBot = flags&flagHiddenFromBot != 0
		o.records[i].HiddenFromIntegration = flags&flagHiddenFromIntegration != 0
	}
	for _, column := range idColumns {
		r.strings(o.records, column)
	}
	if class == Events {
		for i, kind := range r.bytes(uint64(b.records)) {
			o.records[i].Kind = Kind(kind)
		}
		r.strings(o.records, func(r *Record) *string { return &r.ID })
	}
	end := 0
	for i := range o.ends {
		end += int(r.uvarint())
		o.ends[i] = end
	}
	if r.bad {
		return nil, fmt.Errorf("%w: block %d has a head that ends too early", errBlock, b.sequence)
	}
	return o, nil
}

// read decodes the text and fills the records that are wanted, by their place; nil
// wants all.
func (o *opened) read(wanted []int) error {
	text, err := o.decodeText()
	if err != nil {
		return err
	}
	if wanted == nil {
		for i := range o.records {
			if err := o.fill(text, i); err != nil {
				return err
			}
		}
		return nil
	}
	for _, i := range wanted {
		if err := o.fill(text, i); err != nil {
			return err
		}
	}
	return nil
}

func (o *opened) decodeText() (string, error) {
	text, err := decoder.DecodeAll(o.text, nil)
	if err != nil {
		return "", fmt.Errorf("%w: block %d: %w", errBlock, o.sequence, err)
	}
	if len(text) != o.ends[len(o.ends)-1] {
		return "", fmt.Errorf("%w: block %d has %d bytes of text and not %d", errBlock, o.sequence, len(text), o.ends[len(o.ends)-1])
	}
	return string(text), nil
}

func (o *opened) start(i int) int {
	if i == 0 {
		return 0
	}
	return o.ends[i-1]
}

func (o *opened) fill(text string, i int) error {
	r := &o.records[i]
	own := text[o.start(i):o.ends[i]]
	if r.Kind == KindLog {
		r.Message = own
		return nil
	}
	r.Body = newBody(r.Kind)
	if r.Body == nil {
		return fmt.Errorf("%w: block %d has a record of kind %d", errBlock, o.sequence, r.Kind)
	}
	if err := json.Unmarshal([]byte(own), r.Body); err != nil {
		return fmt.Errorf("%w: block %d: %w", errBlock, o.sequence, err)
	}
	return nil
}

// older orders records as blocks keep them: by time, then by sequence.
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

// all decodes everything, sorted by time and sequence.
func (b *block) all(class Class) ([]Record, error) {
	o, err := b.open(class)
	if err != nil {
		return nil, err
	}
	if err := o.read(nil); err != nil {
		return nil, err
	}
	if b.fresh {
		slices.SortFunc(o.records, func(x, y Record) int { return older(&x, &y) })
	}
	return o.records, nil
}
