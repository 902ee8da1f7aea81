package catalog

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

// parts are the names inside of a definition that a search looks at.
type parts struct {
	Actions    []string `json:"actions"`
	Interfaces []string `json:"interfaces"`
}

// noParts are the parts of an empty definition.
const noParts JSON = `{"actions":[],"interfaces":[]}`

func partsOf(i definition.Integration) parts {
	p := parts{Actions: slices.Sorted(maps.Keys(i.Actions)), Interfaces: []string{}}
	for _, implementation := range i.Interfaces {
		p.Interfaces = append(p.Interfaces, implementation.Name)
	}
	slices.Sort(p.Interfaces)
	p.Interfaces = slices.Compact(p.Interfaces)
	if p.Actions == nil {
		p.Actions = []string{}
	}
	return p
}

// Matches says where in an integration the words of a search were found.
type Matches struct {
	Name        bool     `json:"name,omitzero" doc:"Whether the name matched."`
	Title       bool     `json:"title,omitzero" doc:"Whether the title matched."`
	Description bool     `json:"description,omitzero" doc:"Whether the description matched."`
	Actions     []string `json:"actions,omitempty" doc:"The actions whose names matched."`
	Interfaces  []string `json:"interfaces,omitempty" doc:"The interfaces whose names matched."`
}

const (
	// maxWords is how many words of an integration are indexed. The description comes
	// last, so it is what is cut off.
	maxWords = 400
	// maxWord is the length, in bytes, that words are cut to, in the index as in a
	// search.
	maxWord = 64
	// maxSearched is how many different words a search can have.
	maxSearched = 10
)

// words are the words that a search finds the integration by.
func (i Integration) words() ([]string, error) {
	var p parts
	if err := wire.ParseJSON([]byte(i.Parts), &p); err != nil {
		return nil, err
	}
	all := map[string]bool{}
	add := func(text string) {
		for _, word := range indexed(text) {
			if len(all) < maxWords {
				all[word] = true
			}
		}
	}
	for _, text := range slices.Concat([]string{i.Name, i.Title}, p.Interfaces, p.Actions, []string{i.Description}) {
		add(text)
	}
	return slices.Sorted(maps.Keys(all)), nil
}

// searched are the words of a search. It finds the integrations in which every one of them
// is the prefix of some word. InvalidQuery when there are too many.
func searched(search string) ([]string, error) {
	words := split(search)
	for i, word := range words {
		words[i] = folded(word)
	}
	slices.Sort(words)
	if words = slices.Compact(words); len(words) > maxSearched {
		return nil, fault.New(fault.InvalidQuery, "The search has %d different words; at most %d are allowed.", len(words), maxSearched)
	}
	return words, nil
}

// indexed are the words of a text and, for words in camel case such as sendMessage, also
// their parts.
func indexed(text string) (words []string) {
	for _, word := range split(text) {
		words = append(words, folded(word))
		if humps := splitHumps(word); len(humps) > 1 {
			for _, hump := range humps {
				words = append(words, folded(hump))
			}
		}
	}
	return words
}

func split(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
}

// splitHumps cuts a word before every capital letter that does not follow another one.
func splitHumps(word string) (humps []string) {
	start, small := 0, false
	for i, r := range word {
		if unicode.IsUpper(r) && small {
			humps, start = append(humps, word[start:i]), i
		}
		small = !unicode.IsUpper(r)
	}
	return append(humps, word[start:])
}

func folded(word string) string {
	word = strings.ToLower(word)
	if len(word) <= maxWord {
		return word
	}
	return strings.ToValidUTF8(word[:maxWord], "")
}

// matches says where in the integration the words of a search are found.
func (i Integration) matches(search []string) (Matches, error) {
	var p parts
	if err := wire.ParseJSON([]byte(i.Parts), &p); err != nil {
		return Matches{}, err
	}
	met := func(text string) bool {
		return slices.ContainsFunc(indexed(text), func(word string) bool {
			return slices.ContainsFunc(search, func(s string) bool { return strings.HasPrefix(word, s) })
		})
	}
	only := func(texts []string) []string {
		return slices.DeleteFunc(texts, func(text string) bool { return !met(text) })
	}
	return Matches{
		Name: met(i.Name), Title: met(i.Title), Description: met(i.Description),
		Actions: only(p.Actions), Interfaces: only(p.Interfaces),
	}, nil
}

// prefixEnd is the first byte string after all that begin with prefix; nil when there is
// none. It bounds a scan of an index.
func prefixEnd(prefix []byte) []byte {
	end := slices.Clone(prefix)
	for n := len(end); n > 0; n-- {
		if end[n-1] < 0xff {
			end[n-1]++
			return end[:n]
		}
	}
	return nil
}
