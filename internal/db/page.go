package db

// Page is the requested part of a list: at most Size items after a key.
type Page struct {
	Size  int
	After *Key // nil: from the start
}

// Key is the place of an item in a list: the number it is sorted by, usually
// milliseconds, and its id, which decides between equals.
type Key struct {
	At int64
	ID string
}

// Cut shortens items, which were read with one more than the page's size, to the page,
// and returns the key of its last item if more follow.
func Cut[T any](items []T, page Page, key func(T) Key) ([]T, *Key) {
	if len(items) <= page.Size {
		return items, nil
	}
	items = items[:page.Size]
	last := key(items[len(items)-1])
	return items, &last
}
