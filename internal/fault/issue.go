package fault

// Category says what an Issue is about; the public API knows no others.
type Category string

// The categories of issues.
const (
	// UserCode: the bot's own code failed.
	UserCode Category = "user_code"
	// Limits: something ran out.
	Limits Category = "limits"
	// Configuration: something is set up wrong, and its owner can put it right.
	Configuration Category = "configuration"
	// Other is all else.
	Other Category = "other"
)

// Categories are all categories.
var Categories = []Category{UserCode, Limits, Configuration, Other}

// Issue is a lasting fault that is shown to the owner of a bot, not to a caller. If it occurs
// again, it stays one issue, with one more event: occurrences are the same issue if bot, Code
// and the values of GroupBy are the same.
type Issue struct {
	// Code names the fault for programs, like "registration_failed".
	Code     string
	Category Category
	// Title and Description are for people, in plain words.
	Title       string
	Description string
	// Data are the circumstances of this event, by name.
	Data map[string]string
	// GroupBy are names in Data whose values distinguish issues of the same code. A name
	// that is not in Data stands for itself.
	GroupBy []string
	// ResolutionLink is where the owner can put it right, or empty.
	ResolutionLink string
}
