package billing

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/engines"
	"github.com/botyard/botyard/test/explain"
)

// Whatever a request or a periodic job asks for is found by an index: books grow for
// years.
func TestStatementsUseIndexes(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		at, month := time.UnixMilli(1), monthOf(time.UnixMilli(1))
		explain.NoScans(t, d, func(ctx context.Context, q db.Querier) error {
			var errs []error
			is := func(_ any, err error) { errs = append(errs, err) }
			has := func(_ any, _ bool, err error) { errs = append(errs, err) }
			has(selectSubscription(ctx, q, "w"))
			has(selectParty(ctx, q, "w"))
			is(selectDue(ctx, q, at, "w", 10))
			is(selectRecharging(ctx, q, "w", 10))
			errs = append(errs, deleteSubscription(ctx, q, "w"))
			has(selectInvoice(ctx, q, "w", "i"))
			has(selectInvoiceOf(ctx, q, "i"))
			is(selectInvoices(ctx, q, "w", db.Page{Size: 10, After: &db.Key{At: 9}}))
			is(selectUnpaid(ctx, q, "w"))
			is(selectByStatus(ctx, q, Open, db.Key{}, 10))
			errs = append(errs, updateInvoice(ctx, q, Invoice{ID: "i"}), deleteDraft(ctx, q, "w", "i"))
			has(selectGrantByRequest(ctx, q, "w", "r"))
			is(sumGrants(ctx, q, "w", month))
			is(sumBought(ctx, q, "w", month))
			is(selectTrials(ctx, q, "w"))
			is(selectOverdueTrials(ctx, q, at, "w", 10))
			has(selectAttempt(ctx, q, "p"))
			has(selectAttemptByReference(ctx, q, "test", "r"))
			has(selectPending(ctx, q, "i"))
			has(selectRequested(ctx, q, "w", "i", "r"))
			has(selectLatest(ctx, q, "w", "i"))
			is(selectFirstRefusal(ctx, q, "w", "i"))
			errs = append(errs, updateAttempt(ctx, q, Attempt{ID: "p"}))
			is(selectWaiting(ctx, q, false, "i", 10))
			is(selectWaiting(ctx, q, true, "i", 10))
			is(countWaiting(ctx, q, at))
			_, _, err := selectDebts(ctx, q, "w")
			errs = append(errs, err)
			is(sumWaived(ctx, q, "w", month))
			errs = append(errs, deleteGrant(ctx, q, "w", "i"))
			has(selectPayer(ctx, q, "w"))
			errs = append(errs, deletePayer(ctx, q, "w"), forgetEvents(ctx, q, at))
			return errors.Join(errs...)
		})
	})
}
