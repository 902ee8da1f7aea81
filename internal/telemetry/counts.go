package telemetry

import (
	"cmp"
	"slices"
)

// Counts says how often each of some names was met, in the order of the names: days
// have few names, are merged often and are answered in that order.
type Counts []Count

// Count is one name and how often it was met.
type Count struct {
	Name string
	N    int64
}

// maxNames bounds the names that a day keeps apart in EventTypes and in
// CustomEvents. Names beyond are counted together as otherNames, so a bot that
// makes names up fills no row without end.
const (
	maxNames   = 1000
	otherNames = "(other)"
)

func (c Counts) find(name string) (at int, found bool) {
	return slices.BinarySearchFunc(c, name, func(c Count, name string) int { return cmp.Compare(c.Name, name) })
}

// Of is how often a name was met.
func (c Counts) Of(name string) int64 {
	if at, found := c.find(name); found {
		return c[at].N
	}
	return 0
}

// add counts a name n more times.
func (c *Counts) add(name string, n int64) {
	at, found := c.find(name)
	if !found && len(*c) >= maxNames {
		name = otherNames
		at, found = c.find(name)
	}
	if !found {
		*c = slices.Insert(*c, at, Count{Name: name})
	}
	(*c)[at].N = sum((*c)[at].N, n)
}

// merge takes in what o counts.
func (c *Counts) merge(o Counts) {
	if len(*c) == 0 {
		*c = slices.Clone(o)
		return
	}
	for _, of := range o {
		c.add(of.Name, of.N)
	}
}
