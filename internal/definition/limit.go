package definition

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/robfig/cron/v3"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

// The published limits of the platform, counts and bytes.
const (
	maxTagDefinitions  = 50
	maxStates          = 20
	maxEvents          = 20
	maxRecurringEvents = 50
	maxPayload         = 131_072
	maxConfiguration   = 20_480
	maxSchema          = 102_400
	maxChannels        = 10
	maxMessageTypes    = 20
	// An integration can have 50 identifiers, and every configuration has one.
	maxConfigurations = 50
)

// Limits of our own, where none is published: what callers send is always bounded.
const (
	maxActions       = 200
	maxSubscriptions = 200
	maxAttributes    = 50
	maxEntities      = 100
	maxInterfaces    = 50
	maxDependencies  = 50
	maxMedias        = 100
	maxMediaText     = 2000 // characters
	maxKey           = 200  // characters
	maxDefinition    = 16 << 20
	// A schema in which references were replaced by entities may be larger than the one
	// that was sent: a reference is short and can occur often.
	maxResolvedSchema = 1 << 20
	// The members beside a reference are read again when it is replaced. Nested references
	// would make that quadratic, so the bytes that are read again are bounded.
	maxReread          = 2 << 20
	maxExtraOperations = 50
)

func tooMany(owner string, most int, what string, count int) error {
	return fault.New(fault.LimitExceeded, "%s can have at most %d %s and would have %d.", owner, most, what, count).
		With("limit", most).With("count", count)
}

func tooLarge(what string, most, size int) error {
	return fault.New(fault.LimitExceeded, "%s is %d bytes long; at most %d are allowed.", what, size, most).
		With("limit", most).With("count", size)
}

// part is one kind of entries of a definition: how many it has before and after a patch, and
// how many it can have.
type part struct {
	what         string
	before, then int
	most         int
}

// growth checks a definition after a patch against its limits. A part that was beyond its limit
// before may stay so or shrink: a limit never keeps a caller from removing something.
func growth(owner string, parts []part) error {
	for _, p := range parts {
		if p.then > p.most && p.then > p.before {
			return tooMany(owner, p.most, p.what, p.then)
		}
	}
	return nil
}

func growthOfAttributes(events, nextEvents map[string]EventDefinition, actions, nextActions map[string]ActionDefinition) error {
	for _, name := range slices.Sorted(maps.Keys(nextEvents)) {
		if err := checkAttributes("The event", name, len(events[name].Attributes), len(nextEvents[name].Attributes)); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(nextActions)) {
		if err := checkAttributes("The action", name, len(actions[name].Attributes), len(nextActions[name].Attributes)); err != nil {
			return err
		}
	}
	return nil
}

func checkAttributes(kind, name string, before, then int) error {
	return growth(fmt.Sprintf("%s %q", kind, fault.Bounded(name)), []part{{"attributes", before, then, maxAttributes}})
}

// CheckKey checks a key of the map that is called where, such as "tags". InvalidPayload when it
// is empty or too long.
func CheckKey(where, key string) error {
	if key == "" {
		return fault.New(fault.InvalidPayload, "%s has an empty key; a key must have 1 to %d characters.", where, maxKey)
	}
	if n := utf8.RuneCountInString(key); n > maxKey {
		return fault.New(fault.InvalidPayload, "%s has the key %q of %d characters; a key must have 1 to %d.", where, fault.Bounded(key), n, maxKey)
	}
	return nil
}

// Check checks the form and the size of each entry that the patch sets. InvalidPayload,
// InvalidJsonSchema and LimitExceeded name the place. It does not need the old definition, so
// it runs before a transaction begins.
func (p BotPatch) Check() error {
	if size := len(p.Configuration.Data); size > maxConfiguration {
		return tooLarge("configuration.data", maxConfiguration, size)
	}
	if p.Configuration.Schema != nil {
		if err := checkSchema("configuration.schema", p.Configuration.Schema); err != nil {
			return err
		}
	}
	subscribed, _ := p.Subscriptions.Events.Get()
	return firstError(
		checkEntries("user.tags", p.User.Tags, nil),
		checkEntries("message.tags", p.Message.Tags, nil),
		checkEntries("conversation.tags", p.Conversation.Tags, nil),
		checkEntries("subscriptions.events", subscribed, nil),
		checkEvents(p.Events),
		checkActions(p.Actions),
		checkStates(p.States),
		checkEntries("recurringEvents", p.RecurringEvents, func(path string, e RecurringEventSettings) error {
			if size := len(e.Payload); size > maxPayload {
				return tooLarge(path+".payload", maxPayload, size)
			}
			return checkCron(path+".schedule.cron", e.Schedule.Cron)
		}),
		checkMedias(p.Medias),
	)
}

func checkEvents(patch map[string]wire.Patch[EventDefinitionPatch]) error {
	return checkEntries("events", patch, func(path string, e EventDefinitionPatch) error {
		return firstError(checkSchema(path+".schema", e.Schema), checkEntries(path+".attributes", e.Attributes, nil))
	})
}

func checkActions(patch map[string]wire.Patch[ActionDefinitionPatch]) error {
	return checkEntries("actions", patch, func(path string, a ActionDefinitionPatch) error {
		return firstError(checkSchema(path+".input.schema", a.Input.Schema), checkSchema(path+".output.schema", a.Output.Schema),
			checkEntries(path+".attributes", a.Attributes, nil))
	})
}

func checkStates(patch map[string]wire.Patch[StateDefinition]) error {
	return checkEntries("states", patch, func(path string, s StateDefinition) error {
		return checkSchema(path+".schema", s.Schema)
	})
}

func checkEntities(patch map[string]wire.Patch[EntityDefinition]) error {
	return checkEntries("entities", patch, func(path string, e EntityDefinition) error {
		return checkSchema(path+".schema", e.Schema)
	})
}

// schedules parses cron expressions of five fields, or of six with the seconds first, and
// descriptors such as @daily and @every 1h.
var schedules = cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

func checkCron(path, expression string) error {
	// Schedules are in UTC. The parser would accept a time zone in front, and version 3.0.1
	// panics when no expression follows it.
	if strings.Contains(expression, "TZ=") {
		return fault.New(fault.InvalidPayload, "%s is %q; schedules are always in UTC and must not name a time zone.", path, fault.Bounded(expression))
	}
	if _, err := schedules.Parse(expression); err != nil {
		return fault.New(fault.InvalidPayload, "%s is %q, which is not a cron expression: %v. One looks like \"0 9 * * 1-5\" or \"@daily\".", path, fault.Bounded(expression), err)
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkEntries checks the entries that a patch sets, in the order of their keys, so that the
// same patch always fails in the same way. check may be nil.
func checkEntries[P any](where string, patch map[string]wire.Patch[P], check func(path string, entry P) error) error {
	for _, key := range slices.Sorted(maps.Keys(patch)) {
		entry, set := patch[key].Get()
		if !set {
			continue
		}
		if err := CheckKey(where, key); err != nil {
			return err
		}
		if check == nil {
			continue
		}
		if err := check(where+"."+fault.Bounded(key), entry); err != nil {
			return err
		}
	}
	return nil
}

func checkMedias(medias []Media) error {
	for i, m := range medias {
		for _, text := range []string{m.URL, m.Name} {
			if n := utf8.RuneCountInString(text); n > maxMediaText {
				return fault.New(fault.InvalidPayload, "medias[%d] has a url or name of %d characters; at most %d are allowed for each.", i, n, maxMediaText)
			}
		}
	}
	return nil
}
