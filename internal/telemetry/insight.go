package telemetry

import (
	"context"
	"slices"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// rollUpBots adds records to what is made of them: issues, analytics and usage. Records of bots that are gone count
// nowhere, and those of a bot that is in another workspace by now count there.
func (s *Service) rollUpBots(ctx context.Context, tx *db.Tx, records []Record) error {
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
