package bot

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

const (
	// maxConfiguration is the published limit of the configuration of one
	// installed integration, in bytes; plugins have the same.
	maxConfiguration = 20_480
	// maxConfigurationDepth bounds how deep the values of a configuration stand in
	// each other, and with it how deep the check of one goes.
	maxConfigurationDepth = 32
	// maxChecks bounds how many keywords of schemas the configurations of one
	// update are held against: a schema of a few lines can ask for more than a
	// computer ever does.
	maxChecks = 2_000_000
	// maxApplied bounds the same for one configuration: what does not fit is
	// remembered until the check ends, a few hundred bytes for each keyword.
	maxApplied = 400_000
	// stepCost is what a schema counts that may be passed on the way to another, at
	// each depth of the configuration.
	stepCost = 4
)

// checker holds the configurations of one update against their schemas. What it let
// pass it lets pass again without looking: it is asked before the transaction, which
// must not wait for it, and in the transaction, which decides.
type checker struct {
	left   int
	passed map[string]bool
}

func newChecker() *checker { return &checker{left: maxChecks, passed: map[string]bool{}} }

// check holds the configuration at path against its schema, a JSON schema of draft
// 7 unless it says another: LimitExceeded when it is too large, InvalidDataFormat,
// which names the place, when it does not fit. An incomplete one may lack what the
// schema requires.
//
// A schema that cannot be made sense of admits everything, and so does a reference
// out of it: schemas of packages may refer to what only their readers resolve, and
// nothing is ever fetched.
func (c *checker) check(path string, schema, configuration wire.Object, complete bool) error {
	if size := len(configuration); size > maxConfiguration {
		return fault.New(fault.LimitExceeded, "%s is %d bytes; it can have %d.", path, size, maxConfiguration).
			With("limit", maxConfiguration).With("count", size)
	}
	deep := depth(configuration)
	if deep > maxConfigurationDepth {
		return misfit(path, fmt.Sprintf("its values stand more than %d deep in each other", maxConfigurationDepth))
	}
	question := strings.Join([]string{strconv.FormatBool(complete), string(schema), string(configuration)}, "\x00")
	if len(schema) == 0 || c.passed[question] {
		return nil
	}
	value, err := parse(configuration)
	if err != nil {
		return misfit(path, "it is not an object")
	}
	err = c.holdAgainst(schema, value, deep)
	var invalid *jsonschema.ValidationError
	switch {
	case errors.Is(err, errEndless):
		return misfit(path, "its schema takes too long to check")
	case errors.As(err, &invalid):
		for _, leaf := range leaves(invalid, nil) {
			if _, missing := leaf.ErrorKind.(*kind.Required); complete || !missing {
				return misfit(strings.Join(append([]string{path}, leaf.InstanceLocation...), "."), say(leaf.ErrorKind))
			}
		}
	}
	c.passed[question] = true
	return nil
}

func misfit(path, wrong string) error {
	return fault.New(fault.InvalidDataFormat, "%s does not fit the schema of the configuration: %s.", fault.Bounded(path), wrong)
}

// depth is how deep arrays and objects stand in each other.
func depth(text wire.Object) (most int) {
	now, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			now++
			most = max(most, now)
		case c == '}', c == ']':
			now--
		}
	}
	return most
}

// parse reads JSON as the checker wants it; nothing is an empty object.
func parse(text wire.Object) (any, error) {
	if len(text) == 0 {
		text = wire.Object("{}")
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(text))
}

// schemaURL is the address of the schema that is checked. References without a
// scheme lead to its neighbours, of which there are none.
const schemaURL = "botyard:///schema"

// errEndless is a check that was given up.
var errEndless = errors.New("the schema asks for too many checks")

