package telemetry

import (
	"reflect"
	"sync"
	"time"
)

// Rejected is a record that was not taken.
type Rejected struct {
	// Line is the record's place in the body, from 1.
	Line    int    `json:"line"`
	Type    string `json:"type"`
	Message string `json:"message"`
}

// batch collects the records of a request, which have room in its pass.
type batch struct {
	service  *Service
	from     *sender
	pass     *pass
	now      time.Time
	oldest   map[Class]time.Time
	line     line // the one that is read
	records  []Record
	taken    int // how many records there were, when they are given back
	rejected []Rejected
	refusals int64 // bytes of these, and of the answer that names them
	lines    int
	room     int64 // bytes that are taken of the pass and not used yet
}

// recordLists keep the memory of records for the next batches.
var recordLists = sync.Pool{New: func() any { return new([]Record) }}

// maxKeptList is the longest that is kept.
const maxKeptList = 4096

func (s *Service) newBatch(from *sender, p *pass) *batch {
	return &batch{service: s, from: from, pass: p, now: s.clock.Now(), oldest: map[Class]time.Time{}}
}

// giveBack gives the memory of the records back. Their room stays taken.
func (b *batch) giveBack() {
	if list := b.records; cap(list) > 0 && cap(list) <= maxKeptList {
		clear(list)
		list = list[:0]
		recordLists.Put(&list)
	}
	b.records = nil
}

// expect makes room for so many records, as far as that is likely.
func (b *batch) expect(records int) error {
	if b.records == nil {
		b.records = *recordLists.Get().(*[]Record)
		if err := b.reserve(int64(cap(b.records)) * recordSize); err != nil {
			return err
		}
	}
	most := min(records, maxBatch)
	if most <= cap(b.records) {
		return nil
	}
	if err := b.reserve(int64(most-cap(b.records)) * recordSize); err != nil {
		return err
	}
	b.records = append(make([]Record, 0, most), b.records...)
	return nil
}

// accept and reject say what became of the record in hand. What is rejected counts as
// much as what is taken: an answer names each, and is much larger than a line of a
// byte or two.
func (b *batch) accept(r Record) error {
	if err := b.reserve(weightOf(&r)); err != nil {
		return err
	}
	if len(b.records)+len(b.rejected) == maxBatch {
		return tooMany()
	}
	if len(b.records) == cap(b.records) {
		if err := b.expect(max(2*cap(b.records), 64)); err != nil {
			return err
		}
	}
	b.records = append(b.records, r)
	return nil
}

func (b *batch) reject(problem string) error {
	weight := 2 * int64(len(problem)+rejectedSize)
	if err := b.reserve(weight); err != nil {
		return err
	}
	if len(b.records)+len(b.rejected) == maxBatch {
		return tooMany()
	}
	b.refusals += weight
	b.rejected = append(b.rejected, Rejected{b.lines, "InvalidPayload", problem})
	return nil
}

// reserve takes room for bytes, in steps, so that not every record asks for it.
func (b *batch) reserve(bytes int64) error {
	const step = 64 << 10
	if b.room < bytes {
		more := max(bytes, step)
		if err := b.pass.grow(more); err != nil {
			return err
		}
		b.room += more
	}
	b.room -= bytes
	return nil
}

// What things take in memory beside their texts, about.
var recordSize = int64(reflect.TypeFor[Record]().Size())

const (
	rejectedSize = 64
	bodySize     = 256
	datumSize    = 128
)

// weightOf is what a record takes in memory beside its place in the list, about.
func weightOf(r *Record) int64 {
	size := int64(len(r.ID) + len(r.User) + len(r.Conversation) + len(r.Workflow) + len(r.Message))
	if r.Body == nil {
		return size
	}
	size += bodySize
	texts := 0
	switch body := r.Body.(type) {
	case *ActionRun:
		texts = len(body.Input) + len(body.Output) + len(body.ErrorMessage) + len(body.IntegrationName) + len(body.ActionType)
	case *Issue:
		texts = len(body.Code) + len(body.Title) + len(body.Description) + len(body.ResolutionLink)
		for key, d := range body.Data {
			texts += datumSize + len(key) + len(d.Raw) + len(d.Pretty)
		}
		for _, g := range body.GroupBy {
			texts += 16 + len(g)
		}
	case *Activity:
		texts = len(body.Data) + len(body.Description) + len(body.TaskID)
	case *Event:
		texts = len(body.Type)
	case *CustomEvent:
		texts = len(body.Name)
	case *LLMCall:
		texts = len(body.Model) + len(body.Error)
	case *Usage:
		texts = len(body.Metadata)
	}
	return size + int64(texts)
}
