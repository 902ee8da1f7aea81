package bot

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/jobs"
)

// jobRegisterInstalls registers the instances of an integration that waited for its url,
// page by page: each page enqueues the next.
const jobRegisterInstalls = "register-installs"

const (
	// installPage is how many instances are looked at in one transaction.
	installPage = 500
	// registersPerPage is how many of them are called at most, and pageEvery how often a
	// page begins: a popular integration must not be overrun by its own deployment.
	registersPerPage = 100
	pageEvery        = time.Second
	// registersUnderWay is how many calls of a page may still be outstanding when the next
	// begins: jobs that only wait their turn would keep the server busy.
	registersUnderWay = registersPerPage / 2
	// pageTime is how long the next page waits. Calls that are still outstanding then are
	// held up by something else.
	pageTime = 10 * time.Minute
	// installsTime is enough to look at a million instances if none needs a call.
	installsTime = 30 * time.Minute
)

// EndpointChanged enqueues the registration of the instances that wait for the url of an
// integration, or for a call to its last one, or that failed there, in the transaction that
// sets the url. Registered instances stay registered: what the integration knows of them is
// their webhook, which is ours and did not change.
func (s *Service) EndpointChanged(ctx context.Context, tx *db.Tx, i id.Integration) error {
	if s.Calls == nil {
		return nil
	}
	return s.enqueueInstalls(ctx, tx, installs{Integration: i})
}

// installs is the payload of a job that registers instances: those of the integration
// after a cursor. Before is where the page that ended there began, and Since when.
type installs struct {
	Integration id.Integration `json:"integration"`
	Before      installedKey   `json:"before,omitzero"`
	After       installedKey   `json:"after,omitzero"`
	Since       time.Time      `json:"since,omitzero"`
}

// enqueueInstalls enqueues a page. Its cursor is the job's unique key, so two jobs that
// arrive at the same page become one.
func (s *Service) enqueueInstalls(ctx context.Context, tx *db.Tx, p installs, options ...jobs.Option) error {
	key := string(p.Integration)
	if p.After != (installedKey{}) {
		key += " " + string(p.After.Bot) + " " + p.After.Alias
	}
	return s.Calls.Enqueue(ctx, tx, jobRegisterInstalls, p, append(options, jobs.Unique(key))...)
}

// installedKey is an instance in the order of bots.
type installedKey struct {
	Bot   id.Bot `json:"bot"`
	Alias string `json:"alias"`
}

// registerInstalls goes through the instances of an integration, one page per
// transaction, until it has enqueued calls; the next job continues. An interrupted job
// does one page again, whose instances have at most one call waiting each.
func (s *Service) registerInstalls(ctx context.Context, job jobs.Job) error {
	var page installs
	if err := json.Unmarshal(job.Payload, &page); err != nil {
		return err
	}
	now := s.Clock.Now()
	underWay, err := countUncalled(ctx, s.DB.Reader(ctx), page)
	if err != nil {
		return db.Convert(err)
	}
	if underWay > registersUnderWay && now.Before(page.Since.Add(pageTime)) {
		return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
			return s.enqueueInstalls(ctx, tx, page, jobs.RunAt(now.Add(pageEvery)))
		})
	}
	for {
		var next *installs
		if err := s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			next, err = s.registerPage(ctx, tx, page)
			return err
		}); err != nil || next == nil {
			return err
		}
		page = *next
	}
}

// registerPage enqueues the calls of one page, and the next page. When there was nobody
// to call it returns the next page instead, which can begin at once.
func (s *Service) registerPage(ctx context.Context, tx *db.Tx, p installs) (next *installs, err error) {
	endpoint, _, err := s.Endpoints.Endpoint(ctx, tx, p.Integration)
	if err != nil || endpoint.URL == "" {
		return nil, err
	}
	rows, err := selectInstalls(ctx, tx, p.Integration, p.After, installPage)
	if err != nil {
		return nil, db.Convert(err)
	}
	last, called, err := s.registerRows(ctx, tx, p.Integration, rows)
	if err != nil || last == (installedKey{}) {
		return nil, err
	}
	now := s.Clock.Now()
	next = &installs{Integration: p.Integration, Before: p.After, After: last, Since: now}
	if called == 0 {
		return next, nil
	}
	return nil, s.enqueueInstalls(ctx, tx, *next, jobs.RunAt(now.Add(pageEvery)))
}

// registerRows enqueues calls for the due instances among rows, as many as a page allows.
// It returns the last instance it looked at, or the zero key when there are no more.
func (s *Service) registerRows(ctx context.Context, tx *db.Tx, i id.Integration, rows []calledRow) (last installedKey, called int, err error) {
	var version definition.InstallableIntegration
	for _, row := range rows {
		if called == registersPerPage {
			return last, called, nil
		}
		last = installedKey{row.bot, row.instance.Alias}
		if !row.instance.wantsURL() {
			continue
		}
		if version.ID == "" {
			// It is the same for every workspace that has it installed.
			if version, _, err = s.Catalog.Integration(ctx, tx, row.workspace, i); err != nil {
				return last, called, err
			}
		}
		to := row.instance.withURL(version)
		if err := updateStanding(ctx, tx, row.instance.Webhook, standing{to.Status, to.StatusReason}); err != nil {
			return last, called, db.Convert(err)
		}
		if !to.Due {
			continue
		}
		if err := s.enqueue(ctx, tx, jobCallInstance, order{Workspace: row.workspace, Webhook: row.instance.Webhook, Bulk: true}); err != nil {
			return last, called, err
		}
		called++
	}
	if len(rows) < installPage {
		return installedKey{}, called, nil
	}
	return last, called, nil
}

// wantsURL says whether a new url of its integration could get the instance registered. A
// pending one is not left to the call that it waits for: that may be under way to the last
// url, and what comes of it must not count.
func (i Instance) wantsURL() bool {
	return i.Enabled && (i.Status == RegistrationFailed || i.Status == Pending && i.StatusReason != noIdentifier)
}

// withURL is the instance, which wants a url, once there is one.
func (i Instance) withURL(v definition.InstallableIntegration) Instance {
	configuration := v.Configuration
	if i.ConfigurationType != nil {
		configuration = v.Configurations[*i.ConfigurationType]
	}
	if configuration.Identifier.Required && i.Identifier == "" {
		i.Status, i.StatusReason, i.Due = Pending, noIdentifier, false
		return i
	}
	i.Status, i.StatusReason, i.Due = Pending, notCalled, true
	return i
}
