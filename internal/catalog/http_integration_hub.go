package catalog

import (
	"context"
	"math"
	"net/http"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// IntegrationSummary is what all lists of integrations show of one.
type IntegrationSummary struct {
	ID                 string                                         `json:"id" minLength:"28" maxLength:"36" doc:"The id of this version of the integration."`
	Name               string                                         `json:"name" maxLength:"200" doc:"The name."`
	Version            string                                         `json:"version" maxLength:"200" doc:"The version."`
	CreatedAt          wire.Time                                      `json:"createdAt" doc:"When it was created."`
	UpdatedAt          wire.Time                                      `json:"updatedAt" doc:"When it was last updated."`
	Title              string                                         `json:"title" minLength:"1" maxLength:"64" doc:"The display name."`
	Description        string                                         `json:"description" maxLength:"256" doc:"What it is for."`
	IconURL            string                                         `json:"iconUrl" doc:"The URL of the icon."`
	Public             bool                                           `json:"public" doc:"Whether the visibility is public."`
	Visibility         Visibility                                     `json:"visibility" enum:"public,private,unlisted" doc:"The visibility."`
	VerificationStatus Verification                                   `json:"verificationStatus" enum:"unapproved,pending,approved,rejected" doc:"The status of the verification."`
	LifecycleStatus    Lifecycle                                      `json:"lifecycleStatus" enum:"published,deprecated" doc:"Whether it can still be newly installed."`
	MatchedOn          *Matches                                       `json:"matchedOn,omitempty" doc:"Where the search matched."`
	Attributes         wire.Document[map[string]definition.Attribute] `json:"attributes,omitzero" doc:"Free-form attributes for tools, by name."`
}

// ListedIntegration is an integration in a list of a workspace.
type ListedIntegration struct {
	IntegrationSummary
	OwnerWorkspace *PackageOwner `json:"ownerWorkspace,omitempty" doc:"The workspace that published it; always present in the hub."`
}

// PublicListedIntegration is an integration in a list of the hub.
type PublicListedIntegration struct {
	IntegrationSummary
	OwnerWorkspace PackageOwner `json:"ownerWorkspace" doc:"The workspace that published it."`
	Meta           Popularity   `json:"meta" doc:"Figures on its popularity."`
}

// PackageOwner is the workspace that published something.
type PackageOwner struct {
	ID     string                `json:"id" doc:"The workspace's id."`
	Handle wire.Nullable[string] `json:"handle" doc:"The workspace's handle, which prefixes the names it publishes; null when it has none."`
	Name   string                `json:"name" doc:"The name."`
}

// Popularity is how popular an integration is.
type Popularity struct {
	Installs int64 `json:"installs" doc:"How many bots have it installed."`
	Views    int64 `json:"views" doc:"How often it was viewed in the hub."`
}

// ListIntegrationsAnswer is the answer of listIntegrations.
type ListIntegrationsAnswer struct {
	Integrations []ListedIntegration `json:"integrations" doc:"The integrations on this page."`
	Meta         wire.Meta           `json:"meta" doc:"The cursor of the next page."`
}

// ListPublicIntegrationsAnswer is the answer of listPublicIntegrations.
type ListPublicIntegrationsAnswer struct {
	Integrations []PublicListedIntegration `json:"integrations" doc:"The integrations on this page."`
	Meta         wire.Meta                 `json:"meta" doc:"The cursor of the next page."`
}

// IntegrationQuery is what both lists of integrations can be asked for.
type IntegrationQuery struct {
	Limit              wire.Optional[float64] `query:"limit" doc:"The older name of pageSize."`
	Name               string                 `query:"name" doc:"Only those with this name."`
	Version            string                 `query:"version" doc:"Only those with exactly this version."`
	InterfaceID        string                 `query:"interfaceId" doc:"Only those that implement this interface."`
	InterfaceName      string                 `query:"interfaceName" doc:"Only those that implement an interface with this name, in any version."`
	InstalledByBotID   string                 `query:"installedByBotId" doc:"Only those that this bot has installed."`
	VerificationStatus Verification           `query:"verificationStatus" enum:"unapproved,pending,approved,rejected" doc:"Only those with this verification status."`
	Search             string                 `query:"search" doc:"Only those in which every word of the search begins some word of the name, the title, the description, or the names of actions and interfaces."`
	SortBy             Sort                   `query:"sortBy" enum:"popularity,name,createdAt,updatedAt,installCount" doc:"The sort key; createdAt when absent."`
	Direction          string                 `query:"direction" enum:"asc,desc" doc:"The sort direction; descending when absent, except by name."`
	wire.PageQuery
}

type (
	listIntegrationsInput struct {
		IntegrationQuery
		Visibility Visibility          `query:"visibility" enum:"public,private" doc:"Only those with this visibility."`
		Dev        wire.Optional[bool] `query:"dev" doc:"true lists the development integrations, false the production integrations."`
	}
	listIntegrationsOutput       struct{ Body ListIntegrationsAnswer }
	listPublicIntegrationsInput  struct{ IntegrationQuery }
	listPublicIntegrationsOutput struct{ Body ListPublicIntegrationsAnswer }
	publicIntegrationOutput      struct {
		Body wire.Document[PublicIntegrationAnswer]
	}
)

const hubIntegrationsPath = "/v1/admin/hub/integrations"

// mountIntegrationHub registers the operations of the hub's integrations.
func mountIntegrationHub(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{ID: "listPublicIntegrations", Method: http.MethodGet, Path: hubIntegrationsPath, Area: "hub",
		Summary: "List the hub's integrations", Detail: "Every version is one item, newest first.",
		Scope: wire.Outside, Permission: access.Self},
		func(ctx context.Context, in *listPublicIntegrationsInput) (*listPublicIntegrationsOutput, error) {
			return s.showPublicIntegrations(ctx, m, in)
		})
	wire.Register(m, wire.Operation{ID: "getPublicIntegrationById", Method: http.MethodGet, Path: hubIntegrationsPath + "/{id}", Area: "hub",
		Summary: "Get a hub integration", Detail: "The integration must be public or unlisted.", Scope: wire.Outside, Permission: access.Self},
		func(ctx context.Context, in *integrationInput) (*publicIntegrationOutput, error) {
			i, by, err := s.PublicIntegration(ctx, id.Integration(in.ID))
			return s.showPublicIntegration(i, by, err)
		})
	wire.Register(m, wire.Operation{ID: "getPublicIntegration", Method: http.MethodGet, Path: hubIntegrationsPath + "/{name}/{version}", Area: "hub",
		Summary: "Get a hub integration by name and version", Detail: "Returns the highest public or unlisted version that matches.",
		Scope: wire.Outside, Permission: access.Self},
		func(ctx context.Context, in *namedInput) (*publicIntegrationOutput, error) {
			i, by, err := s.PublicIntegrationNamed(ctx, in.Name, in.Version)
			return s.showPublicIntegration(i, by, err)
		})
}

