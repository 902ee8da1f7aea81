package meter

import (
	"context"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// Service counts and limits.
type Service struct{}

// New makes the service.
func New() *Service { return &Service{} }

// Bots adds n, which may be negative, or 0 to ask only whether the workspace is
// there, to the workspace's production bots. QuotaExceeded when the plan does not
// allow that many, ResourceNotFound when the workspace was deleted meanwhile.
func (s *Service) Bots(ctx context.Context, tx *db.Tx, w id.Workspace, n int64) error {
	return s.add(ctx, tx, w, Bots, n)
}

// Members adds n to the workspace's members beside the owner.
func (s *Service) Members(ctx context.Context, tx *db.Tx, w id.Workspace, n int64) error {
	return s.add(ctx, tx, w, Members, n)
}

// Integrations adds n to the integrations that the workspace owns.
func (s *Service) Integrations(ctx context.Context, tx *db.Tx, w id.Workspace, n int64) error {
	return s.add(ctx, tx, w, Integrations, n)
}

// Gauge adds n to what the workspace has of a type now.
func (s *Service) Gauge(ctx context.Context, tx *db.Tx, w id.Workspace, t plan.Type, n int64) error {
	return s.add(ctx, tx, w, Type(t), n)
}

func (s *Service) add(ctx context.Context, tx *db.Tx, w id.Workspace, t Type, n int64) error {
	value, name, err := addToGauge(ctx, tx, w, t, n)
	if err != nil {
		return db.Convert(err)
	}
	if name == "" {
		// Deleted since the request was let in: nothing may be added to it.
		return access.NoSuchWorkspace(w)
	}
	limit := LimitOf(name, t)
	if n <= 0 || limit == Unlimited || value <= limit {
		return nil
	}
	return fault.New(fault.QuotaExceeded, "The quota %s is reached: the plan %q of this workspace allows %d %s and it has %d. Remove some, or have the workspace's plan changed.", t, name, limit, readable[t], value-n).
		With("quota", string(t)).With("limit", limit).With("usage", value-n)
}

// DeleteWorkspace forgets what a workspace used.
func (s *Service) DeleteWorkspace(ctx context.Context, tx *db.Tx, w id.Workspace) error {
	return db.Convert(deleteGauges(ctx, tx, w))
}
