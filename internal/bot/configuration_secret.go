package bot

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/wire"
)

// secrecy is which parts of a value are secret.
type secrecy struct {
	whole   bool
	members map[string]secrecy
}

// isOpen says that nothing is secret.
func (s secrecy) isOpen() bool { return !s.whole && len(s.members) == 0 }

// maxSecrecyDepth bounds how deep in a schema marks are looked for. Beyond it
// everything is secret.
const maxSecrecyDepth = 64

// secrecyOf reads the marks of a JSON schema: x-zui.secret, as the official SDK writes it,
// writeOnly, and the format password. A mark anywhere but on a property, such as on an
// item of a list or one of several alternatives, makes everything around it secret: it is
// better to withhold too much than too little. So does a schema that cannot be read.
func secrecyOf(schema []byte, depth int) secrecy {
	if jsontext.Value(schema).Kind() != '{' {
		return secrecy{}
	}
	var keywords map[string]wire.JSON
	if depth > maxSecrecyDepth || wire.ParseJSON(schema, &keywords) != nil || isMarked(keywords) {
		return secrecy{whole: true}
	}
	var properties map[string]wire.JSON
	if wire.ParseJSON(keywords["properties"], &properties) == nil {
		delete(keywords, "properties")
	}
	for _, part := range keywords {
		if marksAnywhere(part, depth+1) {
			return secrecy{whole: true}
		}
	}
	s := secrecy{members: map[string]secrecy{}}
	for name, part := range properties {
		if of := secrecyOf(part, depth+1); !of.isOpen() {
			s.members[name] = of
		}
	}
	return s
}

func isMarked(keywords map[string]wire.JSON) bool {
	var zui struct {
		Secret wire.JSON `json:"secret"`
	}
	if jsontext.Value(keywords["x-zui"]).Kind() == '{' && wire.ParseJSON(keywords["x-zui"], &zui) != nil {
		return true
	}
	return string(zui.Secret) == "true" || string(keywords["writeOnly"]) == "true" || string(keywords["format"]) == `"password"`
}

// marksAnywhere says whether a schema, or a list or an object of schemas, contains a mark.
// It also looks into values that are not schemas, such as defaults, which does no harm.
func marksAnywhere(part []byte, depth int) bool {
	if depth > maxSecrecyDepth {
		return true
	}
	switch jsontext.Value(part).Kind() {
	case '[':
		var items []wire.JSON
		if wire.ParseJSON(part, &items) != nil {
			return true
		}
		return slices.ContainsFunc(items, func(item wire.JSON) bool { return marksAnywhere(item, depth+1) })
	case '{':
		var members map[string]wire.JSON
		if wire.ParseJSON(part, &members) != nil || isMarked(members) {
			return true
		}
		for _, member := range members {
			if marksAnywhere(member, depth+1) {
				return true
			}
		}
	}
	return false
}

// strip is a configuration without its secrets, and nil if all of it is secret. If nothing
// can be secret it is unchanged, to the byte; otherwise its members are sorted, so that the
// text does not depend on which secrets there were.
func (s secrecy) strip(configuration wire.Object) wire.Object {
	if s.isOpen() {
		return configuration
	}
	if s.whole {
		return nil
	}
	var members map[string]wire.JSON
	if wire.ParseJSON(configuration, &members) != nil {
		return nil
	}
	for name := range s.members {
		value, given := members[name]
		if !given {
			continue
		}
		delete(members, name)
		if jsontext.Value(value).Kind() != '{' {
			if !s.members[name].whole {
				members[name] = value // not an object, so it has no secret members
			}
		} else if left := s.members[name].strip(wire.Object(value)); left != nil {
			members[name] = wire.JSON(left)
		}
	}
	return object(members)
}

// fill is a configuration with the secrets that it lacks taken from another. No
// configuration counts as an empty one.
func (s secrecy) fill(configuration, from wire.Object) wire.Object {
	if s.isOpen() || len(from) == 0 {
		return configuration
	}
	if s.whole {
		if len(configuration) == 0 {
			return from
		}
		return configuration
	}
	var members, kept map[string]wire.JSON
	if len(configuration) == 0 {
		members = map[string]wire.JSON{}
	} else if wire.ParseJSON(configuration, &members) != nil {
		return configuration
	}
	if wire.ParseJSON(from, &kept) != nil {
		return configuration
	}
	filled := false
	for name, of := range s.members {
		value, given := members[name]
		secret, had := kept[name]
		isObject := func(v wire.JSON) bool { return jsontext.Value(v).Kind() == '{' }
		switch {
		case !had, given && of.whole, given && !(isObject(value) && isObject(secret)):
			continue
		case of.whole:
			members[name] = secret
		case given:
			members[name] = wire.JSON(of.fill(wire.Object(value), wire.Object(secret)))
		default:
			continue // the object itself is missing, not only its secrets
		}
		filled = true
	}
	if !filled {
		return configuration
	}
	return object(members)
}

// object writes members, which came from JSON and so have that form.
func object(members map[string]wire.JSON) wire.Object {
	text, _ := wire.AppendJSON(nil, members)
	return text
}

// configurationSecrecy is what is secret in a configuration of an integration: everything,
// if the integration has no configuration of that type.
func configurationSecrecy(v definition.InstallableIntegration, configurationType *string) secrecy {
	if configurationType == nil {
		return secrecyOf(v.Configuration.Schema, 0)
	}
	c, known := v.Configurations[*configurationType]
	if !known {
		return secrecy{whole: true}
	}
	return secrecyOf(c.Schema, 0)
}
