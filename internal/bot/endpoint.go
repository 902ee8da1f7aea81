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

// jobRegisterInstalls registers the instances of an integration that waited for its
// url. There is one of an integration at a time: when the url changes while it runs,
// it runs once more.
const jobRegisterInstalls = "register-installs"

const (
	// installPage is how many instances are looked at in one transaction.
	installPage = 500
	// registersPerSecond is how many of them are called: an integration that many bots
	// have is not to be overrun by its own deployment.
	registersPerSecond = 100
	// installsTime is enough to look at a million instances.
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
	return s.Calls.Enqueue(ctx, tx, jobRegisterInstalls, i, jobs.Unique(string(i)))
}

// installedKey is where a page of the instances of an integration begins.
type installedKey struct {
	bot   id.Bot
	alias string
}

// registerInstalls goes through the instances of an integration, page by page, each in
// a transaction. When it is broken off it begins anew, and meets those that it had
// changed as ones that wait for nothing any more.
func (s *Service) registerInstalls(ctx context.Context, job jobs.Job) error {
	var i id.Integration
	if err := json.Unmarshal(job.Payload, &i); err != nil {
		return err
	}
	began, called := s.Clock.Now(), 0
	var after installedKey
	for {
		var next installedKey
		var n int
		if err := s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			next, n, err = s.registerPage(ctx, tx, i, after, called, began)
			return err
		}); err != nil || next == (installedKey{}) {
			return err
		}
		after, called = next, called+n
	}
}

// registerPage has the due instances of one page called. It answers where the next
// page begins, nowhere when there is none, and how many it has had called.
func (s *Service) registerPage(ctx context.Context, tx *db.Tx, i id.Integration, after installedKey, called int, began time.Time) (next installedKey, n int, err error) {
	endpoint, _, err := s.Endpoints.Endpoint(ctx, tx, i)
	if err != nil || endpoint.URL == "" {
		return next, 0, err
	}
	page, err := selectInstalls(ctx, tx, i, after, installPage)
	if err != nil {
		return next, 0, db.Convert(err)
	}
	var version definition.InstallableIntegration
	for _, row := range page {
		if !row.instance.waitsForURL() {
			continue
		}
		if version.ID == "" {
			// Whoever has it installed sees the same of it.
			if version, _, err = s.Catalog.Integration(ctx, tx, row.workspace, i); err != nil {
				return next, 0, err
			}
		}
		to := row.instance.withURL(version)
		if err := updateStanding(ctx, tx, row.instance.Webhook, standing{to.Status, to.StatusReason}); err != nil {
			return next, 0, db.Convert(err)
		}
		if !to.Due {
			continue
		}
		at := began.Add(time.Duration((called+n)/registersPerSecond) * time.Second)
		if err := s.enqueue(ctx, tx, jobCallInstance, order{Workspace: row.workspace, Webhook: row.instance.Webhook}, jobs.RunAt(at)); err != nil {
			return next, 0, err
		}
		n++
	}
	if len(page) == installPage {
		last := page[len(page)-1]
		next = installedKey{last.bot, last.instance.Alias}
	}
	return next, n, nil
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
