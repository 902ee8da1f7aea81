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
	ID             string                `json:"id" doc:"The workspace's id."`
	Name           string                `json:"name" doc:"The name."`
	OwnerID        string                `json:"ownerId" doc:"The account that created it."`
	CreatedAt      wire.Time             `json:"createdAt" doc:"When it was created."`
	UpdatedAt      wire.Time             `json:"updatedAt" doc:"When it was last changed."`
	BotCount       float64               `json:"botCount" doc:"The number of production bots."`
	BillingVersion string                `json:"billingVersion" enum:"v1,v2,v3,v4" doc:"The version of billing."`
	Plan           Plan                  `json:"plan" enum:"community,team,enterprise,plus,managed" doc:"The plan, which sets the limits; managed is unlimited."`
	Blocked        bool                  `json:"blocked" doc:"Whether the workspace is blocked until it pays."`
	SpendingLimit  float64               `json:"spendingLimit" doc:"The spending limit per month, in US dollars."`
	About          string                `json:"about" required:"false" doc:"A description of the workspace."`
	ProfilePicture string                `json:"profilePicture" required:"false" doc:"The URL of a picture."`
	ContactEmail   string                `json:"contactEmail" required:"false" doc:"The contact's e-mail address."`
	Website        string                `json:"website" required:"false" doc:"The URL of the website."`
	SocialAccounts []string              `json:"socialAccounts" required:"false" doc:"Links to social accounts."`
	IsPublic       bool                  `json:"isPublic" required:"false" doc:"Whether everyone can see the workspace's name, description and handle."`
	Handle         string                `json:"handle,omitempty" doc:"The handle under which the workspace publishes."`
	ActiveTrialID  wire.Nullable[string] `json:"activeTrialId" doc:"The active trial; null when there is none."`
}

// PublicWorkspace is a workspace as everybody may see it.
type PublicWorkspace struct {
	ID             string    `json:"id" doc:"The workspace's id."`
	Name           string    `json:"name" doc:"The name."`
	CreatedAt      wire.Time `json:"createdAt" doc:"When it was created."`
	UpdatedAt      wire.Time `json:"updatedAt" doc:"When it was last changed."`
	About          string    `json:"about" required:"false" doc:"A description of the workspace."`
	ProfilePicture string    `json:"profilePicture" required:"false" doc:"The URL of a picture."`
	ContactEmail   string    `json:"contactEmail" required:"false" doc:"The contact's e-mail address."`
	Website        string    `json:"website" required:"false" doc:"The URL of the website."`
	SocialAccounts []string  `json:"socialAccounts" required:"false" doc:"Links to social accounts."`
	Handle         string    `json:"handle" required:"false" doc:"The handle under which the workspace publishes; empty when it has none."`
}

// WorkspaceList is the answer of listWorkspaces.
type WorkspaceList struct {
	Workspaces []WorkspaceDetails `json:"workspaces" doc:"Oldest first."`
	Meta       wire.Meta          `json:"meta" doc:"The cursor of the next page."`
}

// PublicWorkspaceList is the answer of listPublicWorkspaces.
type PublicWorkspaceList struct {
	Workspaces []PublicWorkspace `json:"workspaces" doc:"Oldest first."`
	Meta       wire.Meta         `json:"meta" doc:"The cursor of the next page."`
}

// CreateWorkspaceBody is the body of createWorkspace.
type CreateWorkspaceBody struct {
	Name           string `json:"name" doc:"The name: 1 to 64 characters, not counting surrounding white space."`
	BillingVersion string `json:"billingVersion,omitempty" enum:"v4" doc:"The version of billing; there is only one."`
}

// UpdateWorkspaceBody is the body of updateWorkspace.
type UpdateWorkspaceBody struct {
	Name           *string   `json:"name,omitempty" minLength:"1" maxLength:"64" doc:"The new name."`
	SpendingLimit  *float64  `json:"spendingLimit,omitempty" minimum:"5" maximum:"1000" doc:"The spending limit per month, in US dollars with whole cents."`
	About          *string   `json:"about,omitempty" doc:"A description of the workspace: at most 2000 characters."`
	ProfilePicture *string   `json:"profilePicture,omitempty" doc:"The URL of a picture: at most 2000 characters."`
	ContactEmail   *string   `json:"contactEmail,omitempty" doc:"The contact's e-mail address; empty for none."`
	Website        *string   `json:"website,omitempty" doc:"The URL of the website: at most 2000 characters."`
	SocialAccounts *[]string `json:"socialAccounts,omitempty" maxItems:"5" doc:"Links to social accounts, which replace the present ones."`
	IsPublic       *bool     `json:"isPublic,omitempty" doc:"Whether everyone can see the workspace's name, description and handle."`
	Handle         *string   `json:"handle,omitempty" minLength:"1" maxLength:"64" pattern:"^[0-9a-z][a-z0-9-_]+[0-9a-z]$" doc:"The handle under which the workspace publishes; it must be unique."`
}

// CheckHandleBody is the body of checkHandleAvailability.
type CheckHandleBody struct {
	Handle string `json:"handle" minLength:"1" maxLength:"50" pattern:"^[a-z0-9-_]+$" doc:"The desired handle."`
}

// HandleAvailability is the answer of checkHandleAvailability.
type HandleAvailability struct {
	Available   bool     `json:"available" doc:"Whether the handle is free and valid."`
	Suggestions []string `json:"suggestions" doc:"Similar handles that are free; empty when this one is free."`
	UsedBy      string   `json:"usedBy,omitempty" doc:"The workspace that has the handle, if it is public or one of the caller's."`
}

