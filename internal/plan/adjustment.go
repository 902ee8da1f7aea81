package plan

// Adjustment is how the quota of a workspace differs from that of its plan.
type Adjustment struct {
	// Set is the operator's override of the limit, possibly Unlimited; nil when there is
	// none.
	Set *int64
	// Chosen is the limit that the members set; nil when there is none. It replaces the
	// plan's limit and never exceeds Set.
	Chosen *int64
	// Added is what add-ons and credits add to the plan's limit. It has no effect on Set
	// and Chosen.
	Added int64
}

// LimitWith is the quota of t of a workspace on a plan, or Unlimited.
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
