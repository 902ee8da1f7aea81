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

// parts are the names inside an integration that a search can meet.
type parts struct {
	Actions    []string `json:"actions"`
	Interfaces []string `json:"interfaces"`
}

// noParts are the parts of a definition of which nothing was said.
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

// Matches says where a search met an integration.
type Matches struct {
	Name        bool     `json:"name,omitzero" doc:"Whether the name matched."`
	Title       bool     `json:"title,omitzero" doc:"Whether the title matched."`
	Description bool     `json:"description,omitzero" doc:"Whether the description matched."`
	Actions     []string `json:"actions,omitempty" doc:"The actions whose names matched."`
	Interfaces  []string `json:"interfaces,omitempty" doc:"The interfaces whose names matched."`
}

const (
	// maxWords bounds what one integration adds to the index of words. The words
	// of the description come last, so they are the ones that are left out.
	maxWords = 400
	// maxWord cuts a word, in bytes; a search is cut alike.
	maxWord = 64
	// maxSearched bounds the words of one search.
	maxSearched = 10
)

// words are the words that an integration is found by.
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

// searched are the words of a search, each of which must begin a word of what is
// found. InvalidQuery when there are too many.
func searched(search string) ([]string, error) {
	words := split(search)
	for i, word := range words {
		words[i] = folded(word)
	}
	slices.Sort(words)
	if words = slices.Compact(words); len(words) > maxSearched {
		return nil, fault.New(fault.InvalidQuery, "The search has %d different words; it can have %d.", len(words), maxSearched)
	}
	return words, nil
}

// indexed are the words of a text, and of those that are written like sendMessage
// also the parts.
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

// splitHumps cuts a word before every capital that follows something else.
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

// matches says where the words of a search are met.
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

// beyond is the first text in the order of bytes that does not begin with prefix;
// nil when there is none.
func beyond(prefix []byte) []byte {
	end := slices.Clone(prefix)
	for n := len(end); n > 0; n-- {
		if end[n-1] < 0xff {
			end[n-1]++
			return end[:n]
		}
	}
	return nil
}
