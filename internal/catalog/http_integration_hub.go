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
	ID                 string                                         `json:"id" minLength:"28" maxLength:"36" doc:"The integration, in this version."`
	Name               string                                         `json:"name" maxLength:"200" doc:"The name."`
	Version            string                                         `json:"version" maxLength:"200" doc:"The version."`
	CreatedAt          wire.Time                                      `json:"createdAt" doc:"When it was made."`
	UpdatedAt          wire.Time                                      `json:"updatedAt" doc:"When it was last updated."`
	Title              string                                         `json:"title" minLength:"1" maxLength:"64" doc:"The name people see."`
	Description        string                                         `json:"description" maxLength:"256" doc:"What it is for."`
	IconURL            string                                         `json:"iconUrl" doc:"Where its icon is."`
	Public             bool                                           `json:"public" doc:"Whether its visibility is public."`
	Visibility         Visibility                                     `json:"visibility" enum:"public,private,unlisted" doc:"Who can see it."`
	VerificationStatus Verification                                   `json:"verificationStatus" enum:"unapproved,pending,approved,rejected" doc:"How far its review is."`
	LifecycleStatus    Lifecycle                                      `json:"lifecycleStatus" enum:"published,deprecated" doc:"Whether it can be newly installed."`
	MatchedOn          *Matches                                       `json:"matchedOn,omitempty" doc:"Where the search met it."`
	Attributes         wire.Document[map[string]definition.Attribute] `json:"attributes,omitzero" doc:"Notes for tools, by name."`
}

// ListedIntegration is an integration in a list of a workspace.
type ListedIntegration struct {
	IntegrationSummary
	OwnerWorkspace *PackageOwner `json:"ownerWorkspace,omitempty" doc:"The workspace that published it; the hub says it always."`
}

// PublicListedIntegration is an integration in a list of the hub.
type PublicListedIntegration struct {
	IntegrationSummary
	OwnerWorkspace PackageOwner `json:"ownerWorkspace" doc:"The workspace that published it."`
	Meta           Popularity   `json:"meta" doc:"How popular it is."`
}

// PackageOwner is the workspace that published something.
type PackageOwner struct {
	ID     string                `json:"id" doc:"The workspace."`
	Handle wire.Nullable[string] `json:"handle" doc:"Its handle, which names begin with; null when it has none."`
	Name   string                `json:"name" doc:"Its name."`
}

// Popularity is how popular an integration is.
type Popularity struct {
	Installs int64 `json:"installs" doc:"How many bots have it."`
	Views    int64 `json:"views" doc:"How often it was looked at in the hub."`
}

// ListIntegrationsAnswer is the answer of listIntegrations.
type ListIntegrationsAnswer struct {
	Integrations []ListedIntegration `json:"integrations" doc:"The integrations of this page."`
	Meta         wire.Meta           `json:"meta" doc:"Where the next page begins."`
}

// ListPublicIntegrationsAnswer is the answer of listPublicIntegrations.
type ListPublicIntegrationsAnswer struct {
	Integrations []PublicListedIntegration `json:"integrations" doc:"The integrations of this page."`
	Meta         wire.Meta                 `json:"meta" doc:"Where the next page begins."`
}

// IntegrationQuery is what both lists of integrations can be asked for.
type IntegrationQuery struct {
	Limit              wire.Optional[float64] `query:"limit" doc:"The old name of pageSize."`
	Name               string                 `query:"name" doc:"Only those of this name."`
	Version            string                 `query:"version" doc:"Only those of exactly this version."`
	InterfaceID        string                 `query:"interfaceId" doc:"Only those that implement this interface."`
	InterfaceName      string                 `query:"interfaceName" doc:"Only those that implement an interface of this name, in whichever version."`
	InstalledByBotID   string                 `query:"installedByBotId" doc:"Only those that this bot has installed."`
	VerificationStatus Verification           `query:"verificationStatus" enum:"unapproved,pending,approved,rejected" doc:"Only those whose review is so far."`
	Search             string                 `query:"search" doc:"Only those that have words beginning with every word of this, in name, title, description, or the names of actions and interfaces."`
	SortBy             Sort                   `query:"sortBy" enum:"popularity,name,createdAt,updatedAt,installCount" doc:"What the list is sorted by; createdAt when absent."`
	Direction          string                 `query:"direction" enum:"asc,desc" doc:"Descending when absent, but ascending by name."`
	wire.PageQuery
}

type (
	listIntegrationsInput struct {
		IntegrationQuery
		Visibility Visibility          `query:"visibility" enum:"public,private" doc:"Only those of this visibility."`
		Dev        wire.Optional[bool] `query:"dev" doc:"True for the development integrations; otherwise the production integrations."`
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
		Summary: "List the integrations of the hub", Detail: "Every version is one item; the newest come first.",
		Scope: wire.Outside, Permission: access.Self},
		func(ctx context.Context, in *listPublicIntegrationsInput) (*listPublicIntegrationsOutput, error) {
			return s.showPublicIntegrations(ctx, m, in)
		})
	wire.Register(m, wire.Operation{ID: "getPublicIntegrationById", Method: http.MethodGet, Path: hubIntegrationsPath + "/{id}", Area: "hub",
		Summary: "Show an integration of the hub", Detail: "A public or an unlisted one.", Scope: wire.Outside, Permission: access.Self},
		func(ctx context.Context, in *integrationInput) (*publicIntegrationOutput, error) {
			i, by, err := s.PublicIntegration(ctx, id.Integration(in.ID))
			return s.showPublicIntegration(i, by, err)
		})
	wire.Register(m, wire.Operation{ID: "getPublicIntegration", Method: http.MethodGet, Path: hubIntegrationsPath + "/{name}/{version}", Area: "hub",
		Summary: "Show an integration of the hub by its name", Detail: "A public or an unlisted one, in the highest version that matches.",
		Scope: wire.Outside, Permission: access.Self},
		func(ctx context.Context, in *namedInput) (*publicIntegrationOutput, error) {
			i, by, err := s.PublicIntegrationNamed(ctx, in.Name, in.Version)
			return s.showPublicIntegration(i, by, err)
		})
}

// page is the part of the list that is asked for; limit counts when pageSize is not
// given. It is any number, also one that no int can hold.
func (q IntegrationQuery) page(ctx context.Context, m *wire.Mux) (db.Page, error) {
	if q.Limit.Given && !q.PageSize.Given {
		size := 0 // which is refused
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
