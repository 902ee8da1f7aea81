package definition

import (
	"maps"

	"github.com/botyard/botyard/internal/wire"
)

// merge is old with a patch applied: null removes an entry; for a value, become makes the new
// entry from it and the old entry, which is zero when there was none. old is not changed. A
// patch that sets nothing leaves a nil map nil.
func merge[M ~map[string]T, T, P any](old M, patch map[string]wire.Patch[P], become func(P, T) T) M {
	if len(patch) == 0 {
		return old
	}
	next := maps.Clone(old)
	for key, entry := range patch {
		value, set := entry.Get()
		if !set {
			delete(next, key)
			continue
		}
		if next == nil {
			next = M{}
		}
		next[key] = become(value, old[key])
	}
	return next
}

// sizeAfter is how many entries merge would leave.
func sizeAfter[T, P any](old map[string]T, patch map[string]wire.Patch[P]) int {
	n := len(old)
	for key, entry := range patch {
		_, stood := old[key]
		switch _, set := entry.Get(); {
		case set && !stood:
			n++
		case !set && stood:
			n--
		}
	}
	return n
}

func replace[T any](value, _ T) T { return value }

// sets is the patch that sets every entry of a map.
func sets[T, P any](entries map[string]T, patchOf func(T) P) map[string]wire.Patch[P] {
	if entries == nil {
		return nil
	}
	patch := make(map[string]wire.Patch[P], len(entries))
	for key, entry := range entries {
		patch[key] = wire.Set(patchOf(entry))
	}
	return patch
}

func same[T any](value T) T { return value }

// patched is a text after a patch; null makes it empty.
func patched(patch wire.Patch[string], old string) string {
	if patch.IsZero() {
		return old
	}
	value, _ := patch.Get()
	return value
}

// chosen is the value in a request or, when it was left out, the old one.
func chosen[T any](value *T, old T) T {
	if value == nil {
		return old
	}
	return *value
}

// present says which members a patch has.
type present []struct {
	name  string
	given bool
}

func (p present) names() (names []string) {
	for _, member := range p {
		if member.given {
			names = append(names, member.name)
		}
	}
	return names
}
