package telemetry

import (
	"context"
	"errors"
	"testing"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/test/engines"
	"github.com/botyard/botyard/test/explain"
)

// What is made of records is found by an index, for a read and for the roll-up.
func TestInsightUsesIndexes(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		user := botUser{"b", "u"}
		lanes := []lane{{bot: "b", conversation: "c", user: "u"}, {bot: "b", conversation: "d", user: "u"}}
		explain.NoScans(t, d, func(ctx context.Context, q db.Querier) error {
			_, err1 := selectOwners(ctx, q, []id.Bot{"a", "b"})
			_, err2 := selectIssues(ctx, q, "w", "b", db.Page{Size: 10, After: &db.Key{ID: "i"}})
			_, _, err3 := selectIssue(ctx, q, "w", "b", "i")
			_, err4 := selectIssueEvents(ctx, q, "w", "b", "i")
			_, err5 := selectDays(ctx, q, "w", "b", 1, 30)
			_, err6 := selectFirstDays(ctx, q, []botUser{user, {"b", "v"}})
			_, err7 := selectSessions(ctx, q, lanes, 1)
			_, err8 := selectCursor(ctx, q, "n")
			_, err9 := selectAside(ctx, q, 1, 10)
			_, err10 := deleteAside(ctx, q, "v", []int64{1, 2})
			return errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, err9, err10, updateAside(ctx, q, "v", 1, "e", 1, 1), hastenAside(ctx, q),
				deleteTroubles(ctx, q, "v"), deleteCursor(ctx, q, "n"), deleteRetention(ctx, q, "w"))
		})
	})
}
