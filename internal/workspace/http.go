package workspace

import (
	"context"
	"net/http"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// WorkspaceDetails is a workspace as its members see it. The texts are always
// there, empty when nobody has set them; handle is absent then.
type WorkspaceDetails struct {
	ID             string                `json:"id" doc:"The workspace."`
	Name           string                `json:"name" doc:"Its name."`
	OwnerID        string                `json:"ownerId" doc:"The account that created it."`
	CreatedAt      wire.Time             `json:"createdAt" doc:"When it was made."`
	UpdatedAt      wire.Time             `json:"updatedAt" doc:"When it was last changed."`
	BotCount       float64               `json:"botCount" doc:"How many production bots it has."`
	BillingVersion string                `json:"billingVersion" enum:"v1,v2,v3,v4" doc:"Which billing it is on."`
	Plan           Plan                  `json:"plan" enum:"community,team,enterprise,plus,managed" doc:"What it may use; managed limits nothing."`
	Blocked        bool                  `json:"blocked" doc:"Whether it is blocked until it pays."`
	SpendingLimit  float64               `json:"spendingLimit" doc:"The most it may spend a month, in US dollars."`
	About          string                `json:"about" required:"false" doc:"What it is about."`
	ProfilePicture string                `json:"profilePicture" required:"false" doc:"A picture's URL."`
	ContactEmail   string                `json:"contactEmail" required:"false" doc:"Where to write to."`
	Website        string                `json:"website" required:"false" doc:"Its website."`
	SocialAccounts []string              `json:"socialAccounts" required:"false" doc:"Where else to find it."`
	IsPublic       bool                  `json:"isPublic" required:"false" doc:"Whether everybody can see its name, texts and handle."`
	Handle         string                `json:"handle,omitempty" doc:"What its packages are published under."`
	ActiveTrialID  wire.Nullable[string] `json:"activeTrialId" doc:"The trial it is in; null when in none."`
}

// PublicWorkspace is a workspace as everybody may see it.
type PublicWorkspace struct {
	ID             string    `json:"id" doc:"The workspace."`
	Name           string    `json:"name" doc:"Its name."`
	CreatedAt      wire.Time `json:"createdAt" doc:"When it was made."`
	UpdatedAt      wire.Time `json:"updatedAt" doc:"When it was last changed."`
	About          string    `json:"about" required:"false" doc:"What it is about."`
	ProfilePicture string    `json:"profilePicture" required:"false" doc:"A picture's URL."`
	ContactEmail   string    `json:"contactEmail" required:"false" doc:"Where to write to."`
	Website        string    `json:"website" required:"false" doc:"Its website."`
	SocialAccounts []string  `json:"socialAccounts" required:"false" doc:"Where else to find it."`
	Handle         string    `json:"handle" required:"false" doc:"What its packages are published under; empty when it has none."`
}

// WorkspaceList is the answer of listWorkspaces.
type WorkspaceList struct {
	Workspaces []WorkspaceDetails `json:"workspaces" doc:"The oldest first."`
	Meta       wire.Meta          `json:"meta" doc:"Where to go on."`
}

// PublicWorkspaceList is the answer of listPublicWorkspaces.
type PublicWorkspaceList struct {
	Workspaces []PublicWorkspace `json:"workspaces" doc:"The oldest first."`
	Meta       wire.Meta         `json:"meta" doc:"Where to go on."`
}

// CreateWorkspaceBody is the body of createWorkspace.
type CreateWorkspaceBody struct {
	Name           string `json:"name" doc:"Its name: 1 to 64 characters, not counting white space around it."`
	BillingVersion string `json:"billingVersion,omitempty" enum:"v4" doc:"Which billing it is on; there is but one."`
}

// UpdateWorkspaceBody is the body of updateWorkspace.
type UpdateWorkspaceBody struct {
	Name           *string   `json:"name,omitempty" minLength:"1" maxLength:"64" doc:"The new name."`
	SpendingLimit  *float64  `json:"spendingLimit,omitempty" minimum:"5" maximum:"1000" doc:"The most it may spend a month, in US dollars and whole cents."`
	About          *string   `json:"about,omitempty" doc:"What it is about: 2000 characters at most."`
	ProfilePicture *string   `json:"profilePicture,omitempty" doc:"A picture's URL: 2000 characters at most."`
	ContactEmail   *string   `json:"contactEmail,omitempty" doc:"An e-mail address, or empty for none."`
	Website        *string   `json:"website,omitempty" doc:"Its website: 2000 characters at most."`
	SocialAccounts *[]string `json:"socialAccounts,omitempty" maxItems:"5" doc:"Where else to find it; replaces those there are."`
	IsPublic       *bool     `json:"isPublic,omitempty" doc:"Whether everybody can see its name, texts and handle."`
	Handle         *string   `json:"handle,omitempty" minLength:"1" maxLength:"64" pattern:"^[0-9a-z][a-z0-9-_]+[0-9a-z]$" doc:"What its packages are published under; unique."`
}

// CheckHandleBody is the body of checkHandleAvailability.
type CheckHandleBody struct {
	Handle string `json:"handle" minLength:"1" maxLength:"50" pattern:"^[a-z0-9-_]+$" doc:"The handle that is wanted."`
}

// HandleAvailability is the answer of checkHandleAvailability.
type HandleAvailability struct {
	Available   bool     `json:"available" doc:"Whether the handle is free and of the right form."`
	Suggestions []string `json:"suggestions" doc:"Free handles like it; empty when it is free itself."`
	UsedBy      string   `json:"usedBy,omitempty" doc:"The workspace that has it, when that is public or one of the caller's."`
}

// SetWorkspacePreferenceBody is the body of setWorkspacePreference.
type SetWorkspacePreferenceBody struct {
	Value wire.JSON `json:"value,omitempty" doc:"Any JSON up to 64 KiB; absent is null."`
}

// WorkspacePreference is the answer of getWorkspacePreference.
type WorkspacePreference struct {
	Value wire.Nullable[wire.JSON] `json:"value" required:"false" doc:"The value; null when none was set."`
}

type (
	workspaceInput struct {
		ID string `path:"id" doc:"The workspace."`
	}
	workspaceOutput       struct{ Body WorkspaceDetails }
	publicWorkspaceOutput struct{ Body PublicWorkspace }
	workspaceListOutput   struct{ Body WorkspaceList }
	publicListOutput      struct{ Body PublicWorkspaceList }
	createWorkspaceInput  struct{ Body CreateWorkspaceBody }
	updateWorkspaceInput  struct {
		ID   string `path:"id" doc:"The workspace."`
		Body UpdateWorkspaceBody
	}
	migrateInput struct {
		ID   string `path:"id" doc:"The workspace."`
		Body *wire.Empty
	}
	listWorkspacesInput struct {
		wire.PageQuery
		Handle string `query:"handle" doc:"Only the workspace that has exactly this handle."`
	}
	listPublicInput struct {
		wire.PageQuery
		WorkspaceIDs []string `query:"workspaceIds,explode" doc:"Only these workspaces, 100 at most."`
		Search       string   `query:"search" doc:"A part of the name or the handle, without regard to case."`
	}
	checkHandleInput  struct{ Body CheckHandleBody }
	checkHandleOutput struct{ Body HandleAvailability }
	preferenceInput   struct {
		Key string `path:"key" doc:"The preference's key: 1 to 200 characters."`
	}
	setPreferenceInput struct {
		Key  string `path:"key" doc:"The preference's key: 1 to 200 characters."`
		Body SetWorkspacePreferenceBody
	}
	preferenceOutput struct{ Body WorkspacePreference }
)

const (
	workspacesPath = "/v1/admin/workspaces"
	workspacePath  = workspacesPath + "/{id}"
	preferencePath = workspacesPath + "/preferences/{key}"
)

// Mount registers the operations of workspaces, their members and preferences.
func Mount(m *wire.Mux, s *Service) {
	mountWorkspaces(m, s)
	mountPublic(m, s)
	mountPreferences(m, s)
	mountMembers(m, s)
}

func mountWorkspaces(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{
		ID: "createWorkspace", Method: http.MethodPost, Path: workspacesPath, Area: "workspaces",
		Summary: "Make a workspace",
		Detail:  "The caller becomes its owner. It starts on the plan managed, which limits nothing, without a handle and not public.",
		Scope:   wire.Outside, Permission: access.Self,
	}, func(ctx context.Context, in *createWorkspaceInput) (*workspaceOutput, error) {
		return answer(s.Open(ctx, access.From(ctx), in.Body.Name))
	})
	wire.Register(m, wire.Operation{
		ID: "listWorkspaces", Method: http.MethodGet, Path: workspacesPath, Area: "workspaces",
		Summary: "List the caller's workspaces",
		Detail:  "Those that the caller is a member of, the oldest first.",
		Scope:   wire.Outside, Permission: access.Self,
	}, func(ctx context.Context, in *listWorkspacesInput) (*workspaceListOutput, error) {
		page, err := m.Page(ctx, in.PageQuery)
		if err != nil {
			return nil, err
		}
		list, next, err := s.List(ctx, access.From(ctx).Account, in.Handle, page)
		if err != nil {
			return nil, err
		}
		out := &workspaceListOutput{Body: WorkspaceList{Workspaces: make([]WorkspaceDetails, len(list)), Meta: m.Meta(ctx, next)}}
		for i, w := range list {
			out.Body.Workspaces[i] = detailsOf(w)
		}
		return out, nil
	})
	wire.Register(m, wire.Operation{
		ID: "getWorkspace", Method: http.MethodGet, Path: workspacePath, Area: "workspaces",
		Summary: "Show a workspace",
		Detail:  "For its members.",
		Scope:   wire.InPath, Permission: access.WorkspaceRead,
	}, func(ctx context.Context, _ *workspaceInput) (*workspaceOutput, error) {
		return answer(s.Get(ctx, access.From(ctx).Workspace))
	})
	wire.Register(m, wire.Operation{
		ID: "updateWorkspace", Method: http.MethodPut, Path: workspacePath, Area: "workspaces",
		Summary: "Change a workspace",
		Detail:  "What is absent stays as it is. The spending limit can be changed by those who see to billing, all else by administrators. A handle can be changed as long as nobody else has it.",
		Scope:   wire.InPath, Permission: access.WorkspaceEdit,
	}, func(ctx context.Context, in *updateWorkspaceInput) (*workspaceOutput, error) {
		b := in.Body
		return answer(s.Update(ctx, access.From(ctx), Update{
			Name: b.Name, SpendingLimit: b.SpendingLimit, About: b.About, ProfilePicture: b.ProfilePicture,
			ContactEmail: b.ContactEmail, Website: b.Website, SocialAccounts: b.SocialAccounts, Public: b.IsPublic, Handle: b.Handle,
		}))
	})
	wire.Register(m, wire.Operation{
		ID: "deleteWorkspace", Method: http.MethodDelete, Path: workspacePath, Area: "workspaces",
		Summary: "Delete a workspace",
		Detail:  "With its members, bots, keys and preferences, for good. Only its owner can. The platform's own workspace cannot be deleted.",
		Scope:   wire.InPath, Permission: access.WorkspaceDelete, WhileBlocked: true,
	}, func(ctx context.Context, _ *workspaceInput) (*wire.Nothing, error) {
		return &wire.Nothing{}, s.Delete(ctx, access.From(ctx).Workspace)
	})
	wire.Register(m, wire.Operation{
		ID: "migrateWorkspaceToV4", Method: http.MethodPost, Path: workspacePath + "/migrate-to-v4", Area: "workspaces",
		Summary: "Bring a workspace to the current billing",
		Detail:  "A workspace that is there already stays as it is. Every workspace made here is.",
		Scope:   wire.InPath, Permission: access.WorkspaceUpdate,
	}, func(ctx context.Context, _ *migrateInput) (*wire.Nothing, error) {
		return &wire.Nothing{}, s.MigrateToV4(ctx, access.From(ctx).Workspace)
	})
}

