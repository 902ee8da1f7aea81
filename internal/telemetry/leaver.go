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
	return s.blocks.eraseLeft(ctx, e.Workspace, func(ctx context.Context, o owner) (bool, error) {
		if o.bot == "" {
			return false, nil
		}
		_, there, err := s.bots.WorkspaceOf(ctx, s.db.Reader(ctx), o.bot)
		return there, err
	})
}

// eraseLeft erases the records of a deleted workspace, apart from those of bots that had
// moved to another one.
func (s *blockStore) eraseLeft(ctx context.Context, w id.Workspace, stays func(context.Context, owner) (bool, error)) error {
	return s.each(ctx, func(v *volume) error {
		owners, err := selectOwnersIn(ctx, v.reader(ctx), v, w)
		if err != nil {
			return err
		}
		for _, o := range owners {
			kept, err := stays(ctx, o)
			if err != nil {
				return &mainError{err}
			}
			if kept {
				continue
			}
			if err := v.exclusive(ctx, func(ctx context.Context, tx *db.Tx) error { return deleteOwner(ctx, tx, v, o) }); err != nil {
				return err
			}
		}
		if len(owners) == 0 {
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