// SetWorkspacePreferenceBody is the body of setWorkspacePreference.
type SetWorkspacePreferenceBody struct {
	Value wire.JSON `json:"value,omitempty" doc:"Any JSON of at most 64 KiB; null when absent."`
}

// WorkspacePreference is the answer of getWorkspacePreference.
type WorkspacePreference struct {
	Value wire.Nullable[wire.JSON] `json:"value" required:"false" doc:"The value; null when it was never set."`
}

type (
	workspaceInput struct {
		ID string `path:"id" doc:"The workspace's id."`
	}
	workspaceOutput       struct{ Body WorkspaceDetails }
	publicWorkspaceOutput struct{ Body PublicWorkspace }
	workspaceListOutput   struct{ Body WorkspaceList }
	publicListOutput      struct{ Body PublicWorkspaceList }
	createWorkspaceInput  struct{ Body CreateWorkspaceBody }
	updateWorkspaceInput  struct {
		ID   string `path:"id" doc:"The workspace's id."`
		Body UpdateWorkspaceBody
	}
	migrateInput struct {
		ID   string `path:"id" doc:"The workspace's id."`
		Body *wire.Empty
	}
	listWorkspacesInput struct {
		wire.PageQuery
		Handle string `query:"handle" doc:"Only the workspace with exactly this handle."`
	}
	listPublicInput struct {
		wire.PageQuery
		WorkspaceIDs []string `query:"workspaceIds,explode" doc:"Only these workspaces, at most 100."`
		Search       string   `query:"search" doc:"A part of the name or of the handle, case-insensitively."`
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
		Summary: "Create a workspace",
		Detail:  "The caller becomes the owner. The workspace starts on the plan managed, which is unlimited, without a handle and not public.",
		Scope:   wire.Outside, Permission: access.Self,
	}, func(ctx context.Context, in *createWorkspaceInput) (*workspaceOutput, error) {
		return answer(s.Open(ctx, access.From(ctx), in.Body.Name))
	})
	wire.Register(m, wire.Operation{
		ID: "listWorkspaces", Method: http.MethodGet, Path: workspacesPath, Area: "workspaces",
		Summary: "List the caller's workspaces",
		Detail:  "The workspaces that the caller is a member of, oldest first.",
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
		Summary: "Get a workspace",
		Detail:  "The caller must be a member.",
		Scope:   wire.InPath, Permission: access.WorkspaceRead,
	}, func(ctx context.Context, _ *workspaceInput) (*workspaceOutput, error) {
		return answer(s.Get(ctx, access.From(ctx).Workspace))
	})
	wire.Register(m, wire.Operation{
		ID: "updateWorkspace", Method: http.MethodPut, Path: workspacePath, Area: "workspaces",
		Summary: "Update a workspace",
		Detail:  "Members that are absent stay unchanged. The spending limit can be changed by members with a billing role, everything else by administrators. The handle can be changed to any that is free.",
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
		Detail:  "Deletes its members, bots, keys and preferences too, irrevocably. Only the owner can delete a workspace, and the platform's own workspace cannot be deleted.",
		Scope:   wire.InPath, Permission: access.WorkspaceDelete, WhileBlocked: true,
	}, func(ctx context.Context, _ *workspaceInput) (*wire.Nothing, error) {
		return &wire.Nothing{}, s.Delete(ctx, access.From(ctx).Workspace)
	})
	wire.Register(m, wire.Operation{
		ID: "migrateWorkspaceToV4", Method: http.MethodPost, Path: workspacePath + "/migrate-to-v4", Area: "workspaces",
		Summary: "Migrate a workspace to billing v4",
		Detail:  "Changes nothing for a workspace that is already there, as every workspace of this server is.",
		Scope:   wire.InPath, Permission: access.WorkspaceUpdate,
	}, func(ctx context.Context, _ *migrateInput) (*wire.Nothing, error) {
		return &wire.Nothing{}, s.MigrateToV4(ctx, access.From(ctx).Workspace)
	})
}

func mountPublic(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{
		ID: "listPublicWorkspaces", Method: http.MethodGet, Path: workspacesPath + "/public", Area: "workspaces",
		Summary: "List the public workspaces",
		Detail:  "The workspaces whose administrators made them public, oldest first.",
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
		Summary: "Get a workspace's public profile",
		Detail:  "The workspace must be public, or the caller a member of it.",
		Scope:   wire.Outside, Permission: access.Self,
	}, func(ctx context.Context, in *workspaceInput) (*publicWorkspaceOutput, error) {
		w, err := s.Public(ctx, access.From(ctx).Account, id.Workspace(in.ID))
		return &publicWorkspaceOutput{Body: publicOf(w)}, err
	})
	wire.Register(m, wire.Operation{
		ID: "checkHandleAvailability", Method: http.MethodPut, Path: workspacesPath + "/handle-availability", Area: "workspaces",
		Summary: "Check the availability of a handle",
		Detail:  "A handle that updateWorkspace would refuse is not available. The check reserves nothing.",
		Scope:   wire.Outside, Permission: access.Self,
	}, func(ctx context.Context, in *checkHandleInput) (*checkHandleOutput, error) {
		a, err := s.CheckHandle(ctx, access.From(ctx).Account, in.Body.Handle)
		return &checkHandleOutput{Body: HandleAvailability{Available: a.Available, Suggestions: a.Suggestions, UsedBy: a.UsedBy}}, err
	})
}

func mountPreferences(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{
		ID: "setWorkspacePreference", Method: http.MethodPost, Path: preferencePath, Area: "workspaces",
		Summary: "Set a workspace preference",
		Detail:  "Stores any JSON under a key, shared by the members of the workspace named by the header x-workspace-id.",
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
		Summary: "Get a workspace preference",
		Detail:  "A key that was never set has the value null. The workspace is named by the header x-workspace-id.",
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
