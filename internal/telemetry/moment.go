package telemetry

import "math"

// Moments are the count, mean, variance, minimum and maximum of a set of numbers. They
// merge, in any order, into those of the union, so a roll-up never needs a number twice.
// The zero Moments are those of the empty set.
type Moments struct {
	Count int64
	Mean  float64
	// Squares is the sum of the squared deviations from the mean.
	Squares float64
	Min     float64
	Max     float64
}

// Add adds one number, by Welford's method.
func (m *Moments) Add(x float64) {
	if m.Count++; m.Count == 1 {
		*m = Moments{Count: 1, Mean: x, Min: x, Max: x}
		return
	}
	distance := x - m.Mean
	m.Mean += distance / float64(m.Count)
	m.Squares += distance * (x - m.Mean)
	m.Min, m.Max = min(m.Min, x), max(m.Max, x)
}

// Merge adds the numbers of o, by the method of Chan, Golub and LeVeque.
func (m *Moments) Merge(o Moments) {
	switch {
	case o.Count == 0:
		return
	case m.Count == 0:
		*m = o
		return
	}
	ours, theirs := float64(m.Count), float64(o.Count)
	all, distance := ours+theirs, o.Mean-m.Mean
	m.Count += o.Count
	m.Mean += distance * theirs / all
	m.Squares += o.Squares + distance*distance*ours*theirs/all
	m.Min, m.Max = min(m.Min, o.Min), max(m.Max, o.Max)
}

// Deviation is the population standard deviation: the numbers are not a sample, so it
// divides by their count.
func (m Moments) Deviation() float64 {
	if m.Count == 0 {
		return 0
	}
	return math.Sqrt(m.Squares / float64(m.Count))
}
