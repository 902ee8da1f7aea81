package contract

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Difference is one place where an operation is not what the contract says. Path
// leads there: request.tags.*, answer.bot.status, query.pageSize.
type Difference struct {
	Operation string
	Path      string
	What      string
}

func (d Difference) String() string { return d.Operation + " " + d.Path + ": " + d.What }

// Compare lists how got differs from what the contract wants. In an answer, two
// things may be narrower than the contract, since every client that knows the
// contract can read them: an integer where a number is promised, and a format
// where none is. What is read must be as the contract says.
//
// Whether an object with properties is closed is not compared: unknown members
// of a request are ignored, and an answer has those that are declared.
func Compare(want, got Operation) []Difference {
	c := comparison{operation: want.ID}
	if want.Method != got.Method || want.Path != got.Path {
		c.add("", "is %s %s, the contract says %s %s", got.Method, got.Path, want.Method, want.Path)
	}
	c.parameters(want.Parameters, got.Parameters)
	c.body("request", want.Request, got.Request, false)
	c.body("answer", want.Answer, got.Answer, true)
	return c.found
}

type comparison struct {
	operation string
	found     []Difference
}

func (c *comparison) add(path, format string, args ...any) {
	c.found = append(c.found, Difference{c.operation, path, fmt.Sprintf(format, args...)})
}

func (c *comparison) parameters(want, got []Parameter) {
	// Header names are compared without regard to case, as HTTP does.
	key := func(p Parameter) string {
		if p.In == "header" {
			return p.In + "." + strings.ToLower(p.Name)
		}
		return p.In + "." + p.Name
	}
	theirs, ours := map[string]Parameter{}, map[string]Parameter{}
	for _, p := range want {
		theirs[key(p)] = p
	}
	for _, p := range got {
		ours[key(p)] = p
	}
	for _, k := range slices.Sorted(maps.Keys(theirs)) {
		w := theirs[k]
		g, there := ours[k]
		if !there {
			c.add(k, "is missing")
			continue
		}
		if w.Required != g.Required {
			c.add(k, "required is %t, the contract says %t", g.Required, w.Required)
		}
		c.schema(k, w.Schema, g.Schema, false)
	}
	for _, k := range slices.Sorted(maps.Keys(ours)) {
		if _, there := theirs[k]; !there {
			c.add(k, "is not in the contract")
		}
	}
}

func (c *comparison) body(path string, want, got *Schema, answer bool) {
	switch {
	case want == nil && got == nil:
	case got == nil:
		c.add(path, "is missing")
	case want == nil:
		c.add(path, "is not in the contract")
	default:
		c.schema(path, want, got, answer)
	}
}

func (c *comparison) schema(path string, want, got *Schema, answer bool) {
	if want.Type != got.Type && !(answer && want.Type == "number" && got.Type == "integer") {
		c.add(path, "type is %s, the contract says %s", named(got.Type), named(want.Type))
		return
	}
	if want.Nullable != got.Nullable {
		c.add(path, "nullable is %t, the contract says %t", got.Nullable, want.Nullable)
	}
	format := got.Format
	if slices.Contains([]string{"int32", "int64", "float", "double"}, format) {
		format = "" // the size of a Go number, which says nothing about JSON
	}
	if want.Format != format && !(answer && want.Format == "") {
		c.add(path, "format is %s, the contract says %s", named(format), named(want.Format))
	}
	if want.Pattern != got.Pattern {
		c.add(path, "pattern is %s, the contract says %s", named(got.Pattern), named(want.Pattern))
	}
	if w, g := values(want.Enum), values(got.Enum); !slices.Equal(w, g) {
		c.add(path, "enum is %s, the contract says %s", g, w)
	}
	for _, limit := range []struct {
		name      string
		want, got *float64
	}{
		{"minLength", want.MinLength, got.MinLength}, {"maxLength", want.MaxLength, got.MaxLength},
		{"minimum", want.Minimum, got.Minimum}, {"maximum", want.Maximum, got.Maximum},
		{"minItems", want.MinItems, got.MinItems}, {"maxItems", want.MaxItems, got.MaxItems},
	} {
		if w, g := bound(limit.want), bound(limit.got); w != g {
			c.add(path, "%s is %s, the contract says %s", limit.name, g, w)
		}
	}
	if want.ExclusiveMinimum != got.ExclusiveMinimum || want.ExclusiveMaximum != got.ExclusiveMaximum {
		c.add(path, "whether its bounds are exclusive differs from the contract")
	}
	if len(want.OneOf)+len(want.AnyOf)+len(want.AllOf) > 0 || len(got.OneOf)+len(got.AnyOf)+len(got.AllOf) > 0 || want.Not != nil || got.Not != nil {
		c.add(path, "oneOf, anyOf, allOf and not are not compared; say it without them")
	}
	switch {
	case want.Items != nil && got.Items != nil:
		c.schema(path+".[]", want.Items, got.Items, answer)
	case (want.Items == nil) != (got.Items == nil):
		c.add(path, "has items on one side only")
	}
	if want.Type == "object" {
		c.object(path, want, got, answer)
	}
}

func (c *comparison) object(path string, want, got *Schema, answer bool) {
	for _, name := range slices.Sorted(maps.Keys(want.Properties)) {
		g, there := got.Properties[name]
		if !there {
			c.add(path+"."+name, "is missing")
			continue
		}
		if w, g := slices.Contains(want.Required, name), slices.Contains(got.Required, name); w != g {
			c.add(path+"."+name, "required is %t, the contract says %t", g, w)
		}
		c.schema(path+"."+name, want.Properties[name], g, answer)
	}
	for _, name := range slices.Sorted(maps.Keys(got.Properties)) {
		if _, there := want.Properties[name]; !there {
			c.add(path+"."+name, "is not in the contract")
		}
	}
	w, g := additional(want), additional(got)
	switch {
	case w.Schema != nil && g.Schema != nil:
		c.schema(path+".*", w.Schema, g.Schema, answer)
	case w.Schema != nil || g.Schema != nil:
		c.add(path, "its values have a type on one side only")
	case w.Any != g.Any && len(want.Properties) == 0:
		c.add(path, "open is %t, the contract says %t", g.Any, w.Any)
	}
}

// additional is what may stand beside the properties; said of nothing, anything.
func additional(s *Schema) Additional {
	if s.Additional == nil {
		return Additional{Any: true}
	}
	return *s.Additional
}

// values are an enum's, sorted; null is nullable's matter.
func values(enum []any) []string {
	var all []string
	for _, v := range enum {
		if v == nil {
			continue
		}
		text, _ := json.Marshal(v) // it was just read from JSON
		all = append(all, string(text))
	}
	slices.Sort(all)
	return all
}

func named(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func bound(n *float64) string {
	if n == nil {
		return "none"
	}
	return fmt.Sprint(*n)
}
