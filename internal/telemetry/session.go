package telemetry

import (
	"cmp"
	"slices"
	"time"
)

// span is a session: a period of activity without a silence long enough to end it. It
// begins and ends with an activity.
type span struct{ from, to int64 } // milliseconds

// runs are the sessions that activities at some times make, in any order: two activities
// less than silence apart are in one session.
func runs(times []int64, silence time.Duration) []span {
	spans := make([]span, len(times))
	for i, at := range times {
		spans[i] = span{at, at}
	}
	return joined(spans, silence)
}

// joined are the sessions that spans make together. Within a session activities are less
// than silence apart, so its two ends are enough to know: a new activity belongs to it if
// and only if it is inside or less than silence from an end. Hence the result does not
// depend on the order in which activities arrive.
func joined(spans []span, silence time.Duration) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var all []span
	for _, s := range spans {
		if last := len(all) - 1; last >= 0 && s.from-all[last].to < silence.Milliseconds() {
			all[last].to = max(all[last].to, s.to)
			continue
		}
		all = append(all, s)
	}
	return all
}
