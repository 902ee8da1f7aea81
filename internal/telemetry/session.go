package telemetry

import (
	"cmp"
	"slices"
	"time"
)

// span is a session: a run of activity in which no silence lasts as long as the
// silence that ends a session. It begins and ends with an activity.
type span struct{ from, to int64 } // milliseconds

// runs are the sessions of some times, in any order: two that are less than
// silence apart are of one session.
func runs(times []int64, silence time.Duration) []span {
	spans := make([]span, len(times))
	for i, at := range times {
		spans[i] = span{at, at}
	}
	return joined(spans, silence)
}

// joined are the sessions that spans make together. A session's activities lie
// less than silence apart, so its ends say all of it: a new activity that falls
// inside, or near an end, is of it, and nothing else is. That makes the result the
// same whatever order activities come in.
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
