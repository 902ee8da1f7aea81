// Package meter counts what workspaces use and holds them to their quotas.
//
// It owns the gauges (how many bots, members and integrations a workspace has now), the
// records of usage, their sums by month and by day, how a workspace's quotas differ from
// those of its plan, and the warnings about them. It does not own the things that are
// counted, the plans (package plan), or which workspace is on which plan (package
// workspace).
//
// Invariants:
//   - A gauge changes in the transaction of what it counts, so it is always exact, and
//     where a quota is enforced a limit of N never admits N+1.
//   - A usage record is counted once, however often it is reported, for as long as it is
//     remembered: for rememberedFor after it was counted.
//   - The sum of a month is that of its days. A bot that is deleted keeps its part of what
//     was used, and gives up its part of the gauges.
//   - Members, and the operator's webhook, are told of each threshold once a month.
//
// Months and days are those of UTC.
package meter
