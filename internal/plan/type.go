package plan

import (
	"slices"
	"time"

	"github.com/botyard/botyard/internal/id"
)

// Type is a quantity that the v1 API counts and limits, by the API's own name.
type Type string

// The types, in the order of the public contract.
const (
	InvocationTimeout  Type = "invocation_timeout"           // ms that a bot may run
	InvocationCalls    Type = "invocation_calls"             // incoming messages and events, a month
	StorageCount       Type = "storage_count"                // stored bytes, in spite of its name
	BotCount           Type = "bot_count"                    // production bots
	VectorStorage      Type = "knowledgebase_vector_storage" // bytes of vectors
	WorkspaceRatelimit Type = "workspace_ratelimit"          // API calls a second
	TableRowCount      Type = "table_row_count"              // rows
	MemberCount        Type = "workspace_member_count"       // members beside the owner
	IntegrationsOwned  Type = "integrations_owned_count"
	AISpend            Type = "ai_spend"           // nano-dollars a month
	OpenAISpend        Type = "openai_spend"       // a part of ai_spend
	BingSearchSpend    Type = "bing_search_spend"  // a part of ai_spend
	AlwaysAlive        Type = "always_alive"       // bots that are always alive
	IndexedFileCount   Type = "indexed_file_count" // files
	FileMaxSize        Type = "file_max_size_bytes"
)

// Types lists every type.
var Types = []Type{
	InvocationTimeout, InvocationCalls, StorageCount, BotCount, VectorStorage, WorkspaceRatelimit, TableRowCount,
	MemberCount, IntegrationsOwned, AISpend, OpenAISpend, BingSearchSpend, AlwaysAlive, IndexedFileCount, FileMaxSize,
}

// Known reports whether there is such a type.
func (t Type) Known() bool { return slices.Contains(Types, t) }

// Monthly reports whether counting starts again on the first of each month, UTC.
func (t Type) Monthly() bool {
	return t == InvocationCalls || t == AISpend || t == OpenAISpend || t == BingSearchSpend
}

// Feature is a part of v4 plans and add-ons, by the name that the v2 API gives it.
type Feature string

// The features.
const (
	Messages               Feature = "incoming_messages_events" // a month
	Bots                   Feature = "bot_count"
	Collaborators          Feature = "collaborator_count" // the owner is not one
	TableRows              Feature = "table_rows"
	FileStorage            Feature = "file_storage"      // bytes
	VectorDBStorage        Feature = "vector_db_storage" // bytes
	AlwaysAliveBots        Feature = "always_alive_count"
	AlwaysAliveConcurrency Feature = "always_alive_concurrency"
	SavedVersions          Feature = "saved_versions"           // of one bot
	Ratelimit              Feature = "ratelimit"                // API calls a second
	IntegrationSpend       Feature = "integration_spend"        // nano-dollars a month
	HumanInTheLoop         Feature = "human_in_the_loop"        // 0 or 1
	IntegrationSubscribe   Feature = "integration_subscription" // 0 or 1
	IndexedFiles           Feature = "indexed_file_count"
	ConversationSessions   Feature = "conversation_sessions"
	// These have no v4 name; the catalogue uses the v1 one.
	BotTimeout        Feature = "invocation_timeout" // ms
	OwnedIntegrations Feature = "integrations_owned_count"
	LargestFile       Feature = "file_max_size_bytes"
)

// Features lists every feature.
var Features = []Feature{
	Messages, Bots, Collaborators, TableRows, FileStorage, VectorDBStorage, AlwaysAliveBots, AlwaysAliveConcurrency,
	SavedVersions, Ratelimit, IntegrationSpend, HumanInTheLoop, IntegrationSubscribe, IndexedFiles, ConversationSessions,
	BotTimeout, OwnedIntegrations, LargestFile,
}

// Monthly reports whether the allowance is renewed on the first of each month.
func (f Feature) Monthly() bool { return f == Messages || f == IntegrationSpend }

// features has the feature that limits each type.
var features = map[Type]Feature{
	InvocationTimeout: BotTimeout, InvocationCalls: Messages, StorageCount: FileStorage, BotCount: Bots,
	VectorStorage: VectorDBStorage, WorkspaceRatelimit: Ratelimit, TableRowCount: TableRows, MemberCount: Collaborators,
	IntegrationsOwned: OwnedIntegrations, AISpend: IntegrationSpend, OpenAISpend: IntegrationSpend,
	BingSearchSpend: IntegrationSpend, AlwaysAlive: AlwaysAliveBots, IndexedFileCount: IndexedFiles, FileMaxSize: LargestFile,
}

// Feature is the feature that limits the type; every type has one.
func (t Type) Feature() Feature { return features[t] }

// TypesOf lists the types that a feature limits; none for a feature that only the
// v2 API knows.
func TypesOf(f Feature) (types []Type) {
	for _, t := range Types {
		if features[t] == f {
			types = append(types, t)
		}
	}
	return types
}

// Usage is one thing that was used. The same ID is counted once.
type Usage struct {
	ID        string
	Workspace id.Workspace
	// Bot is empty when no single bot used it.
	Bot   id.Bot
	Type  Type
	Value int64
	At    time.Time
	// Metadata says more, in the words of the API: type, subtype, source.
	Metadata map[string]string
}
