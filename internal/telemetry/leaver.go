package telemetry

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/jobs"
)

// JobErase is the kind of the jobs that erase the records of what was deleted.
const JobErase = "erase-telemetry"

// eraseAfter is how long after a deletion the records are erased: by then the ingest
// requests that were admitted before it have ended. Nobody can read the records in the
// meantime, since every read first looks up the bot or integration.
const eraseAfter = 2 * time.Minute

// erasure is the payload of a JobErase.
type erasure struct {
	Workspace   id.Workspace   `json:"workspace,omitempty"`
	Bot         id.Bot         `json:"bot,omitempty"`
	Integration id.Integration `json:"integration,omitempty"`
}

func (s *Service) enqueueErasure(ctx context.Context, tx *db.Tx, e erasure) error {
	if s.queue == nil {
		return nil // commands have no queue: the records go with the retention
	}
	return s.queue.Enqueue(ctx, tx, JobErase, e, jobs.RunAt(s.clock.Now().Add(eraseAfter)))
}

// EraseJob runs a JobErase.
func (s *Service) EraseJob(ctx context.Context, job jobs.Job) error {
	var e erasure
	if err := json.Unmarshal(job.Payload, &e); err != nil {
		return err
	}
	if e.Workspace == "" {
		return s.blocks.Erase(ctx, Owner{Bot: e.Bot, Integration: e.Integration})
	}
	return s.blocks.eraseLeft(ctx, e.Workspace, func(ctx context.Context, bots []id.Bot) (map[id.Bot]id.Workspace, error) {
		return selectOwners(ctx, s.db.Reader(ctx), bots)
	})
}

// eraseLeft erases the records of a deleted workspace: those of its integrations outside
// of bots, and those of bots that are gone. Whose a record was when it was appended does
// not decide: bots that had moved away keep theirs, and bots that had moved in have
// records from before.
func (s *blockStore) eraseLeft(ctx context.Context, w id.Workspace, owners func(context.Context, []id.Bot) (map[id.Bot]id.Workspace, error)) error {
	return s.each(ctx, func(v *volume) error {
		bots, err := selectBots(ctx, v.reader(ctx), v)
		if err != nil {
			return err
		}
		there, err := owners(ctx, bots)
		if err != nil {
			return &mainError{err}
		}
		erased := int64(0)
		erase := func(delete func(ctx context.Context, tx *db.Tx) (int64, error)) error {
			var n int64
			err := v.exclusive(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
				n, err = delete(ctx, tx)
				return err
			})
			erased += n
			return err
		}
		if err := erase(func(ctx context.Context, tx *db.Tx) (int64, error) { return deleteOutsideOfBots(ctx, tx, v, w) }); err != nil {
			return err
		}
		for _, bot := range bots {
			if _, exists := there[bot]; exists {
				continue
			}
			if err := erase(func(ctx context.Context, tx *db.Tx) (int64, error) { return deleteOwned(ctx, tx, v, Owner{Bot: bot}) }); err != nil {
				return err
			}
		}
		if erased == 0 {
			return nil
		}
		return s.archive.tidy(ctx, v)
	})
}

// DeleteBot deletes what was rolled up of a bot, in the transaction that deletes the bot,
// and has its records erased soon after.
func (s *Service) DeleteBot(ctx context.Context, tx *db.Tx, bot id.Bot) error {
	if err := deleteInsight(ctx, tx, bot); err != nil {
		return db.Convert(err)
	}
	return s.enqueueErasure(ctx, tx, erasure{Bot: bot})
}

// DeleteIntegration has the records erased that an integration wrote outside of bots. The
// others belong to the bots.
func (s *Service) DeleteIntegration(ctx context.Context, tx *db.Tx, i id.Integration) error {
	return s.enqueueErasure(ctx, tx, erasure{Integration: i})
}

// DeleteWorkspace does for all bots of a workspace what DeleteBot does for one.
func (s *Service) DeleteWorkspace(ctx context.Context, tx *db.Tx, w id.Workspace) error {
	if err := deleteInsightOf(ctx, tx, w); err != nil {
		return db.Convert(err)
	}
	if err := deleteRetention(ctx, tx, w); err != nil {
		return db.Convert(err)
	}
	return s.enqueueErasure(ctx, tx, erasure{Workspace: w})
}
