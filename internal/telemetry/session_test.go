package telemetry

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestSessionsInAnyOrder takes activities in, in parts and in any order, as ingest
// does, and holds the sessions against those of the sorted whole.
func TestSessionsInAnyOrder(t *testing.T) {
	const silence = 30 * time.Minute
	rapid.Check(t, func(t *rapid.T) {
		// Steps about as long as the silence make both sides of it common.
		steps := rapid.SliceOfN(rapid.Int64Range(0, 2*silence.Milliseconds()), 1, 40).Draw(t, "steps")
		var times []int64
		at := int64(0)
		for _, step := range steps {
			at += step
			times = append(times, at)
		}
		var want []span
		for i, at := range times {
			if i > 0 && at-times[i-1] < silence.Milliseconds() {
				want[len(want)-1].to = at
			} else {
				want = append(want, span{at, at})
			}
		}
		var got []span
		late := rapid.Permutation(times).Draw(t, "arrival")
		for len(late) > 0 {
			n := rapid.IntRange(1, len(late)).Draw(t, "batch")
			got = joined(append(got, runs(late[:n], silence)...), silence)
			late = late[n:]
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(span{})); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestSilenceThatEndsASession(t *testing.T) {
	const silence = time.Minute
	ms := silence.Milliseconds()
	for _, tt := range []struct {
		times []int64
		want  []span
	}{
		{nil, nil},
		{[]int64{5}, []span{{5, 5}}},
		{[]int64{5, 5}, []span{{5, 5}}},
		{[]int64{0, ms - 1}, []span{{0, ms - 1}}},
		{[]int64{0, ms}, []span{{0, 0}, {ms, ms}}},
		{[]int64{2*ms - 2, 0, ms - 1}, []span{{0, 2*ms - 2}}}, // the last one joins the others
	} {
		if got := runs(slices.Clone(tt.times), silence); !slices.Equal(got, tt.want) {
			t.Errorf("%v makes %v, want %v", tt.times, got, tt.want)
		}
	}
}
