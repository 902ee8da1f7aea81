package plan

import "github.com/botyard/botyard/internal/fault"

// perBot are the types that are counted for each bot too.
var perBot = map[Type]bool{
	InvocationCalls: true, StorageCount: true, VectorStorage: true, TableRowCount: true,
	AISpend: true, OpenAISpend: true, BingSearchSpend: true, IndexedFileCount: true,
}

// PerBot reports whether a type is counted per bot as well as per workspace.
func (t Type) PerBot() bool { return perBot[t] }

// Reported reports whether usage of a type comes from outside. Of the other types botyard
// sees the usage itself, or they are only limits and have none.
func (t Type) Reported() bool { return perBot[t] }

// Whole is the type that t is a part of, or "".
func (t Type) Whole() Type {
	if t == OpenAISpend || t == BingSearchSpend {
		return AISpend
	}
	return ""
}

// The bounds of a reported usage: a million dollars of spend, or a petabyte.
const (
	maxUsed     = int64(1_000_000_000_000_000)
	maxUsageID  = 256
	maxMetadata = 16
)

// Check returns InvalidPayload when a usage cannot be counted: its type is not reported from
// outside, its value is out of bounds, or its id or metadata are too long. The value of a
// type that is not monthly is a change, and may be negative.
func (u Usage) Check() error {
	switch {
	case !u.Type.Known():
		return fault.New(fault.InvalidPayload, "There is no usage type %q; the types that can be reported are invocation_calls, storage_count, knowledgebase_vector_storage, table_row_count, ai_spend, openai_spend, bing_search_spend and indexed_file_count.", fault.Bounded(string(u.Type)))
	case !u.Type.Reported():
		return fault.New(fault.InvalidPayload, "Usage of type %s cannot be reported: it is a limit, or the server counts it itself.", u.Type)
	case u.Type.Monthly() && (u.Value < 0 || u.Value > maxUsed):
		return fault.New(fault.InvalidPayload, "The value of a usage of type %s is %d; it must be from 0 to %d.", u.Type, u.Value, maxUsed)
	case u.Value < -maxUsed || u.Value > maxUsed:
		return fault.New(fault.InvalidPayload, "The value of a usage of type %s is %d; it must be from %d to %d.", u.Type, u.Value, -maxUsed, maxUsed)
	case len(u.ID) > maxUsageID:
		return fault.New(fault.InvalidPayload, "The id of a usage has %d bytes; at most %d are allowed.", len(u.ID), maxUsageID)
	case len(u.Metadata) > maxMetadata:
		return fault.New(fault.InvalidPayload, "The metadata of a usage has %d keys; at most %d are allowed.", len(u.Metadata), maxMetadata)
	}
	return nil
}
