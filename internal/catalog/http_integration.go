package catalog

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// IntegrationSecret is the value of an integration's secret.
type IntegrationSecret string

// Schema is that of a string of 20,000 characters at most.
func (IntegrationSecret) Schema(huma.Registry) *huma.Schema {
	most := definition.MaxSecretValue
	return &huma.Schema{Type: huma.TypeString, MaxLength: &most}
}

// ValidateIntegrationBody is the body of validateIntegrationCreation, and most of that of
// createIntegration.
type ValidateIntegrationBody struct {
	Name    string `json:"name" maxLength:"200" doc:"The name with the workspace's handle in front: handle/name."`
	Version string `json:"version" maxLength:"200" doc:"The version, such as 1.0.0."`
	definition.NewIntegration
	SDKVersion  *string                                  `json:"sdkVersion,omitempty" maxLength:"200" doc:"The version of the SDK that it was built with."`
	Secrets     map[string]wire.Patch[IntegrationSecret] `json:"secrets,omitempty" doc:"The secrets, by name. Those of the preceding version are copied, except for names that are null."`
	Code        *string                                  `json:"code,omitempty" doc:"The bundle to run."`
	URL         *string                                  `json:"url,omitempty" doc:"The URL at which the integration runs, when it runs elsewhere."`
	Dev         bool                                     `json:"dev,omitempty" doc:"Creates a development integration, which runs at its url and is visible only to its workspace."`
	Icon        *string                                  `json:"icon,omitempty" doc:"The icon in base64, shared by all versions of the name."`
	Readme      *string                                  `json:"readme,omitempty" doc:"The readme: Markdown in base64."`
	Title       *string                                  `json:"title,omitempty" minLength:"1" maxLength:"64" doc:"The display name; derived from the name when absent."`
	Description *string                                  `json:"description,omitempty" maxLength:"256" doc:"What it is for."`
	Public      *bool                                    `json:"public,omitempty" doc:"The older form of visibility: true is public, false is private."`
	Visibility  *Visibility                              `json:"visibility,omitempty" enum:"public,private,unlisted" doc:"The visibility; private when absent."`
	Layers      []string                                 `json:"layers,omitempty" doc:"The layers that the code runs on."`
}

// CreateIntegrationBody is the body of createIntegration.
type CreateIntegrationBody struct {
	ValidateIntegrationBody
	MaxExecutionTime *int64 `json:"maxExecutionTime,omitempty" doc:"The time limit of a call, 1 to 900 seconds."`
}

// UpdateIntegrationBody is the body of updateIntegration and of
// validateIntegrationUpdate.
type UpdateIntegrationBody struct {
	definition.IntegrationPatch
	SDKVersion       *string                                  `json:"sdkVersion,omitempty" maxLength:"200" doc:"The version of the SDK that it was built with."`
	MaxExecutionTime *int64                                   `json:"maxExecutionTime,omitempty" doc:"The time limit of a call, 1 to 900 seconds."`
	Secrets          map[string]wire.Patch[IntegrationSecret] `json:"secrets,omitempty" doc:"Secrets to set, by name; null removes one."`
	Code             *string                                  `json:"code,omitempty" doc:"The bundle to run."`
	Icon             *string                                  `json:"icon,omitempty" doc:"The icon in base64, shared by all versions of the name."`
	Readme           *string                                  `json:"readme,omitempty" doc:"The readme: Markdown in base64."`
	Title            *string                                  `json:"title,omitempty" minLength:"1" maxLength:"64" doc:"The display name."`
	Description      *string                                  `json:"description,omitempty" maxLength:"256" doc:"What it is for."`
	URL              wire.Patch[string]                       `json:"url,omitzero" doc:"The URL at which the integration runs; null when it runs here."`
	Public           *bool                                    `json:"public,omitempty" doc:"The older form of visibility: true is public, false is private."`
	Visibility       *Visibility                              `json:"visibility,omitempty" enum:"public,private,unlisted" doc:"The visibility."`
	Layers           []string                                 `json:"layers,omitempty" doc:"The layers that the code runs on."`
}

// RotateSecretAnswer is the answer of rotateIntegrationSigningSecrets.
type RotateSecretAnswer struct {
	NewSigningSecret string `json:"newSigningSecret" doc:"The new secret that signs calls to the integration."`
}

// VerificationBody is the body of requestIntegrationVerification.
type VerificationBody struct {
	IntegrationID string `json:"integrationId" doc:"The integration."`
}

