package workspace

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/botyard/botyard/internal/fault"
)

func TestHandleForm(t *testing.T) {
	for handle, want := range map[string]bool{
		"acme": true, "a-b": true, "0_9": true, "a--b": true, strings.Repeat("a", maxHandle): true,
		"": false, "a": false, "ab": false, "-ab": false, "ab-": false, "_ab": false, "Acme": false, "a b": false,
		"a/b": false, "acmé": false, "acme\n": false, strings.Repeat("a", maxHandle+1): false,
	} {
		if got := checkHandle(handle) == nil; got != want {
			t.Errorf("handle %q is taken: %v, want %v", handle, got, want)
		}
	}
	if err := checkHandle("A"); !fault.Is(err, fault.InvalidPayload) {
		t.Errorf("a bad handle answers %v, want InvalidPayload", err)
	}
}

// asked is what checkHandleAvailability takes, so that a suggestion can be asked for.
var asked = regexp.MustCompile(`^[a-z0-9-_]{1,50}$`)

func checkSuggestions(t interface{ Fatalf(string, ...any) }, handle string, taken map[string]bool) {
	near := candidates(handle)
	if len(near) < maxSuggestions {
		t.Fatalf("%q has only the candidates %q", handle, near)
	}
	free := suggest(near, taken)
	if len(free) > maxSuggestions {
		t.Fatalf("%q gets %d suggestions, want %d at most", handle, len(free), maxSuggestions)
	}
	seen := map[string]bool{handle: true}
	for _, suggestion := range free {
		if !isHandle(suggestion) || !asked.MatchString(suggestion) {
			t.Fatalf("%q gets the suggestion %q, which would be refused", handle, suggestion)
		}
		if taken[suggestion] || seen[suggestion] {
			t.Fatalf("%q gets the suggestion %q, which is taken or comes twice", handle, suggestion)
		}
		seen[suggestion] = true
	}
}

func TestSuggestionsCanBeHad(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		handle := rapid.StringMatching(`[a-z0-9_-]{1,50}`).Draw(t, "handle")
		taken := map[string]bool{handle: true}
		for _, candidate := range candidates(handle) {
			taken[candidate] = rapid.Bool().Draw(t, candidate)
		}
		checkSuggestions(t, handle, taken)
	})
}

func TestSuggestWithoutAnyFree(t *testing.T) {
	taken := map[string]bool{}
	near := candidates("acme")
	for _, candidate := range near {
		taken[candidate] = true
	}
	if free := suggest(near, taken); free == nil || len(free) != 0 {
		t.Errorf("suggestions are %#v, want an empty list", free)
	}
}

func FuzzSuggestions(f *testing.F) {
	for _, seed := range []string{"acme", "a", "-", "___", "acme-2", strings.Repeat("-x", 25), strings.Repeat("9", 60), "Ünïcode", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, handle string) {
		checkSuggestions(t, handle, map[string]bool{handle: true})
	})
}
