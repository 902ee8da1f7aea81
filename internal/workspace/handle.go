package workspace

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/botyard/botyard/internal/fault"
)

// handlePattern is the form of a handle: what packages are published under, as in
// handle/name. It is at least three characters long.
var handlePattern = regexp.MustCompile(`^[0-9a-z][a-z0-9-_]+[0-9a-z]$`)

const maxHandle = 64

func isHandle(handle string) bool {
	return len(handle) <= maxHandle && handlePattern.MatchString(handle)
}

func checkHandle(handle string) error {
	if !isHandle(handle) {
		return fault.New(fault.InvalidPayload, "%q cannot be a handle: a handle has 3 to %d of the characters a-z 0-9 - _ and begins and ends with a letter or a digit.", fault.Bounded(handle), maxHandle)
	}
	return nil
}

func handleTaken(handle string) error {
	return fault.New(fault.AlreadyExists, "The handle %q is taken by another workspace. checkHandleAvailability suggests free ones.", handle)
}

// Availability says whether a handle is free.
type Availability struct {
	Available bool
	// Suggestions are free handles similar to a taken one; none when it is free.
	Suggestions []string
	// UsedBy is the workspace that has the handle, if the caller may know it.
	UsedBy string
}

const (
	maxSuggestions = 3
	// maxStem leaves room for a number and keeps suggestions within the 50
	// characters that checkHandleAvailability takes.
	maxStem = 40
)

// candidates are valid handles that resemble an unavailable one, the most similar first.
// None of them is the handle itself.
func candidates(handle string) []string {
	stem := stemOf(handle)
	var near []string
	add := func(candidate string) {
		if candidate != handle && isHandle(candidate) {
			near = append(near, candidate)
		}
	}
	add(stem)
	for n := 2; n <= 30; n++ {
		add(stem + "-" + strconv.Itoa(n))
	}
	for n := 100; n <= 1_000_000_000; n *= 10 {
		add(stem + "-" + strconv.Itoa(n))
	}
	return near
}

// stemOf is what is left of a text when it is made the beginning of a handle.
func stemOf(text string) string {
	stem := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return -1
	}, strings.ToLower(text))
	stem = strings.TrimLeft(stem, "-_")
	stem = strings.TrimRight(stem[:min(len(stem), maxStem)], "-_")
	if stem == "" {
		return "workspace"
	}
	return stem
}

// suggest picks the free ones of the candidates, few enough to choose from.
func suggest(near []string, taken map[string]bool) []string {
	free := []string{}
	for _, candidate := range near {
		if len(free) < maxSuggestions && !taken[candidate] {
			free = append(free, candidate)
		}
	}
	return free
}
