package bot

import (
	"strings"
	"testing"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/test/engines"
	"github.com/botyard/botyard/test/explain"
)

// TestAdmissionQueries: what every request asks goes by an index on both engines,
// also the question whether a workspace has a restricted bot.
func TestAdmissionQueries(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		closed := closedQuery("account", []id.Bot{"a", "b"})
		for _, query := range []struct {
			text  string
			args  []any
			index string
		}{
			{`SELECT role, confined FROM token_roles WHERE hash = $1 AND workspace_id = $2`, []any{"h", "w"}, "bots_restricted"},
			{closed.Text(), closed.Args(), "members_by_account"},
			{selectedQuery, []any{"b"}, "bot_allowlist"},
		} {
			plan := explain.Statement(t, d, query.text, query.args).Text
			if !strings.Contains(plan, query.index) || strings.Contains(plan, "SCAN") || strings.Contains(plan, "Seq Scan") {
				t.Errorf("%s\n%s", query.text, plan)
			}
		}
	})
}
