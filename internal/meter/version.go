package meter

import (
	"context"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// Versions says whether a bot of the workspace may have n saved versions:
// QuotaExceeded when its plan allows fewer, ResourceNotFound when the workspace was
// deleted meanwhile. The versions themselves are counted by those who keep them.
func (s *Service) Versions(ctx context.Context, tx *db.Tx, w id.Workspace, n int64) error {
	of, err := selectPlan(ctx, tx, w)
	if err != nil {
		return db.Convert(err)
	}
	if of == "" {
		return access.NoSuchWorkspace(w)
	}
	limit := plan.Default().Allows(plan.ID(of), plan.SavedVersions)
	if limit == plan.Unlimited || n <= limit {
		return nil
	}
	return fault.New(fault.QuotaExceeded, "The quota %s is reached: the plan %q of this workspace allows %d saved versions of a bot. Have the workspace's plan changed.", plan.SavedVersions, of, limit).
		With("quota", string(plan.SavedVersions)).With("limit", limit).With("usage", n-1)
}
