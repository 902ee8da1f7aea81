package telemetry

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
)

// openedBlock is a block whose head is decoded, column by column. Only the records that
// are wanted are made of it.
type openedBlock struct {
	*block
	class     Class
	at        []int64
	sequences []int64 // nil: consecutive
	flags     string
	ids       [len(idColumns)]textColumn
	kinds     string     // of events
	recordIDs textColumn // of events
	ends      []int32    // where each record's text ends in the text of all frames
	frames    []frame
	size      int // bytes in memory, about
}

// frame is a range of records whose text is compressed together.
type frame struct {
	first, end int // records
	from, to   int // bytes in block.text
}

// textColumn is a column of texts: the distinct texts, one after the other, and which of
// them each record has. A column with a single text has no numbers.
type textColumn struct {
	all     string
	ends    []int32
	numbers []int32
}

func (t *textColumn) text(n int32) string {
	start := int32(0)
	if n > 0 {
		start = t.ends[n-1]
	}
	return t.all[start:t.ends[n]]
}

func (t *textColumn) of(record int) string {
	if t.numbers == nil {
		return t.text(0)
	}
	return t.text(t.numbers[record])
}

// number is the number of a text, or -1 when no record has it.
func (t *textColumn) number(text string) int32 {
	for n := range t.ends {
		if t.text(int32(n)) == text {
			return int32(n)
		}
	}
	return -1
}

// has says whether a record has the text with a number.
func (t *textColumn) has(record int, number int32) bool {
	return t.numbers == nil || t.numbers[record] == number
}

// headReader decodes a decompressed head. After the first error bad is true, and it
// answers zeros.
type headReader struct {
	head string
	next int
	bad  bool
}

func (r *headReader) uvarint() uint64 {
	if r.next < len(r.head) && r.head[r.next] < 0x80 {
		r.next++
		return uint64(r.head[r.next-1])
	}
	return r.long()
}

func (r *headReader) long() (v uint64) {
	for i := range min(len(r.head)-r.next, binary.MaxVarintLen64) {
		b := r.head[r.next+i]
		v |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			r.next += i + 1
			return v
		}
	}
	r.fail()
	return 0
}

func (r *headReader) fail() { r.bad, r.next = true, len(r.head) }

// varint reads what binary.AppendVarint wrote: the sign is in the lowest bit.
func (r *headReader) varint() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (r *headReader) bytes(n uint64) string {
	if n > uint64(len(r.head)-r.next) {
		r.fail()
		return ""
	}
	r.next += int(n)
	return r.head[r.next-int(n) : r.next]
}

// texts reads the column of a number of records.
func (r *headReader) texts(records int) (t textColumn) {
	n := r.uvarint()
	if n > uint64(records) || n == 0 {
		r.bad, n = true, 1
	}
	t.ends = make([]int32, n)
	length := uint64(0)
	for i := range t.ends {
		if length += r.uvarint(); length > maxHead {
			r.bad, length = true, 0
		}
		t.ends[i] = int32(length)
	}
	if t.all = r.bytes(length); r.bad {
		clear(t.ends)
		return t
	}
	if n == 1 {
		return t
	}
	t.numbers = make([]int32, records)
	seen := uint64(0)
	for i := range t.numbers {
		back := r.uvarint()
		if back == 0 {
			seen++
			back = 1
		}
		if back > seen || seen > n {
			r.bad = true
			return t
		}
		t.numbers[i] = int32(seen - back)
	}
	return t
}

// maxHead bounds a decompressed head, as decoder does.
const maxHead = 64 << 20

// unpackings pools the buffers that heads and frames are decompressed into.
var unpackings = sync.Pool{New: func() any { return new([]byte) }}

func unpackText(packed []byte) (string, error) {
	buffer := unpackings.Get().(*[]byte)
	defer unpackings.Put(buffer)
	unpacked, err := decoder.DecodeAll(packed, (*buffer)[:0])
	if cap(unpacked) <= maxScratch {
		*buffer = unpacked
	}
	return string(unpacked), err
}

