package audit

import (
	"slices"
	"time"

	"github.com/botyard/botyard/internal/id"
)

// Unknown is the action of a record that has no name in the public API.
const Unknown = "UNKNOWN"

// Actions are the actions of the public API; clients reject others.
var Actions = []string{
	Unknown, "ADD_WORKSPACE_MEMBER", "REMOVE_WORKSPACE_MEMBER", "UPDATE_WORKSPACE_MEMBER", "CLOSE_WORKSPACE",
	"CREATE_BOT", "CREATE_WORKSPACE", "DELETE_BOT", "DEPLOY_BOT", "TRANSFER_BOT", "DOWNLOAD_BOT_ARCHIVE", "UPDATE_BOT",
	"UPDATE_BOT_CHANNEL", "UPDATE_BOT_CONFIG", "UPDATE_PAYMENT_METHOD", "UPDATE_WORKSPACE", "SET_SPENDING_LIMIT",
	"SET_AI_SPENDING_LIMIT", "UPDATE_WORKSPACE_BILLING_READONLY", "UPDATE_WORKSPACE_PLAN_READONLY",
	"UPDATE_WORKSPACE_ADDONS_READONLY", "EXECUTE_AUTO_RECHARGE_SUCCESS", "EXECUTE_AUTO_RECHARGE_FAILED",
}

// Record is one entry of the trail. Empty strings are unknown.
type Record struct {
	ID         id.Audit
	RecordedAt time.Time
	Account    id.Account // empty: the operator, or the server itself
	Email      string
	Action     string
	Resource   string
	Name       string
	Value      string
}

// known maps an action to one that clients accept.
func known(action string) string {
	if slices.Contains(Actions, action) {
		return action
	}
	return Unknown
}

// maxText bounds names and values, in bytes: the trail is for people to read.
const maxText = 2000
