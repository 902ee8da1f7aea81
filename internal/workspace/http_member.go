package workspace

import (
	"context"
	"net/http"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// WorkspaceMember is a member as it goes on the wire.
type WorkspaceMember struct {
	ID             string      `json:"id" doc:"The membership's id."`
	UserID         string      `json:"userId,omitempty" format:"uuid" doc:"The member's account; absent while there is no account with the invited address."`
	Email          string      `json:"email" doc:"The member's e-mail address."`
	CreatedAt      wire.Time   `json:"createdAt" doc:"When the member was added."`
	Role           access.Role `json:"role" enum:"viewer,billing,developer,manager,administrator,owner" doc:"The member's role."`
	ProfilePicture string      `json:"profilePicture,omitempty" doc:"The URL of a picture."`
	DisplayName    string      `json:"displayName,omitempty" maxLength:"100" doc:"The member's name."`
}

// WorkspaceMemberList is the answer of listWorkspaceMembers.
type WorkspaceMemberList struct {
	Members []WorkspaceMember `json:"members" doc:"In the order in which they were added."`
	Meta    wire.Meta         `json:"meta" doc:"The cursor of the next page."`
}

// CreateWorkspaceMemberBody is the body of createWorkspaceMember.
type CreateWorkspaceMemberBody struct {
	Email     string      `json:"email" format:"email" doc:"The e-mail address of the person to add."`
	Role      access.Role `json:"role" enum:"viewer,billing,developer,manager,administrator,owner" doc:"The member's role; it cannot be owner."`
	SendEmail bool        `json:"sendEmail,omitempty" doc:"Asks for an invitation by e-mail; this server sends none."`
}

// UpdateWorkspaceMemberBody is the body of updateWorkspaceMember.
type UpdateWorkspaceMemberBody struct {
	Role access.Role `json:"role,omitempty" enum:"viewer,billing,developer,manager,administrator,owner" doc:"The new role; it cannot be owner."`
}

type (
	memberInput struct {
		ID string `path:"id" doc:"The membership's id."`
	}
	ownMembershipInput struct{}
	memberOutput       struct{ Body WorkspaceMember }
	memberListOutput   struct{ Body WorkspaceMemberList }
	createMemberInput  struct{ Body CreateWorkspaceMemberBody }
	updateMemberInput  struct {
		ID   string `path:"id" doc:"The membership's id."`
		Body UpdateWorkspaceMemberBody
	}
	listMembersInput struct{ wire.PageQuery }
)

const membersPath = "/v1/admin/workspace-members"

func mountMembers(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{
		ID: "listWorkspaceMembers", Method: http.MethodGet, Path: membersPath, Area: "members",
		Summary: "List a workspace's members",
		Detail:  "Includes the owner and people who were invited.",
		Scope:   wire.InHeader, Permission: access.WorkspaceRead,
	}, func(ctx context.Context, in *listMembersInput) (*memberListOutput, error) {
		page, err := m.Page(ctx, in.PageQuery)
		if err != nil {
			return nil, err
		}
		list, next, err := s.Members(ctx, access.From(ctx).Workspace, page)
		if err != nil {
			return nil, err
		}
		out := &memberListOutput{Body: WorkspaceMemberList{Members: make([]WorkspaceMember, len(list)), Meta: m.Meta(ctx, next)}}
		for i, member := range list {
			out.Body.Members[i] = memberOf(member)
		}
		return out, nil
	})
	wire.Register(m, wire.Operation{
		ID: "createWorkspaceMember", Method: http.MethodPost, Path: membersPath, Area: "members",
		Summary: "Add a member to a workspace",
		Detail:  "Adds a member by e-mail address. While there is no account with the address, the member has no userId. This server sends no mail, whatever sendEmail says: tell the person yourself.",
		Scope:   wire.InHeader, Permission: access.MemberWrite,
	}, func(ctx context.Context, in *createMemberInput) (*memberOutput, error) {
		return memberAnswer(s.AddMember(ctx, access.From(ctx).Workspace, in.Body.Email, in.Body.Role))
	})
	wire.Register(m, wire.Operation{
		ID: "getWorkspaceMember", Method: http.MethodGet, Path: membersPath + "/me", Area: "members",
		Summary: "Get the caller's membership",
		Detail:  "Includes the caller's role in the workspace.",
		Scope:   wire.InHeader, Permission: access.WorkspaceRead,
	}, func(ctx context.Context, _ *ownMembershipInput) (*memberOutput, error) {
		actor := access.From(ctx)
		return memberAnswer(s.Membership(ctx, actor.Workspace, actor.Account))
	})
	wire.Register(m, wire.Operation{
		ID: "deleteWorkspaceMember", Method: http.MethodDelete, Path: membersPath + "/{id}", Area: "members",
		Summary: "Remove a member from a workspace",
		Detail:  "Any member but the owner may leave; administrators may remove others. The owner cannot be removed.",
		Scope:   wire.InHeader, Permission: access.MemberLeave, WhileBlocked: true,
	}, func(ctx context.Context, in *memberInput) (*wire.Nothing, error) {
		return &wire.Nothing{}, s.RemoveMember(ctx, access.From(ctx), id.Member(in.ID))
	})
	wire.Register(m, wire.Operation{
		ID: "updateWorkspaceMember", Method: http.MethodPut, Path: membersPath + "/{id}", Area: "members",
		Summary: "Update a member's role",
		Detail:  "The role takes effect with the member's next request. The owner's role cannot be changed, and the role owner cannot be assigned.",
		Scope:   wire.InHeader, Permission: access.MemberWrite,
	}, func(ctx context.Context, in *updateMemberInput) (*memberOutput, error) {
		return memberAnswer(s.ChangeMember(ctx, access.From(ctx).Workspace, id.Member(in.ID), in.Body.Role))
	})
}

func memberAnswer(m Member, err error) (*memberOutput, error) {
	return &memberOutput{Body: memberOf(m)}, err
}

func memberOf(m Member) WorkspaceMember {
	return WorkspaceMember{
		ID: string(m.ID), UserID: string(m.Account), Email: m.Email, CreatedAt: wire.TimeOf(m.CreatedAt), Role: m.Role,
		ProfilePicture: m.ProfilePicture, DisplayName: m.DisplayName,
	}
}
