// Package meter counts what workspaces use and holds them to their quotas.
//
// It owns the gauges (how many bots, members and integrations a workspace has now),
// the records of what was used, their sums by month and by day, what a workspace's
// quotas differ in from those of its plan, and the warnings about them. It does not
// own the things that are counted, the plans (package plan), nor which workspace is
// on which (package workspace).
//
// Invariants:
//   - A count changes in the transaction of the change it counts, so it is right at
//     every moment, and where a quota is enforced a limit of N never admits N+1.
//   - A record of usage is counted once, however often it comes, as long as it is
//     remembered: for rememberedFor after it was counted.
//   - The sums of a month are those of its days; a workspace's are at least those of
//     its bots. A bot that is deleted keeps its part of what was used, and gives back
//     its part of the gauges.
//   - A member, and the operator's webhook, are told of a threshold once in a month.
//
// Months and days are those of UTC.
package meter
