package telemetry

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// near allows for what floating point loses, relative to the size of the numbers.
func near(a, b, size float64) bool { return math.Abs(a-b) <= 1e-9*max(1, size) }

// TestMoments holds moments that were added and merged in some order against the
// textbook's two passes over all numbers.
func TestMoments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e9), 0, 60).Draw(t, "numbers")
		parts := make([]Moments, rapid.IntRange(1, 6).Draw(t, "parts"))
		for i, x := range rapid.Permutation(numbers).Draw(t, "order") {
			parts[(i*7)%len(parts)].Add(x)
		}
		var got Moments
		for _, p := range rapid.Permutation(parts).Draw(t, "order of parts") {
			got.Merge(p)
		}
		if got.Count != int64(len(numbers)) {
			t.Fatalf("%d numbers are counted as %d", len(numbers), got.Count)
		}
		if len(numbers) == 0 {
			if got != (Moments{}) || got.Deviation() != 0 {
				t.Fatalf("the moments of nothing are %+v", got)
			}
			return
		}
		if got.Min != slices.Min(numbers) || got.Max != slices.Max(numbers) {
			t.Fatalf("from %g to %g, want %g to %g", got.Min, got.Max, slices.Min(numbers), slices.Max(numbers))
		}
		var mean, squares, size float64
		for _, x := range numbers {
			mean += x / float64(len(numbers))
			size = max(size, math.Abs(x))
		}
		for _, x := range numbers {
			squares += (x - mean) * (x - mean)
		}
		if !near(got.Mean, mean, size) {
			t.Fatalf("the mean is %g, want %g", got.Mean, mean)
		}
		if sd := math.Sqrt(squares / float64(len(numbers))); !near(got.Deviation(), sd, size) {
			t.Fatalf("the deviation is %g, want %g", got.Deviation(), sd)
		}
	})
}

// TestMomentsOfAlike: a spread of nothing is exactly nothing.
func TestMomentsOfAlike(t *testing.T) {
	var m Moments
	for range 1000 {
		m.Add(0.1)
	}
	if m.Deviation() != 0 || m.Mean != 0.1 || m.Min != 0.1 || m.Max != 0.1 {
		t.Errorf("a thousand times 0.1: %+v, deviation %g", m, m.Deviation())
	}
}
