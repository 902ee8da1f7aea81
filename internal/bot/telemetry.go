package bot

import (
	"context"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// WorkspaceOf returns the workspace of a bot; false when there is no such bot.
func (s *Service) WorkspaceOf(ctx context.Context, q db.Querier, bot id.Bot) (id.Workspace, bool, error) {
	w, found, err := selectWorkspaceOf(ctx, q, bot)
	return w, found, db.Convert(err)
}

// HasIntegration says whether an integration is installed in a bot, under whatever
// alias.
func (s *Service) HasIntegration(ctx context.Context, q db.Querier, bot id.Bot, i id.Integration) (bool, error) {
	has, err := selectHasIntegration(ctx, q, bot, i)
	return has, db.Convert(err)
}
