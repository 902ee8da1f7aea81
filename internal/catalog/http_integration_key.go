package catalog

import (
	"context"
	"net/http"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// IntegrationKey is a key that acts as an integration, without its value.
type IntegrationKey struct {
	ID        string    `json:"id" doc:"The id of the key, which is not its value."`
	CreatedAt wire.Time `json:"createdAt" doc:"When it was created."`
	Note      string    `json:"note" doc:"What it is for."`
}

// ListIntegrationKeysAnswer is the answer of listIntegrationApiKeys.
type ListIntegrationKeysAnswer struct {
	Keys []IntegrationKey `json:"iaks" doc:"The keys, newest first."`
}

// CreateIntegrationKeyBody is the body of createIntegrationApiKey.
type CreateIntegrationKeyBody struct {
	IntegrationID string `json:"integrationId" doc:"The integration that the key authenticates."`
	Note          string `json:"note,omitempty" doc:"What it is for."`
}

// CreateIntegrationKeyAnswer is the answer of createIntegrationApiKey.
type CreateIntegrationKeyAnswer struct {
	IntegrationKey
	Value string `json:"value" doc:"The key itself, shown only in this response."`
}

type (
	listIntegrationKeysInput struct {
		IntegrationID string `query:"integrationId" required:"true" doc:"The integration."`
	}
	listIntegrationKeysOutput  struct{ Body ListIntegrationKeysAnswer }
	createIntegrationKeyInput  struct{ Body CreateIntegrationKeyBody }
	createIntegrationKeyOutput struct{ Body CreateIntegrationKeyAnswer }
	integrationKeyInput        struct {
		ID string `path:"id" doc:"The key."`
	}
)

const integrationKeysPath = integrationsPath + "/iaks"

// mountIntegrationKeys registers the operations of integrations' keys.
func mountIntegrationKeys(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{ID: "listIntegrationApiKeys", Method: http.MethodGet, Path: integrationKeysPath, Area: "integrations",
		Summary: "List an integration's access keys", Scope: wire.InHeader, Permission: access.CatalogWrite},
		func(ctx context.Context, in *listIntegrationKeysInput) (*listIntegrationKeysOutput, error) {
			keys, err := s.ListKeys(ctx, access.From(ctx).Workspace, id.Integration(in.IntegrationID))
			if err != nil {
				return nil, err
			}
			shown := make([]IntegrationKey, len(keys))
			for n, key := range keys {
				shown[n] = shownKey(key)
			}
			return &listIntegrationKeysOutput{Body: ListIntegrationKeysAnswer{Keys: shown}}, nil
		})
	wire.Register(m, wire.Operation{ID: "createIntegrationApiKey", Method: http.MethodPost, Path: integrationKeysPath, Area: "integrations",
		Summary: "Create an integration access key", Detail: "The value is shown only in this response. The key is valid for the runtime API and ingest, not for admin operations.",
		Scope: wire.InHeader, Permission: access.CatalogWrite},
		func(ctx context.Context, in *createIntegrationKeyInput) (*createIntegrationKeyOutput, error) {
			key, value, err := s.CreateKey(ctx, access.From(ctx).Workspace, id.Integration(in.Body.IntegrationID), in.Body.Note)
			return &createIntegrationKeyOutput{Body: CreateIntegrationKeyAnswer{IntegrationKey: shownKey(key), Value: value}}, err
		})
	wire.Register(m, wire.Operation{ID: "deleteIntegrationApiKey", Method: http.MethodDelete, Path: integrationKeysPath + "/{id}", Area: "integrations",
		Summary: "Delete an integration access key", Detail: "It stops working immediately.", Scope: wire.InHeader, Permission: access.CatalogWrite, WhileBlocked: true},
		func(ctx context.Context, in *integrationKeyInput) (*wire.Nothing, error) {
			return &wire.Nothing{}, s.DeleteKey(ctx, access.From(ctx).Workspace, id.Token(in.ID))
		})
}

func shownKey(key access.Token) IntegrationKey {
	return IntegrationKey{ID: string(key.ID), CreatedAt: wire.TimeOf(key.CreatedAt), Note: key.Note}
}
