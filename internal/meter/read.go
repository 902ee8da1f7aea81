package meter

import (
	"context"
	"slices"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// Usage is how much of a type a workspace or a bot used in a month, and the workspace's
// quota. Of a gauge, Value is the value at the end of the month, or now.
type Usage struct {
	ID    string
	Month time.Time
	Type  plan.Type
	Value int64
	Limit int64 // or plan.Unlimited
}

// The bounds of one request.
const (
	maxIDs        = 100
	historyMonths = 24
)

// used reads how much of a type a workspace, or with a bot that bot, used in a month.
func (s *Service) used(ctx context.Context, q db.Querier, w id.Workspace, b id.Bot, t plan.Type, month, current time.Time) (value int64, err error) {
	switch {
	case isLimit(t):
		return 0, nil
	case t.Monthly():
		value, err = selectMonth(ctx, q, w, b, t, month)
	case month.Before(current):
		value, err = selectMonthUntil(ctx, q, w, b, t, month)
	case b != "":
		value, err = selectBotGauge(ctx, q, w, b, t)
	default:
		value, err = selectGauge(ctx, q, w, t)
	}
	return max(value, 0), db.Convert(err)
}

// measure is a type as it is counted for one subject.
type measure struct {
	subject
	of plan.Type
}

// values reads how much subjects used of types in a month, all at once. What was not used is
// missing. Gauges are as in Usage.
func (s *Service) values(ctx context.Context, q db.Querier, subjects []subject, types []plan.Type, month, current time.Time) (map[measure]int64, error) {
	values := map[measure]int64{}
	var counters, gauges []plan.Type
	for _, t := range types {
		switch {
		case isLimit(t):
		case t.Monthly():
			counters = append(counters, t)
		default:
			gauges = append(gauges, t)
		}
	}
	if len(subjects) == 0 {
		return values, nil
	}
	if err := selectSums(ctx, q, values, subjects, counters, month); err != nil {
		return nil, db.Convert(err)
	}
	read := selectGaugesOf
	if month.Before(current) {
		read = func(ctx context.Context, q db.Querier, values map[measure]int64, subjects []subject, types []plan.Type) error {
			return selectSumsUntil(ctx, q, values, subjects, types, month)
		}
	}
	return values, db.Convert(read(ctx, q, values, subjects, gauges))
}

// usages are the usages of each subject, of each type, in that order.
func (s *Service) usages(ctx context.Context, q db.Querier, subjects []subject, allowances map[id.Workspace]allowance, types []plan.Type, month, current time.Time) ([]Usage, error) {
	values, err := s.values(ctx, q, subjects, types, month, current)
	if err != nil {
		return nil, err
	}
	usages := make([]Usage, 0, len(subjects)*len(types))
	for _, who := range subjects {
		for _, t := range types {
			usages = append(usages, Usage{
				ID: who.id(), Month: month, Type: t, Value: max(values[measure{who, t}], 0), Limit: s.limit(allowances[who.workspace], t),
			})
		}
	}
	return usages, nil
}

// isLimit reports whether a type is only a limit and has no usage.
func isLimit(t plan.Type) bool {
	return t == plan.InvocationTimeout || t == plan.WorkspaceRatelimit || t == plan.FileMaxSize
}

// subject is whose usage is read: a workspace, or one of its bots.
type subject struct {
	workspace id.Workspace
	bot       id.Bot
}

func (u subject) id() string {
	if u.bot != "" {
		return string(u.bot)
	}
	return string(u.workspace)
}

// counts returns InvalidQuery when the subject is a bot and the type is not counted per bot.
func (u subject) counts(t plan.Type) error {
	if u.bot != "" && !t.PerBot() {
		return fault.New(fault.InvalidQuery, "%s is counted for workspaces only, and %q is a bot. Use the workspace's id.", t, fault.Bounded(string(u.bot)))
	}
	return nil
}

// subjectIn resolves an id to the workspace or one of its bots. ResourceNotFound for
// anything else, whether or not it exists in another workspace.
func (s *Service) subjectIn(ctx context.Context, q db.Querier, w id.Workspace, of string) (subject, error) {
	if of == string(w) {
		return subject{workspace: w}, nil
	}
	found, err := selectBotWorkspaces(ctx, q, []string{of})
	if err != nil {
		return subject{}, db.Convert(err)
	}
	if found[of] != w {
		return subject{}, noSuchSubject(of)
	}
	return subject{w, id.Bot(of)}, nil
}

func noSuchSubject(of string) error {
	return fault.New(fault.ResourceNotFound, "There is no workspace or bot %q that you may see the usage of.", fault.Bounded(of))
}

// Usage reads the usage of a workspace or of one of its bots. ResourceNotFound when the id is
// neither, InvalidQuery when it is a bot and the type is not counted per bot.
func (s *Service) Usage(ctx context.Context, w id.Workspace, of string, t plan.Type, period string) (Usage, error) {
	now := s.Clock.Now()
	month, err := parsePeriod(period, now)
	if err != nil {
		return Usage{}, err
	}
	q := s.DB.Reader(ctx)
	who, err := s.subjectIn(ctx, q, w, of)
	if err != nil {
		return Usage{}, err
	}
	if err := who.counts(t); err != nil {
		return Usage{}, err
	}
	a, err := s.allowance(ctx, q, w)
	if err != nil {
		return Usage{}, err
	}
	return s.usage(ctx, q, who, a, t, month, monthOf(now))
}

func (s *Service) usage(ctx context.Context, q db.Querier, who subject, a allowance, t plan.Type, month, current time.Time) (Usage, error) {
	value, err := s.used(ctx, q, who.workspace, who.bot, t, month, current)
	return Usage{ID: who.id(), Month: month, Type: t, Value: value, Limit: s.limit(a, t)}, err
}

// Usages reads the usage of several types for several workspaces, or for several bots, of an
// account. ResourceNotFound when the account may not see one of them, InvalidQuery when
// workspaces and bots are mixed, there are too many, or a type is not counted per bot.
func (s *Service) Usages(ctx context.Context, account id.Account, ids []string, types []plan.Type, period string) ([]Usage, error) {
	now := s.Clock.Now()
	month, err := parsePeriod(period, now)
	if err != nil {
		return nil, err
	}
	if len(ids) > maxIDs || len(types) > len(plan.Types) {
		return nil, fault.New(fault.InvalidQuery, "%d ids and %d types are too many for one request; at most %d and %d are allowed.", len(ids), len(types), maxIDs, len(plan.Types))
	}
	for _, t := range types {
		if !t.Known() {
			return nil, fault.New(fault.InvalidQuery, "There is no usage type %q; the types are %v.", fault.Bounded(string(t)), plan.Types)
		}
	}
	q := s.DB.Reader(ctx)
	subjects, allowances, err := s.subjectsOf(ctx, q, account, ids)
	if err != nil {
		return nil, err
	}
	for _, who := range subjects {
		for _, t := range types {
			if err := who.counts(t); err != nil {
				return nil, err
			}
		}
	}
	return s.usages(ctx, q, subjects, allowances, types, month, monthOf(now))
}

// subjectsOf resolves ids for an account, and reads what decides the quotas of their
// workspaces.
func (s *Service) subjectsOf(ctx context.Context, q db.Querier, account id.Account, ids []string) ([]subject, map[id.Workspace]allowance, error) {
	bots, err := selectBotWorkspaces(ctx, q, ids)
	if err != nil {
		return nil, nil, db.Convert(err)
	}
	var workspaces []id.Workspace
	subjects := make([]subject, len(ids))
	for i, of := range ids {
		if w, isBot := bots[of]; isBot {
			subjects[i] = subject{w, id.Bot(of)}
		} else {
			subjects[i] = subject{workspace: id.Workspace(of)}
		}
		workspaces = append(workspaces, subjects[i].workspace)
	}
	roles, err := selectRoles(ctx, q, account, workspaces)
	if err != nil {
		return nil, nil, db.Convert(err)
	}
	for _, who := range subjects {
		if role, member := roles[who.workspace]; !member || !role.Allows(access.WorkspaceRead) {
			return nil, nil, noSuchSubject(who.id())
		}
		if (who.bot == "") != (subjects[0].bot == "") {
			return nil, nil, fault.New(fault.InvalidQuery, "ids names workspaces and bots; name only workspaces or only bots in one request.")
		}
	}
	allowances, err := selectAllowances(ctx, q, workspaces)
	return subjects, allowances, db.Convert(err)
}

// History reads the usage of each month since the first with any, the newest first, for two
// years at most.
func (s *Service) History(ctx context.Context, w id.Workspace, of string, t plan.Type) ([]Usage, error) {
	q := s.DB.Reader(ctx)
	who, err := s.subjectIn(ctx, q, w, of)
	if err != nil {
		return nil, err
	}
	if err := who.counts(t); err != nil {
		return nil, err
	}
	a, err := s.allowance(ctx, q, w)
	if err != nil {
		return nil, err
	}
	current := monthOf(s.Clock.Now())
	u, err := s.usage(ctx, q, who, a, t, current, current)
	if err != nil {
		return nil, err
	}
	history, oldest := []Usage{u}, current.AddDate(0, 1-historyMonths, 0)
	sums, err := selectMonths(ctx, q, who, t, current)
	if err != nil {
		return nil, db.Convert(err)
	}
	// A month without a row is one in which a counter was 0, or a gauge did not change.
	for month, i := current.AddDate(0, -1, 0), 0; i < len(sums) && !month.Before(oldest); month = month.AddDate(0, -1, 0) {
		u.Month, u.Value = month, 0
		switch {
		case sums[i].month.Equal(month):
			u.Value = max(sums[i].value, 0)
			i++
		case !t.Monthly():
			u.Value = max(sums[i].value, 0)
		}
		history = append(history, u)
	}
	return history, nil
}

// ByBot is how much of a type each bot of a workspace used in a month, the largest first.
// Bots that used nothing are left out.
func (s *Service) ByBot(ctx context.Context, w id.Workspace, t plan.Type, period string) ([]BotUsage, error) {
	now := s.Clock.Now()
	month, err := parsePeriod(period, now)
	if err != nil {
		return nil, err
	}
	if !t.PerBot() {
		return nil, fault.New(fault.InvalidQuery, "%s is counted for workspaces only, not for bots.", t)
	}
	q := s.DB.Reader(ctx)
	var usages []BotUsage
	switch {
	case t.Monthly():
		usages, err = selectByBot(ctx, q, w, t, month)
	case month.Before(monthOf(now)):
		usages, err = selectByBotUntil(ctx, q, w, t, month)
	default:
		usages, err = selectBotGauges(ctx, q, w, t)
	}
	if err != nil {
		return nil, db.Convert(err)
	}
	if actor := access.From(ctx); actor.Confined {
		closed, err := selectClosed(ctx, q, w, actor.Account)
		if err != nil {
			return nil, db.Convert(err)
		}
		usages = slices.DeleteFunc(usages, func(u BotUsage) bool { return closed[u.Bot] })
	}
	slices.SortStableFunc(usages, func(a, b BotUsage) int { return int(min(max(b.Value-a.Value, -1), 1)) })
	return usages, nil
}

// BotUsage is how much one bot used.
type BotUsage struct {
	Bot   id.Bot
	Value int64
}

// Quotas reads how much a workspace is allowed of types.
func (s *Service) Quotas(ctx context.Context, w id.Workspace, period string, types ...plan.Type) ([]Usage, error) {
	month, err := parsePeriod(period, s.Clock.Now())
	if err != nil {
		return nil, err
	}
	a, err := s.allowance(ctx, s.DB.Reader(ctx), w)
	if err != nil {
		return nil, err
	}
	quotas := make([]Usage, len(types))
	for i, t := range types {
		quotas[i] = Usage{ID: string(w), Month: month, Type: t, Limit: s.limit(a, t)}
	}
	return quotas, nil
}

// All reads the usage of a workspace of each of types.
func (s *Service) All(ctx context.Context, w id.Workspace, period string, types ...plan.Type) ([]Usage, error) {
	now := s.Clock.Now()
	month, err := parsePeriod(period, now)
	if err != nil {
		return nil, err
	}
	q := s.DB.Reader(ctx)
	a, err := s.allowance(ctx, q, w)
	if err != nil {
		return nil, err
	}
	return s.usages(ctx, q, []subject{{workspace: w}}, map[id.Workspace]allowance{w: a}, types, month, monthOf(now))
}

// Completion is the quota of which a workspace has used the largest fraction.
type Completion struct {
	Type plan.Type
	Part float64 // 1 is all; more than 1 is more than allowed
}

// Completions finds, for each workspace of an account, the quota that is closest to being
// exhausted this month. Workspaces that used nothing with a limit are left out.
func (s *Service) Completions(ctx context.Context, account id.Account) (map[id.Workspace]Completion, error) {
	q, month := s.DB.Reader(ctx), monthOf(s.Clock.Now())
	allowances, err := selectAllowancesOf(ctx, q, account)
	if err != nil {
		return nil, db.Convert(err)
	}
	values, err := selectValuesOf(ctx, q, account, month)
	if err != nil {
		return nil, db.Convert(err)
	}
	most := map[id.Workspace]Completion{}
	for _, v := range values {
		a, there := allowances[v.workspace]
		if !there {
			continue
		}
		part := completion(v.value, s.limit(a, v.of))
		if have := most[v.workspace]; part > have.Part || part == have.Part && part > 0 && v.of < have.Type {
			most[v.workspace] = Completion{v.of, part}
		}
	}
	return most, nil
}
