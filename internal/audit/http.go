package audit

import (
	"context"
	"net/http"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/wire"
)

// AuditRecord is a record as it goes on the wire.
type AuditRecord struct {
	ID           string                `json:"id" doc:"The record's id."`
	RecordedAt   wire.Time             `json:"recordedAt" doc:"When it happened."`
	UserID       wire.Nullable[userID] `json:"userId" doc:"The account that did it; null when it was the operator or the server."`
	UserEmail    wire.Nullable[string] `json:"userEmail,omitempty" required:"false" doc:"The account's e-mail address at that time."`
	ResourceID   wire.Nullable[string] `json:"resourceId" doc:"The resource acted on."`
	ResourceName wire.Nullable[string] `json:"resourceName,omitempty" required:"false" doc:"The resource's name at that time."`
	Value        wire.Nullable[string] `json:"value,omitempty" required:"false" doc:"The new value, in readable form."`
	Action       string                `json:"action" enum:"UNKNOWN,ADD_WORKSPACE_MEMBER,REMOVE_WORKSPACE_MEMBER,UPDATE_WORKSPACE_MEMBER,CLOSE_WORKSPACE,CREATE_BOT,CREATE_WORKSPACE,DELETE_BOT,DEPLOY_BOT,TRANSFER_BOT,DOWNLOAD_BOT_ARCHIVE,UPDATE_BOT,UPDATE_BOT_CHANNEL,UPDATE_BOT_CONFIG,UPDATE_PAYMENT_METHOD,UPDATE_WORKSPACE,SET_SPENDING_LIMIT,SET_AI_SPENDING_LIMIT,UPDATE_WORKSPACE_BILLING_READONLY,UPDATE_WORKSPACE_PLAN_READONLY,UPDATE_WORKSPACE_ADDONS_READONLY,EXECUTE_AUTO_RECHARGE_SUCCESS,EXECUTE_AUTO_RECHARGE_FAILED" doc:"What was done."`
}

type getAuditRecordsInput struct {
	wire.PageQuery
	ID string `path:"id" doc:"The workspace's id."`
}

// AuditRecordList is the answer of getAuditRecords.
type AuditRecordList struct {
	Records []AuditRecord `json:"records" doc:"Newest first."`
	Meta    wire.Meta     `json:"meta" doc:"The cursor of the next page."`
}

type getAuditRecordsOutput struct{ Body AuditRecordList }

// Mount registers the operation of the audit trail.
func Mount(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{
		ID: "getAuditRecords", Method: http.MethodGet, Path: "/v1/admin/workspaces/{id}/audit-records", Area: "workspaces",
		Summary: "List the audit records of a workspace",
		Detail:  "Newest first. Records outlive the account and the resource.",
		Scope:   wire.InPath, Permission: access.AuditRead,
	}, func(ctx context.Context, in *getAuditRecordsInput) (*getAuditRecordsOutput, error) {
		page, err := m.Page(ctx, in.PageQuery)
		if err != nil {
			return nil, err
		}
		records, next, err := s.List(ctx, access.From(ctx).Workspace, page)
		if err != nil {
			return nil, err
		}
		out := &getAuditRecordsOutput{Body: AuditRecordList{Records: make([]AuditRecord, len(records)), Meta: m.Meta(ctx, next)}}
		for i, r := range records {
			out.Body.Records[i] = AuditRecord{
				ID: string(r.ID), RecordedAt: wire.TimeOf(r.RecordedAt), Action: r.Action,
				UserID:    wire.Nullable[userID]{Value: userID(r.Account), Valid: r.Account != ""},
				UserEmail: orNull(r.Email), ResourceID: orNull(r.Resource), ResourceName: orNull(r.Name), Value: orNull(r.Value),
			}
		}
		return out, nil
	})
}

func orNull(s string) wire.Nullable[string] { return wire.Nullable[string]{Value: s, Valid: s != ""} }
