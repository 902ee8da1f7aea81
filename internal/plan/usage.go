package plan

import "github.com/botyard/botyard/internal/fault"

// perBot are the types that are counted for each bot too.
var perBot = map[Type]bool{
	InvocationCalls: true, StorageCount: true, VectorStorage: true, TableRowCount: true,
	AISpend: true, OpenAISpend: true, BingSearchSpend: true, IndexedFileCount: true,
}

// PerBot says that a type is counted for each bot, and not for workspaces alone.
func (t Type) PerBot() bool { return perBot[t] }

// Reported says that use of a type is told to botyard by whoever sees it. Of the
// others botyard sees the use itself, or there is none: they are only limits.
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

// Check is InvalidPayload when a usage cannot be counted: a type that is not
// reported, a value out of bounds, an id or metadata that is too long. A value may be
// negative where the type is a stock that can shrink, and then it is the change.
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
