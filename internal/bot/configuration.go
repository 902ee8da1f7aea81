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
	// maxConfigurationDepth bounds how deep the values of a configuration are nested,
	// and with it how deep its check goes.
	maxConfigurationDepth = 32
	// maxChecks bounds how many schema keywords are checked in one update: a schema
	// of a few lines can require more checks than any computer will ever finish.
	maxChecks = 2_000_000
	// maxApplied bounds the same for one configuration: the validator keeps every
	// violation until it is done, a few hundred bytes for each keyword.
	maxApplied = 400_000
	// stepCost is what a schema costs for each level of the configuration, even when
	// it only leads to another schema.
	stepCost = 4
)

// checker validates the configurations of one update against their schemas. It
// remembers what passed: it is asked before the transaction, which must not wait for
// it, and again in the transaction, which decides.
type checker struct {
	left   int
	passed map[string]bool
}

func newChecker() *checker { return &checker{left: maxChecks, passed: map[string]bool{}} }

// check validates the configuration at path against its schema, which is JSON Schema
// draft 7 unless it names another. LimitExceeded when the configuration is too large;
// InvalidDataFormat, which names the place, when it does not fit. Unless complete, it
// may lack what the schema requires.
//
// An invalid schema admits everything, and so does a reference to another document:
// schemas of packages may refer to things that only their readers can resolve, and
// nothing is ever fetched.
func (c *checker) check(path string, schema, configuration wire.Object, complete bool) error {
	if size := len(configuration); size > maxConfiguration {
		return fault.New(fault.LimitExceeded, "%s has %d bytes; at most %d are allowed.", path, size, maxConfiguration).
			With("limit", maxConfiguration).With("count", size)
	}
	deep := depth(configuration)
	if deep > maxConfigurationDepth {
		return misfit(path, fmt.Sprintf("its values are nested more than %d levels deep", maxConfigurationDepth))
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

// schemaURL is the address of the schema in use. Relative references lead to its
// neighbours, of which there are none.
const schemaURL = "botyard:///schema"

// errEndless is a check that was abandoned.
var errEndless = errors.New("the schema asks for too many checks")

// holdAgainst validates value. The error is a *jsonschema.ValidationError or
// errEndless.
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
	// The library has no way to stop early, so cost panics with errEndless.
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

// nowhere resolves every reference to another document to a schema that admits
// everything.
type nowhere struct{}

// Load answers the schema that admits everything.
func (nowhere) Load(string) (any, error) { return true, nil }

// patterns compiles a pattern. One that Go's engine does not support, such as one with
// lookahead, matches everything.
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

// weigh is how much one application of a schema costs: the values of its keywords are
// walked through each time.
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

// leaves are the errors without causes of their own, in a fixed order.
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

// say describes a violation. It never quotes the value, which may be a credential:
// messages end up in logs.
func say(wrong jsonschema.ErrorKind) string {
	switch w := wrong.(type) {
	case *kind.Type:
		return fmt.Sprintf("it is %s and must be %s", w.Got, strings.Join(w.Want, " or "))
	case *kind.Required:
		return "it lacks " + quoted(w.Missing)
	case *kind.AdditionalProperties:
		return "it has " + quoted(w.Properties) + ", which the schema does not allow"
	case *kind.Pattern:
		return "it does not match the pattern " + strconv.Quote(fault.Bounded(w.Want))
	case *kind.Format:
		return "it does not have the format " + strconv.Quote(fault.Bounded(w.Want))
	case *kind.MinLength:
		return fmt.Sprintf("it has %d characters and must have at least %d", w.Got, w.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("it has %d characters and may have at most %d", w.Got, w.Want)
	case *kind.Enum, *kind.Const, *kind.MinItems, *kind.MaxItems, *kind.MinProperties, *kind.MaxProperties, *kind.OneOf, *kind.Not, *kind.FalseSchema:
		return fault.Bounded(wrong.LocalizedString(english))
	}
	return fmt.Sprintf("%q does not hold", strings.Join(wrong.KeywordPath(), "."))
}

// quoted lists names, in quotes.
func quoted(names []string) string {
	names = slices.Sorted(slices.Values(names))
	for i, name := range names {
		names[i] = strconv.Quote(fault.Bounded(name))
	}
	return fault.Bounded(strings.Join(names, ", "))
}