// holdAgainst is nil, a *jsonschema.ValidationError, or errEndless.
func (c *checker) holdAgainst(schema wire.Object, value any, deep int) (err error) {
	document, err := parse(schema)
	if err != nil {
		return nil
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	compiler.UseLoader(nowhere{})
	compiler.UseRegexpEngine(patterns)
	compiler.AssertVocabs()
	compiler.RegisterVocabulary(&jsonschema.Vocabulary{URL: "botyard:///cost", Compile: func(_ *jsonschema.CompilerContext, keywords map[string]any) (jsonschema.SchemaExt, error) {
		c.left -= stepCost * deep
		return cost{of: weigh(keywords), left: &c.left}, nil
	}})
	if err := compiler.AddResource(schemaURL, document); err != nil {
		return nil
	}
	compiled, err := compiler.Compile(schemaURL)
	if err != nil {
		return nil
	}
	if c.left < 0 {
		return errEndless
	}
	spared := max(0, c.left-maxApplied)
	c.left -= spared
	defer func() { c.left += spared }()
	// The library cannot be told to stop: it is left by a panic of our own.
	defer func() {
		if p := recover(); p != nil {
			if cause, is := p.(error); !is || !errors.Is(cause, errEndless) {
				panic(p)
			}
			err = errEndless
		}
	}()
	return compiled.Validate(value)
}

// nowhere is where references out of a schema lead: to what admits everything.
type nowhere struct{}

// Load answers the schema that admits everything.
func (nowhere) Load(string) (any, error) { return true, nil }

// patterns compiles a pattern. Those that this program's engine does not know,
// such as ones that look ahead, match everything.
func patterns(pattern string) (jsonschema.Regexp, error) {
	if compiled, err := regexp.Compile(pattern); err == nil {
		return compiled, nil
	}
	return regexp.MustCompile(""), nil
}

// cost is counted whenever a schema is applied to a value.
type cost struct {
	of   int
	left *int
}

// Validate counts; it panics with errEndless when nothing is left.
func (c cost) Validate(*jsonschema.ValidatorContext, any) {
	if *c.left -= c.of; *c.left < 0 {
		panic(errEndless)
	}
}

// weigh is how much one application of a schema costs: what its keywords hold is
// looked through each time.
func weigh(keywords map[string]any) int {
	weight := 1
	for _, value := range keywords {
		switch v := value.(type) {
		case []any:
			weight += len(v)
		case map[string]any:
			weight += len(v)
		default:
			weight++
		}
	}
	return weight
}

// leaves are the errors that have no cause but themselves, in a fixed order.
func leaves(e *jsonschema.ValidationError, found []*jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return append(found, e)
	}
	causes := slices.Clone(e.Causes)
	slices.SortStableFunc(causes, func(a, b *jsonschema.ValidationError) int {
		return slices.Compare(a.InstanceLocation, b.InstanceLocation)
	})
	for _, cause := range causes {
		found = leaves(cause, found)
	}
	return found
}

var english = message.NewPrinter(language.English)

// say tells what is wrong. It never repeats a value: it may be a credential, and
// messages go into logs.
func say(wrong jsonschema.ErrorKind) string {
	switch w := wrong.(type) {
	case *kind.Type:
		return fmt.Sprintf("it is %s and must be %s", w.Got, strings.Join(w.Want, " or "))
	case *kind.Required:
		return "it lacks " + quoted(w.Missing)
	case *kind.AdditionalProperties:
		return "it has " + quoted(w.Properties) + ", which the schema does not know"
	case *kind.Pattern:
		return "it does not match the pattern " + strconv.Quote(fault.Bounded(w.Want))
	case *kind.Format:
		return "it does not have the format " + strconv.Quote(fault.Bounded(w.Want))
	case *kind.MinLength:
		return fmt.Sprintf("it has %d characters and must have %d or more", w.Got, w.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("it has %d characters and can have %d", w.Got, w.Want)
	case *kind.Enum, *kind.Const, *kind.MinItems, *kind.MaxItems, *kind.MinProperties, *kind.MaxProperties, *kind.OneOf, *kind.Not, *kind.FalseSchema:
		return fault.Bounded(wrong.LocalizedString(english))
	}
	return fmt.Sprintf("%q is not fulfilled", strings.Join(wrong.KeywordPath(), "."))
}

// quoted lists names, in quotes.
func quoted(names []string) string {
	names = slices.Sorted(slices.Values(names))
	for i, name := range names {
		names[i] = strconv.Quote(fault.Bounded(name))
	}
	return fault.Bounded(strings.Join(names, ", "))
}
