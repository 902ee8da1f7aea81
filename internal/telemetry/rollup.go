package telemetry

import (
	"context"
	"slices"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// rollUpFunc rolls records up in a transaction.
type rollUpFunc func(ctx context.Context, tx *db.Tx, records []Record) error

// rollUp adds records to what is made of them: issues, analytics and usage. It is called
// with every record of class Events exactly once, in the order of Sequence, in the
// transaction that also moves the cursor of the roll-up. Like every function of a
// transaction it may be run again, and the sieve runs it in trials that are rolled back;
// only one run counts.
//
// Records of bots that are gone count nowhere, and those of a bot that has moved count in
// the workspace it is in now. Records for which rollUp fails are set aside and come again
// later, so it must not fail for one bot because of another.
func (s *Service) rollUp(ctx context.Context, tx *db.Tx, records []Record) error {
	var bots []id.Bot
	for i := range records {
		if bot := records[i].Bot; bot != "" {
			bots = append(bots, bot)
		}
	}
	slices.Sort(bots)
	owners, err := selectOwners(ctx, tx, slices.Compact(bots))
	if err != nil {
		return db.Convert(err)
	}
	var ofBots []Record
	for _, r := range records {
		if w, there := owners[r.Bot]; there {
			r.Workspace = w
			ofBots = append(ofBots, r)
		}
	}
	if err := s.rollUpIssues(ctx, tx, ofBots); err != nil {
		return db.Convert(err)
	}
	if err := s.rollUpAnalytics(ctx, tx, ofBots); err != nil {
		return db.Convert(err)
	}
	return s.rollUpUsage(ctx, tx, ofBots)
}
