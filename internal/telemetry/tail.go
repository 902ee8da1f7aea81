package telemetry

import (
	"context"
	"slices"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

const (
	// tailPoll is how often a tail looks for lines that other servers have received. Those
	// that this server receives wake it.
	tailPoll = 500 * time.Millisecond
	// maxTailed is how many lines a tail holds in memory. A slow reader continues from what
	// is stored.
	maxTailed = 500
)

// TailEnd is the sequence from which a tail shows only lines that come in from now on.
func (s *Service) TailEnd(ctx context.Context) (int64, error) {
	last, err := s.blocks.Latest(ctx, Logs)
	return last, db.Convert(err)
}

// Tail sends the log lines of a bot after a sequence, in the order in which they became
// durable, until ctx ends or send fails. It leaves out lines that are hidden from the
// bot's owner, or older than the retention of the workspace.
func (s *Service) Tail(ctx context.Context, w id.Workspace, bot id.Bot, after int64, minLevel Level, send func([]Record) error) error {
	f := Filter{Kinds: []Kind{KindLog}, Bot: bot}
	if err := s.keeping.bound(ctx, w, &f, Logs); err != nil {
		return err
	}
	looks := time.NewTicker(tailPoll)
	defer looks.Stop()
	for {
		appended := s.blocks.appended() // asked for first, so that no append goes unnoticed
		records, err := s.blocks.After(ctx, f, after, maxTailed)
		if err != nil {
			return db.Convert(err)
		}
		more := len(records) > 0
		if more {
			after = records[len(records)-1].Sequence
		}
		records = slices.DeleteFunc(records, func(r Record) bool { return r.HiddenFromBot || r.Level < minLevel })
		if len(records) > 0 {
			if err := send(records); err != nil {
				return err
			}
		}
		if more {
			continue
		}
		select {
		case <-appended:
		case <-looks.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
