package bot

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/jobs"
)

// The kinds of jobs that make calls. An instance or a bot has at most one of a kind at a
// time, so its calls never overlap and keep their order.
const (
	jobCallInstance = "call-instance"
	jobCallBot      = "call-bot"
)

// order is the payload of a job that makes calls.
type order struct {
	Workspace id.Workspace `json:"workspace"`
	Webhook   id.Webhook   `json:"webhook,omitempty"`
	Bot       id.Bot       `json:"bot,omitempty"`
	// Bulk says that nobody waits for the call.
	Bulk bool `json:"bulk,omitempty"`
}

const (
	// maxCalls is how often a call that may be retried is made. It is counted beside what
	// is told, not by the job: what is ordered later has all its calls, and a server that
	// dies during a call does not count it.
	maxCalls = 3
	// callsOfWorkspace is how many calls of one workspace run at a time on one server: a
	// workspace whose integrations hang must not block the others.
	callsOfWorkspace = 8
	// bulkOfWorkspace is how many of them may be calls that nobody waits for.
	bulkOfWorkspace = 6
	// busyWait is the shortest time that a call is postponed when its workspace is busy.
	// However many are postponed, they come back at least busyEvery apart: calls that wait
	// their turn must not keep the server busy.
	busyWait  = 500 * time.Millisecond
	busyEvery = 20 * time.Millisecond
)

// HandleCalls has a queue make the calls that changes of bots cause. callTime is the
// longest that one call can take.
func (s *Service) HandleCalls(q *jobs.Queue, callTime time.Duration) {
	// Retries are decided here, call by call. The policy only makes sure that no call is
	// given up because servers died.
	policy := jobs.Policy{MaxAttempts: 1 << 20, Timeout: 2*callTime + time.Minute, Backoff: time.Second, MaxBackoff: time.Minute}
	q.Handle(jobCallInstance, s.fairly(s.tellInstance), policy)
	q.Handle(jobCallBot, s.fairly(s.tellBot), policy)
	policy.Timeout = installsTime
	q.Handle(jobRegisterInstalls, s.registerInstalls, policy)
}

// calling counts the running calls of each workspace.
type calling struct {
	mu      sync.Mutex
	running map[id.Workspace]int
	// next is when the next call that finds its workspace busy comes back. It only paces
	// them: nothing is lost when a server forgets it.
	next map[postponed]time.Time
}

// postponed are the calls of a workspace that come back one after the other: those that
// nobody waits for, or the others.
type postponed struct {
	workspace id.Workspace
	bulk      bool
}

// enter takes a place for a call of a workspace, unless so many are taken.
func (c *calling) enter(w id.Workspace, most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		c.running, c.next = map[id.Workspace]int{}, map[postponed]time.Time{}
	}
	if c.running[w] >= most {
		return false
	}
	c.running[w]++
	return true
}

func (c *calling) leave(w id.Workspace) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running[w]--; c.running[w] == 0 {
		delete(c.running, w)
		delete(c.next, postponed{w, true})
		delete(c.next, postponed{w, false})
	}
}

// postpone reserves the time at which an order whose workspace is busy comes back.
func (c *calling) postpone(o order, now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	which, at := postponed{o.Workspace, o.Bulk}, now.Add(busyWait)
	if next := c.next[which]; next.After(at) {
		at = next
	}
	c.next[which] = at.Add(busyEvery)
	return at
}

// fairly is the handler of jobs that make calls. When a workspace has enough calls under
// way, it postpones the job instead of occupying a place of the queue.
func (s *Service) fairly(call func(context.Context, order) error) jobs.Handler {
	return func(ctx context.Context, job jobs.Job) error {
		var o order
		if err := json.Unmarshal(job.Payload, &o); err != nil {
			return err
		}
		most := callsOfWorkspace
		if o.Bulk {
			most = bulkOfWorkspace
		}
		if !s.calling.enter(o.Workspace, most) {
			at := s.calling.postpone(o, s.Clock.Now())
			return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
				return s.enqueue(ctx, tx, job.Kind, o, jobs.RunAt(at))
			})
		}
		defer s.calling.leave(o.Workspace)
		return call(ctx, o)
	}
}

