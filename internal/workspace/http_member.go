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
	ID             string      `json:"id" doc:"The membership."`
	UserID         string      `json:"userId,omitempty" format:"uuid" doc:"The member's account; absent while the invited address has none."`
	Email          string      `json:"email" doc:"The member's e-mail address."`
	CreatedAt      wire.Time   `json:"createdAt" doc:"When the member was added."`
	Role           access.Role `json:"role" enum:"viewer,billing,developer,manager,administrator,owner" doc:"What the member may do."`
	ProfilePicture string      `json:"profilePicture,omitempty" doc:"A picture's URL."`
	DisplayName    string      `json:"displayName,omitempty" maxLength:"100" doc:"The member's name."`
}

// WorkspaceMemberList is the answer of listWorkspaceMembers.
type WorkspaceMemberList struct {
	Members []WorkspaceMember `json:"members" doc:"The one added first comes first."`
	Meta    wire.Meta         `json:"meta" doc:"Where to go on."`
}

// CreateWorkspaceMemberBody is the body of createWorkspaceMember.
type CreateWorkspaceMemberBody struct {
	Email     string      `json:"email" format:"email" doc:"Whom to add."`
	Role      access.Role `json:"role" enum:"viewer,billing,developer,manager,administrator,owner" doc:"What the member may do; owner cannot be given."`
	SendEmail bool        `json:"sendEmail,omitempty" doc:"Asks for an invitation by mail; this server sends none."`
}

// UpdateWorkspaceMemberBody is the body of updateWorkspaceMember.
type UpdateWorkspaceMemberBody struct {
	Role access.Role `json:"role,omitempty" enum:"viewer,billing,developer,manager,administrator,owner" doc:"The new role; owner cannot be given."`
}

type (
	memberInput struct {
		ID string `path:"id" doc:"The membership."`
	}
	ownMembershipInput struct{}
	memberOutput       struct{ Body WorkspaceMember }
	memberListOutput   struct{ Body WorkspaceMemberList }
	createMemberInput  struct{ Body CreateWorkspaceMemberBody }
	updateMemberInput  struct {
		ID   string `path:"id" doc:"The membership."`
		Body UpdateWorkspaceMemberBody
	}
	listMembersInput struct{ wire.PageQuery }
)

const membersPath = "/v1/admin/workspace-members"

func mountMembers(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{
		ID: "listWorkspaceMembers", Method: http.MethodGet, Path: membersPath, Area: "members",
		Summary: "List the members of a workspace",
		Detail:  "The owner and the invited are among them.",
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
		Detail:  "By e-mail address. An address without an account is a member whose userId appears once there is one. No mail is sent by this server, whatever sendEmail says: tell the member yourself.",
		Scope:   wire.InHeader, Permission: access.MemberWrite,
	}, func(ctx context.Context, in *createMemberInput) (*memberOutput, error) {
		return memberAnswer(s.AddMember(ctx, access.From(ctx).Workspace, in.Body.Email, in.Body.Role))
	})
	wire.Register(m, wire.Operation{
		ID: "getWorkspaceMember", Method: http.MethodGet, Path: membersPath + "/me", Area: "members",
		Summary: "Show the caller's own membership",
		Detail:  "With the caller's role in the workspace.",
		Scope:   wire.InHeader, Permission: access.WorkspaceRead,
	}, func(ctx context.Context, _ *ownMembershipInput) (*memberOutput, error) {
		actor := access.From(ctx)
		return memberAnswer(s.Membership(ctx, actor.Workspace, actor.Account))
	})
	wire.Register(m, wire.Operation{
		ID: "deleteWorkspaceMember", Method: http.MethodDelete, Path: membersPath + "/{id}", Area: "members",
		Summary: "Remove a member from a workspace",
		Detail:  "Everybody but the owner may leave; administrators may remove others. The owner cannot be removed.",
		Scope:   wire.InHeader, Permission: access.MemberLeave, WhileBlocked: true,
	}, func(ctx context.Context, in *memberInput) (*wire.Nothing, error) {
		return &wire.Nothing{}, s.RemoveMember(ctx, access.From(ctx), id.Member(in.ID))
	})
	wire.Register(m, wire.Operation{
		ID: "updateWorkspaceMember", Method: http.MethodPut, Path: membersPath + "/{id}", Area: "members",
		Summary: "Change a member's role",
		Detail:  "The role works from the member's next request on. The owner's role cannot be changed, and the role owner cannot be given.",
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