func mountPublic(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{
		ID: "listPublicWorkspaces", Method: http.MethodGet, Path: workspacesPath + "/public", Area: "workspaces",
		Summary: "List the public workspaces",
		Detail:  "Those whose administrators made them public, the oldest first.",
		Scope:   wire.Outside, Permission: access.Self,
	}, func(ctx context.Context, in *listPublicInput) (*publicListOutput, error) {
		page, err := m.Page(ctx, in.PageQuery)
		if err != nil {
			return nil, err
		}
		filter := PublicFilter{Search: in.Search}
		for _, w := range in.WorkspaceIDs {
			filter.IDs = append(filter.IDs, id.Workspace(w))
		}
		list, next, err := s.ListPublic(ctx, filter, page)
		if err != nil {
			return nil, err
		}
		out := &publicListOutput{Body: PublicWorkspaceList{Workspaces: make([]PublicWorkspace, len(list)), Meta: m.Meta(ctx, next)}}
		for i, w := range list {
			out.Body.Workspaces[i] = publicOf(w)
		}
		return out, nil
	})
	wire.Register(m, wire.Operation{
		ID: "getPublicWorkspace", Method: http.MethodGet, Path: workspacePath + "/public", Area: "workspaces",
		Summary: "Show what everybody may know of a workspace",
		Detail:  "Of a public workspace, or of one that the caller is a member of.",
		Scope:   wire.Outside, Permission: access.Self,
	}, func(ctx context.Context, in *workspaceInput) (*publicWorkspaceOutput, error) {
		w, err := s.Public(ctx, access.From(ctx).Account, id.Workspace(in.ID))
		return &publicWorkspaceOutput{Body: publicOf(w)}, err
	})
	wire.Register(m, wire.Operation{
		ID: "checkHandleAvailability", Method: http.MethodPut, Path: workspacesPath + "/handle-availability", Area: "workspaces",
		Summary: "Ask whether a handle is free",
		Detail:  "A handle that updateWorkspace would refuse is not available. Nothing is reserved by asking.",
		Scope:   wire.Outside, Permission: access.Self,
	}, func(ctx context.Context, in *checkHandleInput) (*checkHandleOutput, error) {
		a, err := s.CheckHandle(ctx, access.From(ctx).Account, in.Body.Handle)
		return &checkHandleOutput{Body: HandleAvailability{Available: a.Available, Suggestions: a.Suggestions, UsedBy: a.UsedBy}}, err
	})
}

