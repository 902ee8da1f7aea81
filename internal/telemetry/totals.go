package telemetry

import (
	"encoding/binary"
	"errors"
	"math"
)

// A Day is stored in a binary form: a version, its numbers in the order of the struct,
// then its names with their counts. Integers are varints and floats have eight bytes, so
// nothing is rounded, and a year of a busy bot is read in a fraction of the time that JSON
// would take.
const dayVersion = 1

var errDay = errors.New("it is not a day of this version, or it is damaged")

func (d *Day) counts() [10]*int64 {
	return [...]*int64{
		&d.ActiveUsers, &d.NewUsers, &d.Sessions, &d.UserMessages, &d.BotMessages, &d.Events,
		&d.LLM.Calls, &d.LLM.Errors, &d.LLM.InputTokens, &d.LLM.OutputTokens,
	}
}

func (d *Day) moments() [3]*Moments {
	return [...]*Moments{&d.LLM.Cost, &d.LLM.Latency, &d.LLM.TokensPerSecond}
}

func (m *Moments) floats() [4]*float64 { return [...]*float64{&m.Mean, &m.Squares, &m.Min, &m.Max} }

// encode is the stored form of the day. Equal days have equal bytes.
func (d *Day) encode() []byte {
	b := append(make([]byte, 0, 256), dayVersion)
	for _, n := range d.counts() {
		b = binary.AppendVarint(b, *n)
	}
	b = binary.AppendVarint(b, d.LLM.CostNanoUSD)
	for _, m := range d.moments() {
		if b = binary.AppendVarint(b, m.Count); m.Count == 0 {
			continue
		}
		for _, x := range m.floats() {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(*x))
		}
	}
	for _, names := range [...]Counts{d.EventTypes, d.CustomEvents} {
		b = binary.AppendUvarint(b, uint64(len(names)))
		for _, of := range names {
			b = append(binary.AppendUvarint(b, uint64(len(of.Name))), of.Name...)
			b = binary.AppendVarint(b, of.N)
		}
	}
	return b
}

// decodeDay reads what encode wrote; errDay when it is anything else.
func decodeDay(b []byte) (d Day, err error) {
	r := dayReader{left: b}
	if version := r.bytes(1); r.failed || version[0] != dayVersion {
		return d, errDay
	}
	for _, n := range d.counts() {
		*n = r.varint()
	}
	d.LLM.CostNanoUSD = r.varint()
	for _, m := range d.moments() {
		if m.Count = r.varint(); m.Count == 0 {
			continue
		}
		for _, x := range m.floats() {
			*x = r.float()
		}
	}
	d.EventTypes, d.CustomEvents = r.names(), r.names()
	if r.failed || len(r.left) > 0 {
		return Day{}, errDay
	}
	return d, nil
}

// dayReader decodes the parts of a day. After the first error failed is true, and it
// answers zeros.
type dayReader struct {
	left   []byte
	failed bool
}

func (r *dayReader) bytes(n uint64) []byte {
	if n > uint64(len(r.left)) {
		r.failed, r.left = true, nil
		return nil
	}
	b := r.left[:n]
	r.left = r.left[n:]
	return b
}

func (r *dayReader) varint() int64 {
	n, size := binary.Varint(r.left)
	r.failed = r.failed || size <= 0
	r.bytes(uint64(max(size, 0)))
	return n
}

func (r *dayReader) uvarint() uint64 {
	n, size := binary.Uvarint(r.left)
	r.failed = r.failed || size <= 0
	r.bytes(uint64(max(size, 0)))
	return n
}

func (r *dayReader) float() float64 {
	b := r.bytes(8)
	if r.failed {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

// names reads counts, which are in ascending order of their names.
func (r *dayReader) names() Counts {
	n := r.uvarint()
	if n == 0 || n > maxNames+1 {
		r.failed = r.failed || n > 0
		return nil
	}
	names := make(Counts, n)
	for i := range names {
		names[i].Name = string(r.bytes(r.uvarint()))
		names[i].N = r.varint()
		r.failed = r.failed || i > 0 && names[i].Name <= names[i-1].Name
	}
	return names
}