func (s *Service) enqueue(ctx context.Context, tx *db.Tx, kind string, o order, options ...jobs.Option) error {
	key := string(o.Webhook) + string(o.Bot)
	return s.Calls.Enqueue(ctx, tx, kind, o, append(options, jobs.Unique(key))...)
}

// callInstance enqueues the calls that replacing before by next requires, in the same
// transaction.
func (in *installation) callInstance(tx *db.Tx, before, next Instance) error {
	if before.leaves(next, in.integrations[next.Integration].Name) {
		if err := in.depart(in.ctx, tx, in.bot.Workspace, in.bot.ID, before, false); err != nil {
			return err
		}
	}
	if !next.Due {
		return nil
	}
	return in.enqueue(in.ctx, tx, jobCallInstance, order{Workspace: in.bot.Workspace, Webhook: next.Webhook})
}

// callBot enqueues the call that tells a bot it was deployed, if it runs somewhere. If it
// no longer does, an earlier deployment is not called for any more.
func (s *Service) callBot(ctx context.Context, tx *db.Tx, before, b Bot) error {
	switch {
	case b.URL == "" && before.URL == "":
		return nil
	case b.URL == "":
		return db.Convert(forgetDeployed(ctx, tx, b.ID))
	}
	if err := upsertDeployed(ctx, tx, b.ID, s.Clock.Now()); err != nil {
		return db.Convert(err)
	}
	return s.enqueue(ctx, tx, jobCallBot, order{Workspace: b.Workspace, Bot: b.ID})
}

// depart stores everything that is needed to unregister an instance and enqueues the
// call; bulk says that nobody waits for it. An integration that runs nowhere is not called.
func (s *Service) depart(ctx context.Context, tx *db.Tx, w id.Workspace, bot id.Bot, i Instance, bulk bool) error {
	if !i.known() {
		return nil
	}
	endpoint, found, err := s.Endpoints.Endpoint(ctx, tx, i.Integration)
	if err != nil || !found || endpoint.URL == "" {
		return err
	}
	plain, err := json.Marshal(callee(w, bot, i, endpoint))
	if err != nil {
		return err
	}
	sealed := departedColumn.Seal(s.Keys, plain, string(i.Webhook))
	if err := upsertDeparted(ctx, tx, i.Webhook, sealed, s.Clock.Now()); err != nil {
		return db.Convert(err)
	}
	return s.enqueue(ctx, tx, jobCallInstance, order{Workspace: w, Webhook: i.Webhook, Bulk: bulk})
}

func callee(w id.Workspace, bot id.Bot, i Instance, e definition.Endpoint) definition.Callee {
	return definition.Callee{
		Endpoint: e, Workspace: w, Bot: bot, Integration: i.Integration, Alias: i.Alias, Webhook: i.Webhook,
		ConfigurationType: i.ConfigurationType, Configuration: i.Configuration,
	}
}

