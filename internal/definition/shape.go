package definition

import (
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// shape is one alternative of a schema, as a map of keywords. Local references and allOf are
// resolved, and type is a single type or absent, which means any. A schema is the union of
// its shapes; one without shapes admits no value.
type shape map[string]any

const anyType = "any"

// maxShapes is how many shapes one schema may have.
const maxShapes = 128

// keywords are the keywords that shapes keep. The others do not affect validity, or are
// resolved.
var keywords = func() map[string]bool {
	known := map[string]bool{}
	for _, keyword := range []string{
		"$ref", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
		"minLength", "maxLength", "pattern", "format", "contentEncoding", "contentMediaType",
		"items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems",
		"properties", "required", "additionalProperties", "minProperties", "maxProperties",
	} {
		known[keyword] = true
	}
	for _, keyword := range opaque {
		known[keyword] = true
	}
	return known
}()

// shapes splits a schema into its shapes; root is the document that local references point
// into. When that is too much work the budget is spent, and the result is meaningless.
func (w *walk) shapes(root, schema any, depth int) []shape {
	w.spend(1)
	if depth > maxComparisonDepth {
		*w.budget = 0
	}
	if w.spent() {
		return nil
	}
	object, is := schema.(map[string]any)
	if !is {
		if schema == false {
			return nil
		}
		return []shape{{}}
	}
	base := shape{}
	for keyword, value := range object {
		if keywords[keyword] {
			base[keyword] = value
		}
	}
	w.spend(len(object))
	target, local := resolve(root, localReference(object))
	if local {
		delete(base, "$ref")
	}
	all := w.split(base, object)
	if local {
		all = w.both(all, w.shapes(root, target, depth+1))
	}
	parts, _ := object["allOf"].([]any)
	for _, part := range parts {
		all = w.both(all, w.shapes(root, part, depth+1))
	}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		branches, _ := object[keyword].([]any)
		if len(branches) == 0 {
			continue
		}
		var either []shape
		for _, branch := range branches {
			either = append(either, w.shapes(root, branch, depth+1)...)
			if len(either) > maxShapes {
				*w.budget = 0
				return nil
			}
		}
		all = w.both(all, either)
	}
	return all
}

// split makes one shape for every type that the schema names or, when it names none, that the
// values of its enumeration have.
func (w *walk) split(base shape, object map[string]any) []shape {
	if value, is := object["const"]; is {
		base["enum"] = []any{value}
	}
	values, limited := base.values()
	types, named := typesOf(object)
	if !named {
		if !limited {
			return []shape{base}
		}
		for _, value := range values {
			types = append(types, typeOf(value))
		}
		slices.Sort(types)
		types = slices.Compact(types)
		if slices.Contains(types, "number") {
			types = slices.DeleteFunc(types, func(t string) bool { return t == "integer" })
		}
	}
	var all []shape
	for _, t := range types {
		one := maps.Clone(base)
		w.spend(len(one))
		one["type"] = t
		if one.reduce() {
			all = append(all, one)
		}
	}
	return all
}

// typesOf is the types that a schema names; named is false when it has no type keyword.
func typesOf(object map[string]any) (types []string, named bool) {
	switch t := object["type"].(type) {
	case string:
		types = []string{t}
	case []any:
		types = []string{}
		for _, one := range t {
			if name, is := one.(string); is && !slices.Contains(types, name) {
				types = append(types, name)
			}
		}
	default:
		return nil, false
	}
	if object["nullable"] == true && !slices.Contains(types, "null") {
		types = append(types, "null")
	}
	return types, true
}

