package catalog

import (
	"context"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// OwnsIntegration says whether a version of an integration belongs to a workspace.
func (s *Service) OwnsIntegration(ctx context.Context, q db.Querier, w id.Workspace, i id.Integration) (bool, error) {
	owns, err := selectOwnsIntegration(ctx, q, w, i)
	return owns, db.Convert(err)
}

// NoSuchIntegration is the fault of an integration that does not exist and, without a
// difference, of one that the caller may not know about.
func (s *Service) NoSuchIntegration(i id.Integration) error {
	return errNotFound(IntegrationKind, string(i))
}
