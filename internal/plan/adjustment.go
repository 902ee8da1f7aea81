package plan

// Adjustment is how one workspace differs from what its plan says of a type.
type Adjustment struct {
	// Set is what the operator set instead of the plan's limit, Unlimited included;
	// nil is nothing.
	Set *int64
	// Chosen is what the workspace's members chose for themselves; nil is nothing.
	// It stands in the place of the plan's limit, and never exceeds Set.
	Chosen *int64
	// Added is what was bought beside the plan. It adds to the plan's limit alone.
	Added int64
}

// LimitWith is the most of t that a workspace on a plan is allowed, or Unlimited.
func (c *Catalog) LimitWith(which ID, t Type, a Adjustment) int64 {
	limit := c.Limit(which, t)
	if limit != Unlimited {
		limit += a.Added
	}
	if a.Set != nil {
		limit = *a.Set
	}
	if a.Chosen == nil || a.Set != nil && limit != Unlimited && limit < *a.Chosen {
		return limit
	}
	return *a.Chosen
}