func mountPreferences(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{
		ID: "setWorkspacePreference", Method: http.MethodPost, Path: preferencePath, Area: "workspaces",
		Summary: "Keep a preference of a workspace",
		Detail:  "Any JSON under a key, shared by the members of the workspace that the header x-workspace-id names.",
		Scope:   wire.InUndeclaredHeader, Permission: access.PreferenceWrite,
	}, func(ctx context.Context, in *setPreferenceInput) (*wire.Nothing, error) {
		value := string(in.Body.Value)
		if value == "" {
			value = "null"
		}
		return &wire.Nothing{}, s.SetPreference(ctx, access.From(ctx).Workspace, in.Key, value)
	})
	wire.Register(m, wire.Operation{
		ID: "getWorkspacePreference", Method: http.MethodGet, Path: preferencePath, Area: "workspaces",
		Summary: "Read a preference of a workspace",
		Detail:  "A key that was never set has the value null. The header x-workspace-id names the workspace.",
		Scope:   wire.InUndeclaredHeader, Permission: access.WorkspaceRead,
	}, func(ctx context.Context, in *preferenceInput) (*preferenceOutput, error) {
		value, found, err := s.Preference(ctx, access.From(ctx).Workspace, in.Key)
		return &preferenceOutput{Body: WorkspacePreference{Value: wire.Nullable[wire.JSON]{Value: wire.JSON(value), Valid: found}}}, err
	})
}

