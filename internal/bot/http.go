package bot

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// TagValue is the value of a bot's tag.
type TagValue string

// Schema is that of a string of 500 characters at most.
func (TagValue) Schema(huma.Registry) *huma.Schema { return textSchema(500) }

// SecretValue is the value of a bot's secret.
type SecretValue string

// Schema is that of a string of 20,000 characters at most.
func (SecretValue) Schema(huma.Registry) *huma.Schema { return textSchema(definition.MaxSecretValue) }

func textSchema(most int) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, MaxLength: &most}
}

// CreateBotBody is the body of createBot.
type CreateBotBody struct {
	definition.NewBot
	Tags             map[string]TagValue    `json:"tags,omitempty" doc:"The tags, by name."`
	Code             *string                `json:"code,omitempty" doc:"The bundle that the bot runs."`
	Name             *string                `json:"name,omitempty" minLength:"1" doc:"The name; generated when absent."`
	Description      *string                `json:"description,omitempty" maxLength:"2000" doc:"The description of the bot."`
	URL              *string                `json:"url,omitempty" doc:"The URL at which the bot runs, when it runs elsewhere."`
	Secrets          map[string]SecretValue `json:"secrets,omitempty" doc:"The secrets, by name."`
	Dev              bool                   `json:"dev,omitempty" doc:"Creates a development bot, which does not count against the quota."`
	Type             Type                   `json:"type,omitempty" enum:"studio,adk,desk" doc:"The tool that the bot was built with; studio when absent."`
	MaxExecutionTime *int64                 `json:"maxExecutionTime,omitempty" doc:"The time limit of a call, 1 to 900 seconds."`
}

// UpdateBotBody is the body of updateBot.
type UpdateBotBody struct {
	definition.BotPatch
	URL              wire.Patch[string]                         `json:"url,omitzero" doc:"The URL at which the bot runs; null when it runs here."`
	Authentication   *string                                    `json:"authentication,omitempty" enum:"iam,hmac-sha256" doc:"How calls to the url are authenticated."`
	Blocked          *bool                                      `json:"blocked,omitempty" doc:"Whether the bot is blocked from running."`
	MaxExecutionTime *int64                                     `json:"maxExecutionTime,omitempty" doc:"The time limit of a call, 1 to 900 seconds."`
	AlwaysAlive      *bool                                      `json:"alwaysAlive,omitempty" doc:"Whether the bot is kept running."`
	Tags             map[string]wire.Patch[TagValue]            `json:"tags,omitempty" doc:"Tags to set, by name; null or an empty string removes one."`
	Integrations     map[string]wire.Patch[IntegrationSettings] `json:"integrations,omitempty" doc:"Integrations to install or configure, by alias; null removes one."`
	Plugins          map[string]wire.Patch[PluginSettings]      `json:"plugins,omitempty" doc:"Plugins to install or configure, by alias; null removes one."`
	Code             *string                                    `json:"code,omitempty" doc:"The bundle that the bot runs."`
	Name             *string                                    `json:"name,omitempty" minLength:"1" doc:"The name."`
	Description      *string                                    `json:"description,omitempty" maxLength:"2000" doc:"The description of the bot."`
	Secrets          map[string]wire.Patch[SecretValue]         `json:"secrets,omitempty" doc:"Secrets to set, by name; null removes one."`
	Layers           []string                                   `json:"layers,omitempty" doc:"The layers that the code runs on."`
	Type             *Type                                      `json:"type,omitempty" enum:"studio,adk,desk" doc:"The tool that the bot was built with."`
}

// ListedBot is a bot in a list.
type ListedBot struct {
	ID         string                           `json:"id" minLength:"28" maxLength:"36" doc:"The bot."`
	CreatedAt  wire.Time                        `json:"createdAt" doc:"When it was created."`
	UpdatedAt  wire.Time                        `json:"updatedAt" doc:"When it was last updated."`
	Name       string                           `json:"name" doc:"The name."`
	DeployedAt wire.Time                        `json:"deployedAt,omitzero" doc:"When code was last deployed."`
	Tags       wire.Document[map[string]string] `json:"tags" doc:"The tags, by name."`
	Type       Type                             `json:"type" enum:"studio,adk,desk" doc:"The tool that the bot was built with."`
}

// ListBotsAnswer is the answer of listBots.
type ListBotsAnswer struct {
	Bots []ListedBot `json:"bots" doc:"The bots on this page."`
	Meta wire.Meta   `json:"meta" doc:"The cursor of the next page."`
}

// IntrospectBody is the body of introspect.
type IntrospectBody struct {
	BotID string `json:"botId" doc:"The bot."`
}