// departAll unregisters every instance of a bot. It comes before the bot is deleted.
func (s *Service) departAll(ctx context.Context, tx *db.Tx, w id.Workspace, bot id.Bot) error {
	installed, _, err := selectPackages(ctx, tx, bot)
	if err != nil {
		return db.Convert(err)
	}
	for _, i := range installed {
		if i.Configuration, err = s.openConfiguration(integrationConfigurationColumn, bot, i.Alias, i.Sealed); err != nil {
			return err
		}
		if err := s.depart(ctx, tx, w, bot, i, true); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) departAllOf(ctx context.Context, tx *db.Tx, w id.Workspace) error {
	bots, err := selectInstalling(ctx, tx, w)
	if err != nil {
		return db.Convert(err)
	}
	for _, bot := range bots {
		if err := s.departAll(ctx, tx, w, bot); err != nil {
			return err
		}
	}
	return nil
}

// tellInstance makes the calls that an instance waits for: first the one that unregisters
// what it was, then the one that registers what it is.
func (s *Service) tellInstance(ctx context.Context, o order) error {
	for {
		// The instance is read before what departed. If it departs after both were read, a
		// call of what was read does not count; read in the other order, it would count and
		// come before the departure.
		row, found, err := selectCalled(ctx, s.DB.Reader(ctx), o.Webhook)
		if err != nil {
			return db.Convert(err)
		}
		told, err := s.tellDeparted(ctx, o.Webhook)
		if err != nil {
			return err
		}
		switch {
		case told:
			continue // the instance may be another one by now
		case found && row.instance.Enabled && row.instance.awaitsRegistration():
			return s.register(ctx, row)
		}
		return nil
	}
}

// awaitsRegistration says whether the integration is to be called now, or was ordered to be
// when it had no url.
func (i Instance) awaitsRegistration() bool {
	return i.Status == Pending && i.StatusReason != noIdentifier
}

// register calls the integration of an instance that awaits its registration.
func (s *Service) register(ctx context.Context, row calledRow) error {
	c, err := s.calleeOf(ctx, row)
	if err != nil {
		return err
	}
	to := standing{Pending, noURL}
	if c.Endpoint.URL != "" {
		err = s.Caller.Register(ctx, c)
		if err := given(ctx, err); err != nil {
			return err
		}
		to = outcome(err, row.calls+1, Registered, RegistrationFailed, Pending)
	}
	counts := false
	if err := s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		if counts, err = updateRegistration(ctx, tx, row, to); err != nil || !counts || to.status != RegistrationFailed {
			return db.Convert(err)
		}
		return s.report(ctx, tx, row.bot, registrationIssue("integration", to.reason, map[string]string{
			"integrationAlias": c.Alias, "integrationId": string(c.Integration), "reason": to.reason,
		}))
	}); err != nil || !counts { // what came after the call began has a call of its own
		return err
	}
	return again(err, row.calls+1)
}

// calleeOf is the instance of a row with everything that a call needs.
func (s *Service) calleeOf(ctx context.Context, row calledRow) (c definition.Callee, err error) {
	i := row.instance
	if i.Configuration, err = s.openConfiguration(integrationConfigurationColumn, row.bot, i.Alias, i.Sealed); err != nil {
		return c, err
	}
	endpoint, _, err := s.Endpoints.Endpoint(ctx, s.DB.Reader(ctx), i.Integration)
	return callee(row.workspace, row.bot, i, endpoint), err
}

// tellDeparted unregisters what an instance was; told says that something was to be
// unregistered, and that it is not called for any more.
func (s *Service) tellDeparted(ctx context.Context, w id.Webhook) (told bool, err error) {
	row, found, err := selectDeparted(ctx, s.DB.Reader(ctx), w)
	if err != nil || !found {
		return false, db.Convert(err)
	}
	plain, err := departedColumn.Open(s.Keys, row.callee, string(w))
	if err != nil {
		return false, err
	}
	var c definition.Callee
	if err := json.Unmarshal(plain, &c); err != nil {
		return false, err
	}
	// An integration that has moved since is told where it runs now.
	endpoint, found, err := s.Endpoints.Endpoint(ctx, s.DB.Reader(ctx), c.Integration)
	if err != nil {
		return false, err
	}
	if found && endpoint.URL != "" {
		c.Endpoint = endpoint
	}
	err = s.Caller.Unregister(ctx, c)
	if err := given(ctx, err); err != nil {
		return false, err
	}
	to := outcome(err, row.calls+1, Unregistered, UnregistrationFailed, UnregisterPending)
	counts := false
	if err := s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		if to.status.settled() {
			counts, err = deleteDeparted(ctx, tx, row)
		} else {
			counts, err = countDepartedCall(ctx, tx, row)
		}
		if err != nil || !counts {
			return db.Convert(err)
		}
		return db.Convert(updateDeparture(ctx, tx, w, to))
	}); err != nil || !counts { // it departed again, which has a call of its own
		return err == nil, err
	}
	err = again(err, row.calls+1)
	return err == nil, err
}

// tellBot tells a bot that it was deployed. A failure becomes an issue of the bot: the API
// has no status for it.
func (s *Service) tellBot(ctx context.Context, o order) error {
	row, found, err := selectDeployed(ctx, s.DB.Reader(ctx), o.Bot)
	if err != nil || !found {
		return db.Convert(err)
	}
	err = s.callDeployed(ctx, row.Bot)
	if err := given(ctx, err); err != nil {
		return err
	}
	to := outcome(err, row.calls+1, Registered, RegistrationFailed, Pending)
	counts := false
	if err := s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		if to.status.settled() {
			counts, err = deleteDeployed(ctx, tx, row)
		} else {
			counts, err = countDeployedCall(ctx, tx, row)
		}
		if err != nil || !counts || to.status != RegistrationFailed {
			return db.Convert(err)
		}
		return s.report(ctx, tx, row.ID, registrationIssue("bot", to.reason, map[string]string{"reason": to.reason}))
	}); err != nil || !counts { // it was deployed again, which has a call of its own
		return err
	}
	return again(err, row.calls+1)
}