// open decodes the head. The records of a merged block are in the order of time and
// sequence, those of a fresh one in the order of arrival.
func (b *block) open(class Class) (*openedBlock, error) {
	if b.records <= 0 || b.records > 1<<20 || len(b.head) == 0 || b.head[0] != blockVersion {
		return nil, fmt.Errorf("%w: block %d of %d records", errBlock, b.sequence, b.records)
	}
	head, err := unpackText(b.head[1:])
	if err != nil {
		return nil, fmt.Errorf("%w: block %d: %w", errBlock, b.sequence, err)
	}
	r := &headReader{head: head}
	o := &openedBlock{block: b, class: class, at: make([]int64, b.records), ends: make([]int32, b.records)}
	at, sequence := int64(0), int64(0)
	for i := range o.at {
		at += r.varint()
		o.at[i] = at
	}
	if !b.fresh {
		o.sequences = make([]int64, b.records)
		for i := range o.sequences {
			sequence += r.varint()
			o.sequences[i] = sequence
		}
	}
	o.flags = r.bytes(uint64(b.records))
	for i := range o.ids {
		o.ids[i] = r.texts(b.records)
	}
	if class == Events {
		o.kinds = r.bytes(uint64(b.records))
		o.recordIDs = r.texts(b.records)
	}
	end := uint64(0)
	for i := range o.ends {
		if end += r.uvarint(); end > math.MaxInt32 {
			r.bad, end = true, 0
		}
		o.ends[i] = int32(end)
	}
	for f := (frame{}); f.end < b.records && !r.bad; {
		records, length := r.uvarint(), r.uvarint()
		if records == 0 || records > uint64(b.records-f.end) || length > maxHead {
			r.bad = true
			break
		}
		f = frame{f.end, f.end + int(records), f.to, f.to + int(length)}
		o.frames = append(o.frames, f)
	}
	// For each record: its time, sequence, end of text, and for each column of ids a number
	// and often a text of its own.
	o.size = len(head) + b.records*(8+8+4+len(o.ids)*8)
	if r.bad {
		return nil, fmt.Errorf("%w: block %d has a damaged head", errBlock, b.sequence)
	}
	return o, nil
}

// record makes a record without its text.
func (o *openedBlock) record(i int) Record {
	r := Record{
		Kind: KindLog, At: o.at[i], Workspace: o.workspace, Bot: o.bot, Integration: o.integration, Sequence: o.sequence + int64(i),
		Level: Level(o.flags[i] & 0xf), HiddenFromBot: o.flags[i]&flagHiddenFromBot != 0, HiddenFromIntegration: o.flags[i]&flagHiddenFromIntegration != 0,
		User: o.ids[0].of(i), Conversation: o.ids[1].of(i), Workflow: o.ids[2].of(i),
	}
	if o.sequences != nil {
		r.Sequence = o.sequences[i]
	}
	if o.class == Events {
		r.Kind, r.ID = Kind(o.kinds[i]), o.recordIDs.of(i)
	}
	return r
}

func (o *openedBlock) position(i int) position {
	if o.sequences != nil {
		return position{o.at[i], o.sequences[i]}
	}
	return position{o.at[i], o.sequence + int64(i)}
}

// wanted lists the positions of the records that are older than start and pass the part
// of a filter that heads can answer. Ids are compared by their numbers in the columns.
func (o *openedBlock) wanted(f *Filter, start position) (places []int) {
	type column struct {
		*textColumn
		number int32
	}
	var named []column
	for i := range idColumns {
		if id := idColumns[i].wanted(f); id != "" {
			number := o.ids[i].number(id)
			if number < 0 {
				return nil
			}
			named = append(named, column{&o.ids[i], number})
		}
	}
	for i := range o.at {
		if slices.ContainsFunc(named, func(c column) bool { return !c.has(i, c.number) }) {
			continue
		}
		if r := o.record(i); f.fits(&r) && start.newer(position{r.At, r.Sequence}) {
			places = append(places, i)
		}
	}
	return places
}

