package meter

// Type is what is counted; the names are those of the public API.
type Type string

// The gauges.
const (
	Bots    Type = "bot_count"
	Members Type = "workspace_member_count"
	// Integrations counts the names that a workspace has production versions of.
	Integrations Type = "integrations_owned_count"
	AlwaysAlive  Type = "always_alive"
)

// Unlimited is the limit of a plan that sets none.
const Unlimited = int64(-1)

// limits are the published numbers of each plan. The owner is not counted as a
// member. A self-hosted workspace is on the plan "managed", which limits nothing.
var limits = map[string]map[Type]int64{
	"community":  {Bots: 1, Members: 1, Integrations: 20, AlwaysAlive: 0},
	"plus":       {Bots: 2, Members: 2, Integrations: 20, AlwaysAlive: 1},
	"team":       {Bots: 3, Members: 3, Integrations: 20, AlwaysAlive: 3},
	"enterprise": {Bots: 100, Members: 100, Integrations: 20, AlwaysAlive: 50},
}

// LimitOf is the most of t that a plan allows, or Unlimited.
func LimitOf(plan string, t Type) int64 {
	if limit, ok := limits[plan][t]; ok {
		return limit
	}
	return Unlimited
}

var readable = map[Type]string{Bots: "bots", Members: "members beside the owner", Integrations: "integrations of its own", AlwaysAlive: "bots that are always alive"}