func typeOf(value any) string {
	switch value := value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		if value == math.Trunc(value) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

// reduce removes the enumerated values that are not of the shape's type, and says whether the
// shape still admits anything.
func (s shape) reduce() bool {
	values, limited := s.values()
	t := s.typ()
	if !limited || t == anyType {
		return !limited || len(values) > 0
	}
	var fit []any
	for _, value := range values {
		if is := typeOf(value); is == t || is == "integer" && t == "number" {
			fit = append(fit, value)
		}
	}
	s["enum"] = fit
	return len(fit) > 0
}

// both is the intersection of two unions of shapes.
func (w *walk) both(xs, ys []shape) (all []shape) {
	for _, x := range xs {
		for _, y := range ys {
			if len(all) >= maxShapes {
				*w.budget = 0
			}
			if w.spent() {
				return nil
			}
			if joined := w.conjoin(x, y); joined != nil {
				all = append(all, joined)
			}
		}
	}
	return all
}

// conjoin is the intersection of two shapes, nil when it is empty. Values of a keyword that
// cannot be merged are kept side by side, so that a change of either is noticed.
func (w *walk) conjoin(x, y shape) shape {
	w.spend(len(x) + len(y))
	next := maps.Clone(x)
	for keyword, value := range y {
		before, stands := next[keyword]
		if !stands {
			next[keyword] = value
			continue
		}
		next[keyword] = w.conjoined(keyword, before, value)
		if next[keyword] == nil {
			return nil
		}
	}
	if !next.reduce() {
		return nil
	}
	return next
}

func (w *walk) conjoined(keyword string, x, y any) any {
	switch keyword {
	case "type":
		switch {
		case x == y || x == "integer" && y == "number":
			return x
		case x == "number" && y == "integer":
			return y
		}
		return nil
	case "enum":
		return w.common(x, y)
	case "required":
		xs, _ := x.([]any)
		ys, _ := y.([]any)
		w.spend(len(xs) + len(ys))
		return slices.Concat(xs, ys)
	case "properties":
		return w.conjoinedProperties(x, y)
	case "minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties":
		if tighter, is := pick(x, y, math.Max); is {
			return tighter
		}
	case "maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties":
		if tighter, is := pick(x, y, math.Min); is {
			return tighter
		}
	case "uniqueItems":
		return x == true || y == true
	case "items", "additionalItems", "additionalProperties":
		switch {
		case x == false || y == true:
			return x
		case y == false || x == true:
			return y
		}
		return map[string]any{"allOf": []any{x, y}}
	}
	if w.text(x) == w.text(y) {
		return x
	}
	if one, is := x.(string); is {
		if other, is := y.(string); is {
			return one + " and " + other
		}
	}
	return []any{x, y}
}

func pick(x, y any, tighter func(a, b float64) float64) (any, bool) {
	one, isOne := x.(float64)
	other, isOther := y.(float64)
	return tighter(one, other), isOne && isOther
}

// common is the values that two enumerations share. It is never nil, which conjoin would take
// for a conflict; reduce drops shapes without values.
func (w *walk) common(x, y any) any {
	xs, _ := x.([]any)
	ys, _ := y.([]any)
	in := make(map[string]bool, len(ys))
	for _, value := range ys {
		in[w.text(value)] = true
	}
	both := []any{}
	for _, value := range xs {
		if in[w.text(value)] {
			both = append(both, value)
		}
	}
	return both
}

func (w *walk) conjoinedProperties(x, y any) any {
	xs, _ := x.(map[string]any)
	ys, _ := y.(map[string]any)
	w.spend(len(xs) + len(ys))
	all := make(map[string]any, len(xs)+len(ys))
	maps.Copy(all, xs)
	for name, schema := range ys {
		if before, stands := all[name]; stands {
			schema = map[string]any{"allOf": []any{before, schema}}
		}
		all[name] = schema
	}
	return all
}

// resolve finds the target of a reference into the same document.
func resolve(root any, ref string) (target any, ok bool) {
	pointer, isFragment := strings.CutPrefix(ref, "#")
	if !isFragment {
		return nil, false
	}
	if decoded, err := url.PathUnescape(pointer); err == nil {
		pointer = decoded
	}
	if pointer == "" {
		return root, true
	}
	if pointer[0] != '/' {
		return nil, false
	}
	target = root
	for _, step := range strings.Split(pointer[1:], "/") {
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		switch node := target.(type) {
		case map[string]any:
			if target, ok = node[step]; !ok {
				return nil, false
			}
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(node) {
				return nil, false
			}
			target = node[i]
		default:
			return nil, false
		}
	}
	return target, true
}

func (s shape) typ() string {
	if t, is := s["type"].(string); is {
		return t
	}
	return anyType
}

// can says whether a value of the shape can have type t.
func (s shape) can(t string) bool {
	is := s.typ()
	return is == anyType || is == t || is == "integer" && t == "number"
}

func (s shape) values() (values []any, limited bool) {
	values, limited = s["enum"].([]any)
	return values, limited
}

func (s shape) bound(keyword string) limit {
	value, set := s[keyword].(float64)
	return limit{value: value, set: set}
}

func (s shape) lower() limit { return s.end("minimum", "exclusiveMinimum", lowest) }

func (s shape) upper() limit { return s.end("maximum", "exclusiveMaximum", highest) }

// end is the tighter bound of two keywords. In old drafts the exclusive one is a boolean.
func (s shape) end(inclusive, exclusive string, e end) limit {
	bound, strict := s.bound(inclusive), s.bound(exclusive)
	strict.exclusive = strict.set
	if s[exclusive] == true {
		bound.exclusive = bound.set
	}
	if e.narrows(strict, bound) {
		return strict
	}
	return bound
}

func (s shape) schemas(keyword string) map[string]any {
	schemas, _ := s[keyword].(map[string]any)
	return schemas
}

// required is the sorted names of the required properties.
func (s shape) required() (names []string) {
	list, _ := s["required"].([]any)
	for _, entry := range list {
		if name, is := entry.(string); is {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// others is what is said of properties that are not named: a schema, true or false. An object
// with an empty list of properties and nothing else has no other properties either: that
// is how packages declare that they have no configuration.
func (s shape) others() any {
	switch others := s["additionalProperties"].(type) {
	case bool:
		return others
	case map[string]any:
		if len(others) > 0 {
			return others
		}
	default:
		if properties, named := s["properties"].(map[string]any); named && len(properties) == 0 {
			return false
		}
	}
	return true
}

// items is the schemas of the first items, by position, and the schema of the rest.
func (s shape) items() (first []any, rest any) {
	rest = true
	if first, is := s["prefixItems"].([]any); is {
		if schema, is := s["items"]; is {
			rest = schema
		}
		return first, rest
	}
	if first, is := s["items"].([]any); is {
		if schema, is := s["additionalItems"]; is {
			rest = schema
		}
		return first, rest
	}
	if schema, is := s["items"]; is {
		rest = schema
	}
	return nil, rest
}

// typeNames lists the types of the shapes for a message.
func typeNames(shapes []shape) string {
	var names []string
	for _, s := range shapes {
		names = append(names, s.typ())
	}
	if slices.Contains(names, anyType) {
		return anyType
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), " or ")
}
