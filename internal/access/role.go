package access

import "slices"

// Role is a member's role in one workspace.
type Role string

// The roles of the public API. Viewer < Developer < Manager < Administrator <
// Owner; Billing stands beside them.
const (
	Viewer        Role = "viewer"
	Billing       Role = "billing"
	Developer     Role = "developer"
	Manager       Role = "manager"
	Administrator Role = "administrator"
	Owner         Role = "owner"
)

// Roles lists every role, the weakest first.
var Roles = []Role{Viewer, Billing, Developer, Manager, Administrator, Owner}

// Permission is one thing that a role may allow. Operations declare the one they
// need; services ask for a further one where the right depends on the object.
type Permission string

// The permissions.
const (
	// Self is what every account may do: see and change itself, see what is
	// public, list and create its workspaces.
	Self Permission = "self"

	WorkspaceRead   Permission = "workspace.read"
	WorkspaceEdit   Permission = "workspace.edit" // may call updateWorkspace at all
	WorkspaceUpdate Permission = "workspace.update"
	WorkspaceDelete Permission = "workspace.delete"
	SpendingUpdate  Permission = "spending.update"
	BillingRead     Permission = "billing.read"
	BillingWrite    Permission = "billing.write"
	PreferenceWrite Permission = "preference.write"
	MemberLeave     Permission = "member.leave" // remove oneself
	MemberWrite     Permission = "member.write"
	AuditRead       Permission = "audit.read"
	BotRead         Permission = "bot.read"
	BotWrite        Permission = "bot.write"
	BotExport       Permission = "bot.export" // read its code and what is configured, as one file
	BotDeleteOwn    Permission = "bot.delete_own"
	BotDelete       Permission = "bot.delete"
	BotTransfer     Permission = "bot.transfer" // away from this workspace
	BotAdmit        Permission = "bot.admit"    // say who is let into a bot
	// TelemetryWrite is to send records of bots: log lines, events and the like.
	TelemetryWrite Permission = "telemetry.write"
	// The catalog's permissions are for what the workspace publishes itself.
	CatalogRead      Permission = "catalog.read"
	CatalogWrite     Permission = "catalog.write"
	CatalogDeleteOwn Permission = "catalog.delete_own"
	CatalogDelete    Permission = "catalog.delete"
)

// granted is the permission table. Where published sources disagree (managers
// and billing, managers and deletion) the wider right was taken; see
// docs/decisions/0003-roles.md.
var granted = map[Permission][]Role{
	WorkspaceRead:   Roles,
	WorkspaceEdit:   {Billing, Manager, Administrator, Owner},
	WorkspaceUpdate: {Administrator, Owner},
	WorkspaceDelete: {Owner},
	SpendingUpdate:  {Billing, Manager, Administrator, Owner},
	BillingRead:     {Billing, Manager, Administrator, Owner},
	BillingWrite:    {Billing, Manager, Administrator, Owner},
	PreferenceWrite: {Developer, Manager, Administrator, Owner},
	MemberLeave:     Roles,
	MemberWrite:     {Administrator, Owner},
	AuditRead:       {Manager, Administrator, Owner},
	BotRead:         {Viewer, Developer, Manager, Administrator, Owner},
	BotWrite:        {Developer, Manager, Administrator, Owner},
	BotExport:       {Developer, Manager, Administrator, Owner},
	BotDeleteOwn:    {Developer, Manager, Administrator, Owner},
	BotDelete:       {Manager, Administrator, Owner},
	BotTransfer:     {Manager, Administrator, Owner},
	BotAdmit:        {Administrator, Owner},

	TelemetryWrite: {Developer, Manager, Administrator, Owner},

	CatalogRead:      {Viewer, Developer, Manager, Administrator, Owner},
	CatalogWrite:     {Developer, Manager, Administrator, Owner},
	CatalogDeleteOwn: {Developer, Manager, Administrator, Owner},
	CatalogDelete:    {Manager, Administrator, Owner},
}

// Allows says whether the role grants p. Self needs no role and is granted by all.
func (r Role) Allows(p Permission) bool {
	return p == Self || slices.Contains(granted[p], r)
}
