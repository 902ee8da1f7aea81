package fault

// Category says whom an Issue concerns; the public API knows no other.
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

// Issue is a lasting fault that is shown to the owner of a bot, not to a caller.
// The same fault met again is one issue with one event more: what makes it the
// same is the bot, Code and what GroupBy says.
type Issue struct {
	// Code names the fault for programs, like "registration_failed".
	Code     string
	Category Category
	// Title and Description are for people, in plain words.
	Title       string
	Description string
	// Data are the circumstances of this event, by name.
	Data map[string]string
	// GroupBy are names in Data whose values tell two issues of one code apart. One
	// that is no name in Data stands for itself.
	GroupBy []string
	// ResolutionLink is where the owner can put it right, or empty.
	ResolutionLink string
}