// IntrospectAnswer is the answer of introspect.
type IntrospectAnswer struct {
	WorkspaceID string `json:"workspaceId" doc:"The workspace that owns the bot."`
	BotID       string `json:"botId" doc:"The bot."`
	UserID      string `json:"userId" doc:"The caller's account."`
}

// Keyed is how a caller wants the integrations of a bot keyed. The header that says
// so is declared for every operation.
type Keyed struct{ byAlias bool }

// Resolve reads the header.
func (k *Keyed) Resolve(ctx huma.Context) []error {
	k.byAlias = strings.EqualFold(ctx.Header("x-multiple-integrations"), "true")
	return nil
}

type (
	createInput struct{ Body CreateBotBody }
	updateInput struct {
		Keyed
		ID   string `path:"id" doc:"The bot."`
		Body UpdateBotBody
	}
	botInput struct {
		Keyed
		ID string `path:"id" doc:"The bot."`
	}
	botOutput struct{ Body wire.Document[BotAnswer] }
	listInput struct {
		Dev              wire.Optional[bool] `query:"dev" doc:"true lists the development bots, false the production bots."`
		Tags             wire.Map            `dotted:"tags" doc:"Only bots with all of these tags."`
		IntegrationNames []string            `query:"integrationNames,explode" doc:"Only bots with one of these integrations installed."`
		PluginNames      []string            `query:"pluginNames,explode" doc:"Only bots with one of these plugins installed."`
		SortField        string              `query:"sortField" enum:"createdAt,updatedAt" doc:"The sort key; createdAt when absent."`
		SortDirection    string              `query:"sortDirection" enum:"asc,desc" doc:"The sort direction; descending when absent."`
		wire.PageQuery
	}
	listOutput       struct{ Body ListBotsAnswer }
	introspectInput  struct{ Body IntrospectBody }
	introspectOutput struct{ Body IntrospectAnswer }
)

const (
	botsPath = "/v1/admin/bots"
	botPath  = botsPath + "/{id}"
)

// Mount registers the operations of bots; hosts are what snippets of webchats refer
// to.
func Mount(m *wire.Mux, s *Service, hosts WebchatHosts) {
	wire.Register(m, wire.Operation{ID: "createBot", Method: http.MethodPost, Path: botsPath, Area: "bots",
		Summary: "Create a bot", Detail: "The signing secret is shown only in this response.",
		Scope: wire.InHeader, Permission: access.BotWrite, Code: true},
		func(ctx context.Context, in *createInput) (*botOutput, error) {
			b, signingSecret, err := s.Create(ctx, access.From(ctx), in.Body.draft())
			if err != nil {
				return nil, err
			}
			return s.answer(b, signingSecret, true), nil
		})
	wire.Register(m, wire.Operation{ID: "listBots", Method: http.MethodGet, Path: botsPath, Area: "bots",
		Summary: "List a workspace's bots", Detail: "Lists either the production bots or the development bots.",
		Scope: wire.InHeader, Permission: access.BotRead},
		func(ctx context.Context, in *listInput) (*listOutput, error) {
			page, err := m.Page(ctx, in.PageQuery)
			if err != nil {
				return nil, err
			}
			bots, next, err := s.List(ctx, access.From(ctx), in.filter(), page)
			if err != nil {
				return nil, err
			}
			return &listOutput{Body: ListBotsAnswer{Bots: listed(bots), Meta: m.Meta(ctx, next)}}, nil
		})
	wire.Register(m, wire.Operation{ID: "updateBot", Method: http.MethodPut, Path: botPath, Area: "bots",
		Summary: "Update a bot",
		Detail:  "Members that are absent stay unchanged. Maps merge by key: null removes an entry, a value replaces it; the attributes of events and actions are merged too. Plugins are merged into the bot under their alias: alias#action.",
		Scope:   wire.InHeader, Permission: access.BotWrite, Code: true},
		func(ctx context.Context, in *updateInput) (*botOutput, error) {
			b, err := s.Update(ctx, access.From(ctx), id.Bot(in.ID), in.Body.update())
			if err != nil {
				return nil, err
			}
			return s.answer(b, "", in.byAlias), nil
		})
	wire.Register(m, wire.Operation{ID: "getBot", Method: http.MethodGet, Path: botPath, Area: "bots",
		Summary: "Get a bot", Scope: wire.InHeader, Permission: access.BotRead},
		func(ctx context.Context, in *botInput) (*botOutput, error) {
			b, err := s.Get(ctx, access.From(ctx).Workspace, id.Bot(in.ID))
			if err != nil {
				return nil, err
			}
			return s.answer(b, "", in.byAlias), nil
		})
	wire.Register(m, wire.Operation{ID: "deleteBot", Method: http.MethodDelete, Path: botPath, Area: "bots",
		Summary: "Delete a bot", Detail: "Deletes its tags, secrets, keys and installations too. Developers can delete the bots they created; managers and above can delete any bot.",
		Scope: wire.InHeader, Permission: access.BotDeleteOwn},
		func(ctx context.Context, in *botInput) (*wire.Nothing, error) {
			return &wire.Nothing{}, s.Delete(ctx, access.From(ctx), id.Bot(in.ID))
		})
	mountVersions(m, s)
	wire.Register(m, wire.Operation{ID: "introspect", Method: http.MethodPost, Path: "/v1/admin/introspect", Area: "bots",
		Summary: "Get the workspace of a bot", Detail: "Finds any bot that the caller may read, in any of the caller's workspaces.",
		Scope: wire.Outside, Permission: access.Self, Harmless: true},
		func(ctx context.Context, in *introspectInput) (*introspectOutput, error) {
			account := access.From(ctx).Account
			w, err := s.Introspect(ctx, account, id.Bot(in.Body.BotID))
			return &introspectOutput{Body: IntrospectAnswer{WorkspaceID: string(w), BotID: in.Body.BotID, UserID: string(account)}}, err
		})
	mountKeys(m, s)
	mountAllowlist(m, s)
	mountAccess(m, s, hosts)
}

