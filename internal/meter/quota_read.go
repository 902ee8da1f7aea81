package meter

import (
	"context"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// Quota is the most of a type that a workspace is allowed now, by its plan and add-ons, its
// members or the operator; or plan.Unlimited. fixed says that the operator or the members
// have set it, so that no purchase raises it.
// ResourceNotFound when the workspace is gone.
func (s *Service) Quota(ctx context.Context, q db.Querier, w id.Workspace, t plan.Type) (limit int64, fixed bool, err error) {
	a, err := s.allowance(ctx, q, w)
	if err != nil {
		return 0, false, err
	}
	return s.limit(a, t), a.fixed(t), nil
}