func answer(w Workspace, err error) (*workspaceOutput, error) {
	return &workspaceOutput{Body: detailsOf(w)}, err
}

func detailsOf(w Workspace) WorkspaceDetails {
	return WorkspaceDetails{
		ID: string(w.ID), Name: w.Name, OwnerID: string(w.Owner), CreatedAt: wire.TimeOf(w.CreatedAt), UpdatedAt: wire.TimeOf(w.UpdatedAt),
		BotCount: float64(w.BotCount), BillingVersion: w.BillingVersion, Plan: w.Plan, Blocked: w.Blocked, SpendingLimit: w.SpendingLimit.Dollars(),
		About: w.About, ProfilePicture: w.ProfilePicture, ContactEmail: w.ContactEmail, Website: w.Website, SocialAccounts: w.SocialAccounts,
		IsPublic: w.Public, Handle: w.Handle, ActiveTrialID: wire.Nullable[string]{Value: w.ActiveTrial, Valid: w.ActiveTrial != ""},
	}
}

func publicOf(w Workspace) PublicWorkspace {
	return PublicWorkspace{
		ID: string(w.ID), Name: w.Name, CreatedAt: wire.TimeOf(w.CreatedAt), UpdatedAt: wire.TimeOf(w.UpdatedAt),
		About: w.About, ProfilePicture: w.ProfilePicture, ContactEmail: w.ContactEmail, Website: w.Website,
		SocialAccounts: w.SocialAccounts, Handle: w.Handle,
	}
}
