package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// Retention is for how many days records are kept, unless a workspace has its own numbers.
type Retention struct{ Logs, Events int64 }

// DefaultRetention is that of Botpress Cloud: log lines for 30 days, everything else for
// 90.
var DefaultRetention = Retention{Logs: 30, Events: 90}

// orDefault replaces zeros by the defaults.
func (r Retention) orDefault() Retention {
	return Retention{cmp.Or(r.Logs, DefaultRetention.Logs), cmp.Or(r.Events, DefaultRetention.Events)}
}

// maxRetention bounds a retention.
const maxRetention = 3650

// Check answers InvalidPayload when a number is out of range.
func (r Retention) Check() error {
	for class, days := range map[Class]int64{Logs: r.Logs, Events: r.Events} {
		if days < 1 || days > maxRetention {
			return fault.New(fault.InvalidPayload, "The retention of %s is %d days; it must be from 1 to %d.", class, days, maxRetention)
		}
	}
	return nil
}

func (r Retention) of(class Class) int64 {
	if class == Logs {
		return r.Logs
	}
	return r.Events
}

// retention knows for how long the records of each workspace are kept. The workspaces' own
// numbers are cached for retentionEvery.
type retention struct {
	db      *db.DB
	clock   clock.Clock
	general Retention

	mu   sync.Mutex
	own  map[Class]map[id.Workspace]int64
	read time.Time
}

const retentionEvery = 10 * time.Second

func (r *retention) all(ctx context.Context) (map[Class]map[id.Workspace]int64, error) {
	now := r.clock.Now()
	r.mu.Lock()
	own, age := r.own, now.Sub(r.read)
	r.mu.Unlock()
	if own != nil && age >= 0 && age < retentionEvery {
		return own, nil
	}
	own = map[Class]map[id.Workspace]int64{}
	for _, class := range classes {
		var err error
		if own[class], err = selectRetention(ctx, r.db.Reader(ctx), class); err != nil {
			return nil, db.Convert(err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.own, r.read = own, now
	return own, nil
}

// since is the oldest timestamp that a workspace still keeps.
func (r *retention) since(ctx context.Context, w id.Workspace, class Class) (time.Time, error) {
	own, err := r.all(ctx)
	if err != nil {
		return time.Time{}, err
	}
	days, set := own[class][w]
	if !set {
		days = r.general.of(class)
	}
	return r.clock.Now().Add(-time.Duration(days) * 24 * time.Hour), nil
}

// bound restricts a filter to what the workspace still keeps. Older records are hidden
// even when they have not been deleted yet.
func (r *retention) bound(ctx context.Context, w id.Workspace, f *Filter, class Class) error {
	since, err := r.since(ctx, w, class)
	if f.From.Before(since) {
		f.From = since
	}
	return err
}

// SetRetention gives a workspace its own retention; a number that is 0 stays as it is. A
// longer one does not bring back records that are gone. It is for the operator: no
// operation of the API calls it. InvalidPayload when a number is out of range or none is
// given, ResourceNotFound when there is no such workspace.
func (s *Service) SetRetention(ctx context.Context, w id.Workspace, own Retention) error {
	if own == (Retention{}) {
		return fault.New(fault.InvalidPayload, "Neither a retention of %s nor one of %s is given; say for how many days, from 1 to %d, the workspace keeps one of them.", Logs, Events, maxRetention)
	}
	// The defaults are in range.
	if err := own.orDefault().Check(); err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		there, err := selectKeeps(ctx, tx, w)
		if err != nil {
			return db.Convert(err)
		}
		if !there {
			return access.NoSuchWorkspace(w)
		}
		for _, class := range classes {
			days := own.of(class)
			if days == 0 {
				continue
			}
			if err := putRetention(ctx, tx, w, class, days); err != nil {
				return db.Convert(err)
			}
			if err := s.trail.Record(ctx, tx, w, access.Act{
				Action: "UPDATE_WORKSPACE", Resource: string(w), Value: fmt.Sprintf("retention of %s=%d days", class, days),
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Expire drops the volumes that are older than anyone's retention, and deletes from the
// others the records of workspaces with a shorter one.
func (s *Service) Expire(ctx context.Context) error {
	own, err := s.keeping.all(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, class := range classes {
		general := s.keeping.general.of(class)
		longest := general
		for _, days := range own[class] {
			longest = max(longest, days)
		}
		days, err := s.blocks.archive.days(ctx, class)
		if err != nil {
			return err
		}
		if class == Events {
			// The rows that a late record can change are kept as long as records are taken, and
			// a day and a session longer.
			errs = append(errs, s.forget(ctx, s.clock.Now().Add(-time.Duration(longest+2)*dayLength)))
		}
		for _, day := range days {
			age := s.blocks.today() - day
			if age > longest {
				errs = append(errs, s.dropVolume(ctx, class, day))
			} else {
				errs = append(errs, s.thin(ctx, class, day, age, general, own[class]))
			}
		}
	}
	return errors.Join(errs...)
}

func (s *Service) dropVolume(ctx context.Context, class Class, day int64) error {
	if err := s.blocks.archive.drop(ctx, class, day); err != nil {
		return fmt.Errorf("%s cannot be dropped: %w", volumeName(class, day), err)
	}
	s.log.InfoContext(ctx, "telemetry is older than its retention and was dropped", "day", volumeName(class, day))
	return s.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := deleteTroubles(ctx, tx, volumeName(class, day)); err != nil {
			return err
		}
		return deleteCursor(ctx, tx, cursorName(&volume{class: class, day: day}))
	})
}

// thin deletes the records of the workspaces whose retention is shorter than the age of
// the volume.
func (s *Service) thin(ctx context.Context, class Class, day, age, general int64, own map[id.Workspace]int64) error {
	shorter := age > general
	for _, days := range own {
		shorter = shorter || age > days
	}
	if !shorter {
		return nil
	}
	err := s.blocks.withVolume(ctx, class, day, func(v *volume) error {
		workspaces, err := selectWorkspaces(ctx, v.reader(ctx), v)
		if err != nil {
			return err
		}
		emptied := false
		for _, w := range workspaces {
			days, set := own[w]
			if !set {
				days = general
			}
			if age <= days {
				continue
			}
			if err := v.exclusive(ctx, func(ctx context.Context, tx *db.Tx) error {
				n, err := deleteOwned(ctx, tx, v, Owner{Workspace: w})
				emptied = emptied || n > 0
				return err
			}); err != nil {
				return err
			}
		}
		if !emptied {
			return nil
		}
		return s.blocks.archive.tidy(ctx, v)
	})
	if errors.Is(err, errDropped) {
		return nil
	}
	return err
}