func (s *Service) callDeployed(ctx context.Context, b Bot) error {
	d, err := parseDefinition(b.Definition)
	if err != nil {
		return err
	}
	c := definition.Callee{Workspace: b.Workspace, Bot: b.ID, Configuration: d.Configuration.Data}
	c.Endpoint.URL, c.Endpoint.MaxExecutionTime = b.URL, b.MaxExecutionTime
	if c.Endpoint.SigningSecrets, err = s.SigningSecrets(ctx, s.DB.Reader(ctx), b.ID); err != nil {
		return err
	}
	return s.Caller.Register(ctx, c)
}

// report reports an issue of a bot to the workspace that it is in now.
func (s *Service) report(ctx context.Context, tx *db.Tx, bot id.Bot, i fault.Issue) error {
	if s.Issues == nil {
		return nil
	}
	w, err := selectWorkspace(ctx, tx, bot)
	if err != nil {
		return db.Convert(err)
	}
	return s.Issues.Report(ctx, tx, w, bot, i)
}

func registrationIssue(who, reason string, data map[string]string) fault.Issue {
	return fault.Issue{
		Code: "registration_failed", Category: fault.Configuration, Title: "The " + who + " could not be registered",
		Description: reason, Data: data, GroupBy: []string{"integrationAlias", "reason"},
	}
}

// given is the error of a call that was not the far side's: this server is shutting
// down, or failed itself. The job is retried.
func given(ctx context.Context, err error) error {
	var f *fault.Error
	if err == nil || ctx.Err() == nil && errors.As(err, &f) {
		return nil
	}
	return err
}

// again is the error of the last of so many calls if it is to be retried.
func again(err error, calls int) error {
	var f *fault.Error
	if errors.As(err, &f) && f.RetryAfter > 0 && calls < maxCalls {
		return err
	}
	return nil
}

// outcome is where a registration stands after the last of so many calls.
func outcome(err error, calls int, done, failed, pending Registration) standing {
	var f *fault.Error
	switch {
	case !errors.As(err, &f):
		return standing{done, ""}
	case again(err, calls) != nil:
		return standing{pending, f.Message + " The call is made again."}
	}
	return standing{failed, f.Message}
}

// How long settle waits between queries.
const (
	firstLook = 10 * time.Millisecond
	lastLook  = 250 * time.Millisecond
)

// settle waits for the calls that an update caused and returns the bot with their
// results. After RegistrationWait it returns the bot as it is; the calls go on. Within a
// transaction there is nothing to wait for: the calls begin when it commits.
func (s *Service) settle(ctx context.Context, b Bot) Bot {
	if _, within := s.DB.Reader(ctx).(*db.Tx); within || !slices.ContainsFunc(b.Integrations, Instance.awaitsCall) {
		return b
	}
	wait, cancel := context.WithTimeout(ctx, s.RegistrationWait)
	defer cancel()
	for look := firstLook; ; look = min(2*look, lastLook) {
		select {
		case <-wait.Done():
			return b
		case <-time.After(look):
		}
		all, err := selectStandings(wait, s.DB.Reader(wait), b.ID)
		if err != nil {
			return b // the update itself is done; getBot shows the rest
		}
		pending := false
		for n := range b.Integrations {
			i := &b.Integrations[n]
			now, found := all[i.Alias]
			if !found {
				continue // another update uninstalled it: it is not called any more
			}
			i.Status, i.StatusReason = now.status, now.reason
			pending = pending || i.awaitsCall()
		}
		if !pending {
			return b
		}
	}
}

// awaitsCall says whether the instance still has a call to come.
func (i Instance) awaitsCall() bool {
	return !i.Status.settled() && i.StatusReason != noURL && i.StatusReason != noIdentifier
}
