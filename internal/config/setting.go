package config

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// setting is one field of Config as its tags declare it.
type setting struct {
	flag     string // database-url
	env      string // BOTYARD_DATABASE_URL
	help     string
	standard string // the default, as text
	enum     []string
	kind     reflect.Type
}

// key is the setting's name in a file: database_url.
func (s setting) key() string { return strings.ReplaceAll(s.flag, "-", "_") }

// settings is every setting of Config, in the order of declaration.
func settings() []setting { return settingsOf(reflect.TypeFor[Config]()) }

func settingsOf(t reflect.Type) []setting {
	var found []setting
	for field := range t.Fields() {
		if field.Anonymous {
			found = append(found, settingsOf(field.Type)...)
			continue
		}
		s := setting{
			flag:     field.Tag.Get("name"),
			env:      field.Tag.Get("env"),
			standard: field.Tag.Get("default"),
			kind:     field.Type,
		}
		if enum := field.Tag.Get("enum"); enum != "" {
			s.enum = strings.Split(enum, ",")
		}
		s.help = strings.ReplaceAll(field.Tag.Get("help"), "${enum}", strings.Join(s.enum, ", "))
		found = append(found, s)
	}
	return found
}

// fileSettings are the settings that a file may hold: all but the file's name.
func fileSettings() []setting {
	return slices.DeleteFunc(settings(), func(s setting) bool { return s.flag == "config" })
}

// twinOf is the flag of the other of a pair of a secret and its file, whether or
// not there is one.
func twinOf(flag string) string {
	if plain, isFile := strings.CutSuffix(flag, "-file"); isFile {
		return plain
	}
	return flag + "-file"
}

// The kinds of settings that the schema of the file tells apart.
var (
	bytesKind    = reflect.TypeFor[Bytes]()
	durationKind = reflect.TypeFor[time.Duration]()
	boolKind     = reflect.TypeFor[bool]()
	intKind      = reflect.TypeFor[int]()
)
