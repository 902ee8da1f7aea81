package catalog

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// Billable says whether an integration of that name, in a version that the bot has
// installed, declares the action as one that costs. What is not installed costs
// nothing.
func (s *Service) Billable(ctx context.Context, q db.Querier, bot id.Bot, integration, action string) (bool, error) {
	definitions, err := selectInstalledDefinitions(ctx, q, bot, integration)
	if err != nil {
		return false, db.Convert(err)
	}
	for _, text := range definitions {
		var d struct {
			Actions map[string]struct {
				Billable bool `json:"billable"`
			} `json:"actions"`
		}
		if err := json.Unmarshal([]byte(text), &d, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
			return false, fmt.Errorf("the definition of integration %s of bot %s cannot be read: %w", integration, bot, err)
		}
		if d.Actions[action].Billable {
			return true, nil
		}
	}
	return false, nil
}
