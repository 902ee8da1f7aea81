package telemetry

import (
	"reflect"
	"sync"
	"time"
)

// Rejected is a record that was not accepted.
type Rejected struct {
	// Line is the position of the record in the body, from 1.
	Line    int    `json:"line"`
	Type    string `json:"type"`
	Message string `json:"message"`
}

// batch collects the records of one request. Its pass has room for them.
type batch struct {
	service  *Service
	from     *sender
	pass     *pass
	now      time.Time
	oldest   map[Class]time.Time
	line     line // the current one
	records  []Record
	taken    int // the number of records, also after giveBack
	rejected []Rejected
	refusals int64 // bytes of rejected, and of the answer that lists them
	lines    int
	room     int64 // bytes that the pass has taken and nothing uses yet
}

// recordLists pools lists of records.
var recordLists = sync.Pool{New: func() any { return new([]Record) }}

// maxKeptList is the longest list that goes back to the pool.
const maxKeptList = 4096

func (s *Service) newBatch(from *sender, p *pass) *batch {
	return &batch{service: s, from: from, pass: p, now: s.clock.Now(), oldest: map[Class]time.Time{}}
}

// giveBack returns the list of records to the pool. Its room remains taken.
func (b *batch) giveBack() {
	if list := b.records; cap(list) > 0 && cap(list) <= maxKeptList {
		clear(list)
		list = list[:0]
		recordLists.Put(&list)
	}
	b.records = nil
}

// expect makes room for a number of records, up to maxBatch.
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

// accept and reject add the outcome of the current record. Rejected records count towards
// the limits too: the answer lists each, and may be much larger than their lines.
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

// reserve takes room for some bytes, in larger steps, so that not every record locks the
// admission.
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

// Estimates of the memory that things take beside their texts.
var recordSize = int64(reflect.TypeFor[Record]().Size())

const (
	rejectedSize = 64
	bodySize     = 256
	datumSize    = 128
)

// weightOf estimates the memory of a record beside its slot in the list.
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