// page is the requested page. The deprecated limit counts when pageSize is absent; it can
// be any number, also one that does not fit an int.
func (q IntegrationQuery) page(ctx context.Context, m *wire.Mux) (db.Page, error) {
	if q.Limit.Given && !q.PageSize.Given {
		size := 0 // refused by Page
		if q.Limit.Value >= 1 {
			size = int(min(q.Limit.Value, math.MaxInt32))
		}
		q.PageSize = wire.Optional[int]{Value: size, Given: true}
	}
	return m.Page(ctx, q.PageQuery)
}

func (q IntegrationQuery) filter() IntegrationFilter {
	return IntegrationFilter{
		Name: q.Name, Version: q.Version, InterfaceID: q.InterfaceID, InterfaceName: q.InterfaceName, Bot: id.Bot(q.InstalledByBotID),
		Verification: q.VerificationStatus, Search: q.Search, Sort: q.SortBy,
		Ascending: q.Direction == "asc" || q.Direction == "" && q.SortBy == ByName,
	}
}

func (s *Service) showIntegrations(ctx context.Context, m *wire.Mux, in *listIntegrationsInput) (*listIntegrationsOutput, error) {
	page, err := in.page(ctx, m)
	if err != nil {
		return nil, err
	}
	actor, f := access.From(ctx), in.filter()
	f.Workspace, f.Dev, f.Visibility = actor.Workspace, in.Dev.Value, in.Visibility
	list, next, err := s.ListIntegrations(ctx, actor.Account, f, page)
	if err != nil {
		return nil, err
	}
	items := make([]ListedIntegration, len(list))
	for n, l := range list {
		items[n] = ListedIntegration{IntegrationSummary: s.summary(l)}
	}
	return &listIntegrationsOutput{Body: ListIntegrationsAnswer{Integrations: items, Meta: m.Meta(ctx, next)}}, nil
}

func (s *Service) showPublicIntegrations(ctx context.Context, m *wire.Mux, in *listPublicIntegrationsInput) (*listPublicIntegrationsOutput, error) {
	page, err := in.page(ctx, m)
	if err != nil {
		return nil, err
	}
	list, next, err := s.ListIntegrations(ctx, access.From(ctx).Account, in.filter(), page)
	if err != nil {
		return nil, err
	}
	items := make([]PublicListedIntegration, len(list))
	for n, l := range list {
		items[n] = PublicListedIntegration{
			IntegrationSummary: s.summary(l), OwnerWorkspace: ownerOf(l.Publisher), Meta: Popularity{Installs: l.Installs, Views: l.Views},
		}
	}
	return &listPublicIntegrationsOutput{Body: ListPublicIntegrationsAnswer{Integrations: items, Meta: m.Meta(ctx, next)}}, nil
}

func (s *Service) summary(l Listed) IntegrationSummary {
	return IntegrationSummary{
		ID: string(l.ID), Name: l.Name, Version: l.Version, CreatedAt: wire.TimeOf(l.CreatedAt), UpdatedAt: wire.TimeOf(l.UpdatedAt),
		Title: l.Title, Description: l.Description, IconURL: s.IconURL(l.Icon), Public: l.Visibility == Public, Visibility: l.Visibility,
		VerificationStatus: l.Verification, LifecycleStatus: l.Lifecycle, MatchedOn: l.Matches,
		Attributes: wire.Document[map[string]definition.Attribute]{Bytes: []byte(l.Attributes)},
	}
}

func ownerOf(p Publisher) PackageOwner {
	return PackageOwner{ID: string(p.Workspace), Handle: wire.Nullable[string]{Value: p.Handle, Valid: p.Handle != ""}, Name: p.Name}
}
