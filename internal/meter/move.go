package meter

import (
	"context"
	"maps"
	"slices"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// MoveBot takes what a bot has of the gauges from one workspace to another:
// QuotaExceeded when that has no room for it. What it used stays a part of what the
// workspace used that it was in then.
func (s *Service) MoveBot(ctx context.Context, tx *db.Tx, b id.Bot, from, to id.Workspace) error {
	taken, err := takeBotGauges(ctx, tx, from, b)
	if err != nil {
		return db.Convert(err)
	}
	month := monthOf(s.Clock.Now())
	for _, t := range slices.Sorted(maps.Keys(taken)) {
		value := taken[t]
		left, err := addToGauges(ctx, tx, []monthSum{{workspace: from, of: t, month: month, value: -value}})
		if err != nil {
			return db.Convert(err)
		}
		if err := s.Gauge(ctx, tx, to, t, value); err != nil {
			return err
		}
		has, err := addToGauges(ctx, tx, []monthSum{{workspace: to, bot: b, of: t, month: month, value: value}})
		if err == nil {
			err = setMonths(ctx, tx, slices.Concat(left, has, nothing(b, left)))
		}
		if err != nil {
			return db.Convert(err)
		}
	}
	return nil
}