func (b CreateBotBody) draft() Draft {
	return Draft{
		Definition: b.NewBot, Dev: b.Dev, Name: b.Name, Description: b.Description, Type: b.Type, URL: b.URL, Code: b.Code,
		MaxExecutionTime: b.MaxExecutionTime, Tags: plain(b.Tags), Secrets: plain(b.Secrets),
	}
}

func plain[V ~string](values map[string]V) map[string]string {
	texts := make(map[string]string, len(values))
	for key, value := range values {
		texts[key] = string(value)
	}
	return texts
}

func (b UpdateBotBody) update() Update {
	u := Update{
		Definition: b.BotPatch, Name: b.Name, Description: b.Description, Type: b.Type, URL: b.URL,
		Authentication: b.Authentication, Blocked: b.Blocked, AlwaysAlive: b.AlwaysAlive,
		MaxExecutionTime: b.MaxExecutionTime, Code: b.Code, Layers: b.Layers,
		Integrations: make(map[string]wire.Patch[IntegrationSetup], len(b.Integrations)),
		Plugins:      make(map[string]wire.Patch[PluginSetup], len(b.Plugins)),
	}
	if b.Tags != nil {
		u.Tags = make(map[string]string, len(b.Tags))
		for key, patch := range b.Tags {
			value, _ := patch.Get()
			u.Tags[key] = string(value)
		}
	}
	if b.Secrets != nil {
		u.Secrets = make(map[string]*string, len(b.Secrets))
		for name, patch := range b.Secrets {
			u.Secrets[name] = nil
			if value, set := patch.Get(); set {
				text := string(value)
				u.Secrets[name] = &text
			}
		}
	}
	for key, patch := range b.Integrations {
		u.Integrations[key] = wire.Clear[IntegrationSetup]()
		if settings, set := patch.Get(); set {
			u.Integrations[key] = wire.Set(settings.setup())
		}
	}
	for alias, patch := range b.Plugins {
		u.Plugins[alias] = wire.Clear[PluginSetup]()
		if settings, set := patch.Get(); set {
			u.Plugins[alias] = wire.Set(settings.setup())
		}
	}
	return u
}

func (in *listInput) filter() Filter {
	return Filter{
		Dev: in.Dev.Value, Tags: in.Tags, Sort: Sort(in.SortField), Ascending: in.SortDirection == "asc",
		IntegrationNames: in.IntegrationNames, PluginNames: in.PluginNames,
	}
}

func listed(bots []Bot) []ListedBot {
	items := make([]ListedBot, len(bots))
	for i, b := range bots {
		items[i] = ListedBot{
			ID: string(b.ID), CreatedAt: wire.TimeOf(b.CreatedAt), UpdatedAt: wire.TimeOf(b.UpdatedAt),
			Name: b.Name, Tags: wire.Document[map[string]string]{Bytes: []byte(b.Tags)}, Type: b.Type,
		}
		if !b.DeployedAt.IsZero() {
			items[i].DeployedAt = wire.TimeOf(b.DeployedAt)
		}
	}
	return items
}