type (
	createIntegrationInput struct {
		AllowBreaking bool `header:"x-bypass-breaking-changes-detection" hidden:"true"`
		Body          CreateIntegrationBody
	}
	validateIntegrationInput struct {
		AllowBreaking bool `header:"x-bypass-breaking-changes-detection" hidden:"true"`
		Body          ValidateIntegrationBody
	}
	updateIntegrationInput struct {
		AllowBreaking bool   `header:"x-bypass-breaking-changes-detection" hidden:"true"`
		ID            string `path:"id" doc:"The integration."`
		Body          UpdateIntegrationBody
	}
	integrationInput struct {
		ID string `path:"id" doc:"The integration."`
	}
	verificationInput struct{ Body VerificationBody }
	integrationOutput struct {
		Body wire.Document[IntegrationAnswer]
	}
	rotateSecretOutput struct{ Body RotateSecretAnswer }
)

const integrationsPath = "/v1/admin/integrations"

// mountIntegrations registers the operations on the integrations of a workspace.
func mountIntegrations(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{ID: "createIntegration", Method: http.MethodPost, Path: integrationsPath, Area: "integrations",
		Summary: "Create an integration",
		Detail:  "Publishes one version. The name starts with the workspace's handle. The signing secret is shown only in this response. Changes that break compatibility with the preceding version need a new major version or the header x-bypass-breaking-changes-detection: true.",
		Scope:   wire.InHeader, Permission: access.CatalogWrite, Code: true},
		func(ctx context.Context, in *createIntegrationInput) (*integrationOutput, error) {
			d := in.Body.draft(in.AllowBreaking)
			d.MaxExecutionTime = in.Body.MaxExecutionTime
			i, signingSecret, err := s.CreateIntegration(ctx, access.From(ctx), d)
			return s.showIntegration(i, signingSecret, err)
		})
	wire.Register(m, wire.Operation{ID: "validateIntegrationCreation", Method: http.MethodPost, Path: integrationsPath + "/validate", Area: "integrations",
		Summary: "Validate the creation of an integration", Detail: "Makes the same checks as createIntegration and stores nothing.",
		Scope: wire.InHeader, Permission: access.CatalogWrite, Code: true, Harmless: true},
		func(ctx context.Context, in *validateIntegrationInput) (*wire.Nothing, error) {
			return &wire.Nothing{}, s.ValidateIntegration(ctx, access.From(ctx), in.Body.draft(in.AllowBreaking))
		})
	wire.Register(m, wire.Operation{ID: "listIntegrations", Method: http.MethodGet, Path: integrationsPath, Area: "integrations",
		Summary: "List a workspace's integrations",
		Detail:  "Every version is one item, newest first. Lists either the production integrations or the development integrations.",
		Scope:   wire.InHeader, Permission: access.CatalogRead},
		func(ctx context.Context, in *listIntegrationsInput) (*listIntegrationsOutput, error) {
			return s.showIntegrations(ctx, m, in)
		})
	wire.Register(m, wire.Operation{ID: "getIntegration", Method: http.MethodGet, Path: integrationsPath + "/{id}", Area: "integrations",
		Summary: "Get an integration", Scope: wire.InHeader, Permission: access.CatalogRead},
		func(ctx context.Context, in *integrationInput) (*integrationOutput, error) {
			i, err := s.GetIntegration(ctx, access.From(ctx).Workspace, id.Integration(in.ID))
			return s.showIntegration(i, "", err)
		})
	wire.Register(m, wire.Operation{ID: "getIntegrationByName", Method: http.MethodGet, Path: integrationsPath + "/{name}/{version}", Area: "integrations",
		Summary: "Get an integration by name and version", Detail: "Returns the highest version that matches.",
		Scope: wire.InHeader, Permission: access.CatalogRead},
		func(ctx context.Context, in *namedInput) (*integrationOutput, error) {
			i, err := s.IntegrationNamed(ctx, access.From(ctx).Workspace, in.Name, in.Version)
			return s.showIntegration(i, "", err)
		})
	wire.Register(m, wire.Operation{ID: "updateIntegration", Method: http.MethodPut, Path: integrationsPath + "/{id}", Area: "integrations",
		Summary: "Update an integration",
		Detail:  "Members that are absent stay unchanged. Maps merge by key: null removes an entry, a value replaces it; configurations, channels and the identifier are merged member by member. The contents of a public or unlisted version cannot be changed: publish a new version.",
		Scope:   wire.InHeader, Permission: access.CatalogWrite, Code: true},
		func(ctx context.Context, in *updateIntegrationInput) (*integrationOutput, error) {
			i, err := s.UpdateIntegration(ctx, access.From(ctx), id.Integration(in.ID), in.Body.update(in.AllowBreaking))
			return s.showIntegration(i, "", err)
		})
	wire.Register(m, wire.Operation{ID: "validateIntegrationUpdate", Method: http.MethodPut, Path: integrationsPath + "/{id}/validate", Area: "integrations",
		Summary: "Validate the update of an integration", Detail: "Makes the same checks as updateIntegration and stores nothing.",
		Scope: wire.InHeader, Permission: access.CatalogWrite, Code: true},
		func(ctx context.Context, in *updateIntegrationInput) (*wire.Nothing, error) {
			return &wire.Nothing{}, s.ValidateIntegrationUpdate(ctx, access.From(ctx), id.Integration(in.ID), in.Body.update(in.AllowBreaking))
		})
	wire.Register(m, wire.Operation{ID: "deleteIntegration", Method: http.MethodDelete, Path: integrationsPath + "/{id}", Area: "integrations",
		Summary: "Delete an integration",
		Detail:  "Deletes one version with its secrets and keys. It must be private, and nothing may have it installed or depend on it. Developers can delete what they created; managers and above can delete any.",
		Scope:   wire.InHeader, Permission: access.CatalogDeleteOwn},
		func(ctx context.Context, in *integrationInput) (*wire.Nothing, error) {
			return &wire.Nothing{}, s.DeleteIntegration(ctx, access.From(ctx), id.Integration(in.ID))
		})
	wire.Register(m, wire.Operation{ID: "rotateIntegrationSigningSecrets", Method: http.MethodPost, Path: integrationsPath + "/{id}/signing-secrets/rotate", Area: "integrations",
		Summary: "Rotate an integration's signing secret", Detail: "The new secret is shown only in this response. The old one stays valid for 24 hours.",
		Scope: wire.InHeader, Permission: access.CatalogWrite},
		func(ctx context.Context, in *rotateSecretInput) (*rotateSecretOutput, error) {
			signingSecret, err := s.RotateSigningSecret(ctx, access.From(ctx).Workspace, id.Integration(in.ID))
			return &rotateSecretOutput{Body: RotateSecretAnswer{NewSigningSecret: signingSecret}}, err
		})
	wire.Register(m, wire.Operation{ID: "requestIntegrationVerification", Method: http.MethodPost, Path: integrationsPath + "/request-verification", Area: "integrations",
		Summary: "Request the verification of an integration", Detail: "The operator of this server reviews it.",
		Scope: wire.InHeader, Permission: access.CatalogWrite},
		func(ctx context.Context, in *verificationInput) (*wire.Nothing, error) {
			return &wire.Nothing{}, s.RequestVerification(ctx, access.From(ctx).Workspace, id.Integration(in.Body.IntegrationID))
		})
}

