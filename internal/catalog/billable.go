package catalog

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// Billable lists, for each of the bots, the actions that the integration of that name
// declares as billable in the versions that the bot has installed. Bots without it are
// absent.
func (s *Service) Billable(ctx context.Context, q db.Querier, integration string, bots []id.Bot) (map[id.Bot][]string, error) {
	installed, err := selectInstalledVersions(ctx, q, integration, bots)
	if err != nil {
		return nil, db.Convert(err)
	}
	// Many bots have the same version, so each definition is read once. One at a time is
	// in memory.
	known := map[id.Integration][]string{}
	billable := map[id.Bot][]string{}
	for _, i := range installed {
		actions, asked := known[i.integration]
		if !asked {
			if actions, err = billableActions(ctx, q, i.integration); err != nil {
				return nil, err
			}
			known[i.integration] = actions
		}
		billable[i.bot] = append(billable[i.bot], actions...)
	}
	return billable, nil
}

func billableActions(ctx context.Context, q db.Querier, i id.Integration) (actions []string, err error) {
	text, found, err := selectIntegrationDefinition(ctx, q, i)
	if err != nil || !found {
		return nil, db.Convert(err)
	}
	var d struct {
		Actions map[string]struct {
			Billable bool `json:"billable"`
		} `json:"actions"`
	}
	if err := json.Unmarshal([]byte(text), &d, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return nil, fmt.Errorf("the definition of integration %s cannot be read: %w", i, err)
	}
	for name, action := range d.Actions {
		if action.Billable {
			actions = append(actions, name)
		}
	}
	slices.Sort(actions)
	return actions, nil
}
