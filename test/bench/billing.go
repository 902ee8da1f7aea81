package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// closeTarget is how long closing a month may take.
const closeTarget = time.Minute

// billingFigures are those of closing one month of many workspaces.
type billingFigures struct {
	workspaces int
	elapsed    time.Duration
	// before is how many were closed when the work was broken off; the rest was done
	// by the run after it.
	before int
}

// billing closes a month of many workspaces, each with a plan and two add-ons, on an
// SQLite database that waits for its disk. It is broken off in between and begun
// again: the time is that of both.
func (b *bed) billing(ctx context.Context) (f billingFigures, err error) {
	f.workspaces = b.options.billed
	c := config.Installation{Data: filepath.Join(b.dir, "billing"), Dev: true, SQLiteSynchronous: "FULL"}
	it, err := app.Open(ctx, c, slog.New(slog.DiscardHandler))
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()

	progress("making %d workspaces that pay", f.workspaces)
	var group errgroup.Group
	group.SetLimit(64)
	all := make([]id.Workspace, f.workspaces)
	for i := range all {
		group.Go(func() error {
			made, err := it.CreateAccount(ctx, fmt.Sprintf("payer%d@example.com", i), "")
			if err != nil {
				return err
			}
			all[i] = made.Workspace
			if _, err := it.Billing.AssignPlan(ctx, made.Workspace, plan.Plus); err != nil {
				return err
			}
			_, err = it.Billing.SetAddons(ctx, made.Workspace, map[string]int64{"bot_addon": 2, "table_rows_addon": 1}, "")
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return f, err
	}
	now := it.Clock.Now()
	next := time.Date(now.Year(), now.Month()+1, 1, 0, 0, 1, 0, time.UTC)
	if _, err := it.Clock.(*clock.Development).Advance(next.Sub(now)); err != nil {
		return f, err
	}

	progress("closing their month")
	started := clock.Start()
	broken, stop := context.WithTimeout(ctx, time.Second)
	f.before, err = it.Billing.CloseMonths(broken)
	stop()
	if err != nil && broken.Err() == nil {
		return f, err
	}
	if _, err := it.Billing.CloseMonths(ctx); err != nil {
		return f, err
	}
	f.elapsed = started.Elapsed()
	for _, w := range all {
		list, _, err := it.Billing.Invoices(ctx, w, db.Page{Size: 10})
		if err != nil {
			return f, err
		}
		if len(list) != 3 || list[0].Total != 13_400 && list[1].Total != 13_400 && list[2].Total != 13_400 {
			return f, fmt.Errorf("workspace %s has %d invoices after its month was closed, want three, one of them over 134.00", w, len(list))
		}
	}
	return f, nil
}

func (r *report) writeBilling(b *strings.Builder) {
	f := r.billing
	fmt.Fprintf(b, "A month of %d workspaces with a plan and two add-ons, on SQLite with synchronous=FULL, was closed in %s (%s), %.0f workspaces a second. The work was broken off after %d of them and begun again.\n",
		f.workspaces, f.elapsed.Round(10*time.Millisecond),
		r.judge(f.elapsed < closeTarget, "< "+closeTarget.String(), fmt.Sprintf("a month of %d workspaces was closed in %s", f.workspaces, f.elapsed)),
		float64(f.workspaces)/f.elapsed.Seconds(), f.before)
}
