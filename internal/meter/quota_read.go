package meter

import (
	"context"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// Quota is the most of a type that a workspace is allowed now, by its plan, by what
// was bought beside it, by its members or by the operator; or plan.Unlimited.
// ResourceNotFound when the workspace is gone.
func (s *Service) Quota(ctx context.Context, q db.Querier, w id.Workspace, t plan.Type) (int64, error) {
	a, err := s.allowance(ctx, q, w)
	if err != nil {
		return 0, err
	}
	return s.limit(a, t), nil
}