type rotateSecretInput struct {
	ID   string `path:"id" doc:"The integration."`
	Body wire.Empty
}

func (b ValidateIntegrationBody) draft(allowBreaking bool) IntegrationDraft {
	return IntegrationDraft{
		Name: b.Name, Version: b.Version, Dev: b.Dev, Definition: b.NewIntegration, URL: b.URL,
		IntegrationSettings: IntegrationSettings{
			SDKVersion: b.SDKVersion, Secrets: secretsOf(b.Secrets), Code: b.Code, Assets: assets{b.Icon, b.Readme}, Title: b.Title,
			Description: b.Description, Public: b.Public, Visibility: b.Visibility, Layers: b.Layers, AllowBreaking: allowBreaking,
		},
	}
}

func (b UpdateIntegrationBody) update(allowBreaking bool) IntegrationUpdate {
	return IntegrationUpdate{
		Definition: b.IntegrationPatch, URL: b.URL,
		IntegrationSettings: IntegrationSettings{
			SDKVersion: b.SDKVersion, Secrets: secretsOf(b.Secrets), Code: b.Code, Assets: assets{b.Icon, b.Readme}, Title: b.Title,
			Description: b.Description, Public: b.Public, Visibility: b.Visibility, Layers: b.Layers,
			MaxExecutionTime: b.MaxExecutionTime, AllowBreaking: allowBreaking,
		},
	}
}

func secretsOf(patch map[string]wire.Patch[IntegrationSecret]) map[string]*string {
	if patch == nil {
		return nil
	}
	secrets := make(map[string]*string, len(patch))
	for name, entry := range patch {
		secrets[name] = nil
		if value, set := entry.Get(); set {
			text := string(value)
			secrets[name] = &text
		}
	}
	return secrets
}
