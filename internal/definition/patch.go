package definition

import (
	"maps"

	"github.com/botyard/botyard/internal/wire"
)

// merge is old with a patch applied: null removes an entry, a value becomes an
// entry by way of the old one, which is zero when there was none. old is left as
// it is. A patch that sets nothing makes no map where there was none.
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