// excerpt is a part of a block's compressed text.
type excerpt struct {
	text []byte
	from int // its offset
}

// unpack decompresses a frame. The text begins with that of the frame's first record.
func (o *openedBlock) unpack(f frame, packed excerpt) (string, error) {
	from, to := f.from-packed.from, f.to-packed.from
	if from < 0 || to > len(packed.text) {
		return "", fmt.Errorf("%w: block %d has %d bytes of text and not %d", errBlock, o.sequence, len(packed.text), to)
	}
	text, err := unpackText(packed.text[from:to])
	if err != nil {
		return "", fmt.Errorf("%w: block %d: %w", errBlock, o.sequence, err)
	}
	if length := o.end(f.end-1) - o.start(f.first); len(text) != length {
		return "", fmt.Errorf("%w: a frame of block %d has %d bytes of text and not %d", errBlock, o.sequence, len(text), length)
	}
	return text, nil
}

func (o *openedBlock) start(i int) int {
	if i == 0 {
		return 0
	}
	return o.end(i - 1)
}

func (o *openedBlock) end(i int) int { return int(o.ends[i]) }

// fill sets the message or the body of a record from its text.
func (o *openedBlock) fill(r *Record, text string) error {
	if r.Kind == KindLog {
		r.Message = text
		return nil
	}
	r.Body = newBody(r.Kind)
	if r.Body == nil {
		return fmt.Errorf("%w: block %d has a record of kind %d", errBlock, o.sequence, r.Kind)
	}
	if err := json.Unmarshal([]byte(text), r.Body); err != nil {
		return fmt.Errorf("%w: block %d: %w", errBlock, o.sequence, err)
	}
	return nil
}

// whole appends all records to a list, in the order of the block.
func (o *openedBlock) whole(records []Record) ([]Record, error) {
	records = slices.Grow(records, o.block.records)
	for _, f := range o.frames {
		text, err := o.unpack(f, excerpt{text: o.text})
		if err != nil {
			return nil, err
		}
		base := o.start(f.first)
		for i := f.first; i < f.end; i++ {
			r := o.record(i)
			if err := o.fill(&r, text[o.start(i)-base:o.end(i)-base]); err != nil {
				return nil, err
			}
			records = append(records, r)
		}
	}
	return records, nil
}

// all decodes all records, sorted by time and sequence.
func (b *block) all(class Class) ([]Record, error) {
	o, err := b.open(class)
	if err != nil {
		return nil, err
	}
	records, err := o.whole(nil)
	if err == nil && b.fresh {
		slices.SortFunc(records, func(x, y Record) int { return older(&x, &y) })
	}
	return records, err
}

// frameOf is the frame that contains the text of a record.
func (o *openedBlock) frameOf(record int) frame {
	n, _ := slices.BinarySearchFunc(o.frames, record, func(f frame, record int) int { return f.end - record - 1 })
	return o.frames[n]
}

// containing makes those of the records at some positions of one frame whose message
// contains the needle. It searches the text of the frame as a whole, which is many times
// faster than message by message when the needle is rare. The records do not keep the
// block's memory alive.
func (o *openedBlock) containing(f frame, packed excerpt, needle string, places []int) (records []Record, err error) {
	text, err := o.unpack(f, packed)
	if err != nil {
		return nil, err
	}
	base, next := o.start(f.first), -1 // next is the first occurrence in or after the current record
	for _, i := range places {
		start, end := o.start(i)-base, o.end(i)-base
		if needle != "" {
			if next < start {
				found := strings.Index(text[start:], needle)
				if found < 0 {
					break
				}
				next = start + found
			}
			// An occurrence that extends into the next message is not one of this message.
			if next+len(needle) > end {
				continue
			}
		}
		r := o.record(i)
		r.User, r.Conversation, r.Workflow, r.ID = strings.Clone(r.User), strings.Clone(r.Conversation), strings.Clone(r.Workflow), strings.Clone(r.ID)
		if err := o.fill(&r, strings.Clone(text[start:end])); err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}
