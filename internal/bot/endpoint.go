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
// one page after the other: each page enqueues the next.
const jobRegisterInstalls = "register-installs"

const (
	// installPage is how many instances are looked at in one transaction.
	installPage = 500
	// registersPerPage is how many of them are called at most, and pageEvery how often a
	// page begins: an integration that many bots have is not to be overrun by its own
	// deployment.
	registersPerPage = 100
	pageEvery        = time.Second
	// registersUnderWay is how many calls of a page may still be under way when the next
	// begins: jobs that only wait for a place would keep the server busy.
	registersUnderWay = registersPerPage / 2
	// pageTime is how long a page is waited for. Calls that take longer are held up by
	// something else.
	pageTime = 10 * time.Minute
	// installsTime is enough to look at a million instances of which none is called.
	installsTime = 30 * time.Minute
)

// EndpointChanged has the instances of an integration registered that wait for a url,
// or failed at the one it had, in the transaction that gave it one. Those that are
// registered stay so: what the integration knows of them is their webhook, and that is
// ours and did not change.
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

// enqueueInstalls has a page registered. A job that is there already, or runs, is
// wanted again; two that come to the same page are one.
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

// registerInstalls goes through the instances of an integration, page by page, each in
// a transaction, up to one that has calls made; the rest is the next job's. When it is
// broken off it begins anew, and meets those that it had changed as ones that wait for
// nothing any more.
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

// registerPage has the due instances of one page called, and enqueues the next page. It
// answers the next page instead when that can begin at once, because there was nobody
// to call.
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

// registerRows has the due instances among rows called, as many as a page allows. It
// answers where it stopped, which is nowhere when there are no more instances.
func (s *Service) registerRows(ctx context.Context, tx *db.Tx, i id.Integration, rows []calledRow) (last installedKey, called int, err error) {
	var version definition.InstallableIntegration
	for _, row := range rows {
		if called == registersPerPage {
			return last, called, nil
		}
		last = installedKey{row.bot, row.instance.Alias}
		if !row.instance.waitsForURL() {
			continue
		}
		if version.ID == "" {
			// Whoever has it installed sees the same of it.
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

// waitsForURL says whether an instance would be registered if its integration ran
// somewhere, or somewhere else.
func (i Instance) waitsForURL() bool {
	return i.Enabled && (i.Status == RegistrationFailed || i.Status == Pending && i.StatusReason == noURL)
}

// withURL is an instance that waits for a url where it stands when there is one.
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
