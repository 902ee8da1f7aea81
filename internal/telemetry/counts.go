package telemetry

import (
	"cmp"
	"slices"
)

// Counts counts names, in the order of the names: days have few names, are merged often
// and are answered in that order.
type Counts []Count

// Count is how often one name occurred.
type Count struct {
	Name string
	N    int64
}

// maxNames bounds the names that a day counts separately, in EventTypes and in
// CustomEvents. Further names are counted together as otherNames, so that a bot that
// makes up names cannot grow a row without limit.
const (
	maxNames   = 1000
	otherNames = "(other)"
)

func (c Counts) find(name string) (at int, found bool) {
	return slices.BinarySearchFunc(c, name, func(c Count, name string) int { return cmp.Compare(c.Name, name) })
}

// Of is the count of a name.
func (c Counts) Of(name string) int64 {
	if at, found := c.find(name); found {
		return c[at].N
	}
	return 0
}

// add adds n to the count of a name.
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

// merge adds the counts of o.
func (c *Counts) merge(o Counts) {
	if len(*c) == 0 {
		*c = slices.Clone(o)
		return
	}
	for _, of := range o {
		c.add(of.Name, of.N)
	}
}
