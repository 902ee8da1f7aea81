package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/botyard/botyard/test/bench/load"
)

// pace is how long and how often each side is measured.
type pace struct {
	warmUp, duration time.Duration
	rounds           int
}

// contest is one kind of work, done by several servers in turns.
type contest struct {
	name        string
	connections int
	// sides are measured one after another, round by round, so that a slow spell
	// of the machine meets them all.
	sides []side
}

// side is one server's part in a contest.
type side struct {
	name     string
	server   *server
	requests load.Source
	// compared says that the first side's answers a second are printed as a
	// multiple of this side's; target is the least multiple that is promised, 0
	// when nothing is.
	compared bool
	target   float64
}

// round is what one side did in one round.
type round struct {
	load.Result
	// processor is the processor time that the server took for each answer.
	processor time.Duration
}

// figures are a side's medians over the rounds.
type figures struct {
	round
	// lowest and highest are the rounds' extremes of answers a second.
	lowest, highest float64
}

// outcome is a contest with the figures of its sides, in their order.
type outcome struct {
	contest contest
	figures []figures
}

func (c contest) run(ctx context.Context, pace pace) (outcome, error) {
	rounds := make([][]round, len(c.sides))
	for number := range pace.rounds {
		for i, side := range c.sides {
			one, err := side.run(ctx, c.connections, pace)
			if err != nil {
				return outcome{}, fmt.Errorf("%s, %s: %w", c.name, side.name, err)
			}
			progress("%s, round %d of %d, %s: %.0f/s", c.name, number+1, pace.rounds, side.name, one.PerSecond)
			rounds[i] = append(rounds[i], one)
		}
	}
	out := outcome{contest: c}
	for _, each := range rounds {
		out.figures = append(out.figures, medians(each))
	}
	return out, nil
}

func (s side) run(ctx context.Context, connections int, pace pace) (round, error) {
	before, err := s.server.processorTime()
	if err != nil {
		return round{}, err
	}
	result, err := load.Run(ctx, load.Plan{
		Address: s.server.address, Connections: connections,
		WarmUp: pace.warmUp, Duration: pace.duration, Requests: s.requests,
	})
	if err != nil {
		return round{}, err
	}
	after, err := s.server.processorTime()
	return round{Result: result, processor: (after - before) / time.Duration(result.Served)}, err
}

func medians(rounds []round) figures {
	perSecond := sorted(rounds, func(r round) float64 { return r.PerSecond })
	middle := len(rounds) / 2
	return figures{
		round: round{
			Result: load.Result{
				Answers:   sorted(rounds, func(r round) int { return r.Answers })[middle],
				Served:    sorted(rounds, func(r round) int { return r.Served })[middle],
				PerSecond: perSecond[middle],
				P50:       sorted(rounds, func(r round) time.Duration { return r.P50 })[middle],
				P99:       sorted(rounds, func(r round) time.Duration { return r.P99 })[middle],
				Bytes:     sorted(rounds, func(r round) int64 { return r.Bytes })[middle],
			},
			processor: sorted(rounds, func(r round) time.Duration { return r.processor })[middle],
		},
		lowest: perSecond[0], highest: perSecond[len(perSecond)-1],
	}
}

func sorted[R any, T cmp.Ordered](rounds []R, of func(R) T) []T {
	values := make([]T, len(rounds))
	for i, round := range rounds {
		values[i] = of(round)
	}
	slices.Sort(values)
	return values
}
