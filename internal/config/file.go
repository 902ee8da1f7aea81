package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v4"
)

// BeforeResolve reads the settings file, when there is one. kong calls it for the
// command that was chosen.
func (i *Installation) BeforeResolve(ctx *kong.Context) error {
	for _, flag := range ctx.Flags() {
		if !flag.Target.CanAddr() || flag.Target.Addr().Interface() != any(&i.File) {
			continue
		}
		path, _ := ctx.FlagValue(flag).(string)
		if path == "" {
			return nil
		}
		values, err := readFile(path)
		if err != nil {
			return fmt.Errorf("config file %s: %w", path, err)
		}
		ctx.AddResolver(fileResolver(values))
	}
	return nil
}

// schemaKey is where editors look for the schema of a JSON file; it is no setting.
const schemaKey = "$schema"

// fileResolver gives kong the values of a file, by key, for the flags that
// neither the command line nor the environment has set.
func fileResolver(values map[string]string) kong.ResolverFunc {
	return func(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		s, known := bySetting(flag)
		if !known {
			return nil, nil
		}
		value, there := values[s.key()]
		if !there || inEnvironment(flag) || overridden(ctx, twinOf(flag.Name)) {
			return nil, nil
		}
		return value, nil
	}
}

// bySetting is the setting that a flag of kong stands for. Other flags of a
// command may have the same name, but not the variable.
func bySetting(flag *kong.Flag) (setting, bool) {
	for _, s := range fileSettings() {
		if s.flag == flag.Name && slices.Contains(flag.Envs, s.env) {
			return s, true
		}
	}
	return setting{}, false
}

// overridden says whether the command line or the environment has set the flag
// of that name: a secret in the file gives way to the twin of it there.
func overridden(ctx *kong.Context, name string) bool {
	for _, path := range ctx.Path {
		if path.Flag != nil && path.Flag.Name == name && !path.Resolved {
			return true
		}
	}
	return slices.ContainsFunc(ctx.Flags(), func(f *kong.Flag) bool { return f.Name == name && inEnvironment(f) })
}

func inEnvironment(flag *kong.Flag) bool {
	return slices.ContainsFunc(flag.Envs, func(name string) bool {
		_, set := os.LookupEnv(name)
		return set
	})
}

// readFile reads a settings file into text by key, and refuses keys that are no
// settings.
func readFile(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	decode := decodeYAML
	if strings.EqualFold(filepath.Ext(path), ".json") {
		decode = decodeJSON
	}
	values, err := decode(text)
	if err != nil {
		return nil, err
	}
	delete(values, schemaKey)
	known := fileSettings()
	for key := range values {
		if !slices.ContainsFunc(known, func(s setting) bool { return s.key() == key }) {
			return nil, fmt.Errorf("there is no setting %q; the nearest is %q", key, nearest(key, known))
		}
	}
	return values, nil
}

func notOneValue(key string) error {
	return fmt.Errorf("%s must be one value: a text, a number, true or false", key)
}

func decodeYAML(text []byte) (map[string]string, error) {
	var documents []map[string]yaml.Node
	if err := yaml.Load(text, &documents, yaml.WithAllDocuments()); err != nil {
		return nil, err
	}
	values := map[string]string{}
	if len(documents) > 1 {
		return nil, fmt.Errorf("it has %d YAML documents; it must have one", len(documents))
	}
	for _, document := range documents {
		for key, node := range document {
			for node.Kind == yaml.AliasNode {
				node = *node.Alias
			}
			switch {
			case node.Kind != yaml.ScalarNode:
				return nil, notOneValue(key)
			case node.ShortTag() != "!!null":
				values[key] = node.Value
			}
		}
	}
	return values, nil
}

func decodeJSON(text []byte) (map[string]string, error) {
	var document map[string]jsontext.Value
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	values := map[string]string{}
	for key, value := range document {
		switch value.Kind() {
		case jsontext.KindNull:
		case jsontext.KindString:
			var s string
			if err := json.Unmarshal(value, &s); err != nil {
				return nil, err
			}
			values[key] = s
		case jsontext.KindNumber, jsontext.KindTrue, jsontext.KindFalse:
			values[key] = string(value)
		default:
			return nil, notOneValue(key)
		}
	}
	return values, nil
}

// nearest is the key that takes the fewest edits to get to from key.
func nearest(key string, known []setting) string {
	best, fewest := "", 0
	for _, s := range known {
		if d := distance(strings.ToLower(key), s.key()); best == "" || d < fewest {
			best, fewest = s.key(), d
		}
	}
	return best
}

// distance is the Levenshtein distance of a and b, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
