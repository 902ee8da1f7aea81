// Package meter counts what workspaces use and holds them to their quotas.
//
// It owns the gauges (how many bots, members and integrations a workspace has now)
// and their limits by plan. A count changes in the transaction of the change it counts, so
// it is right at every moment and a limit of N never admits N+1. It does not own
// the things that are counted.
package meter
