package exercise_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/workspace"
	"github.com/botyard/botyard/test/harness"
)

func TestMain(m *testing.M) { harness.MainOfAll(m) }

const (
	mePath         = "/v1/admin/account/me"
	patsPath       = "/v1/admin/account/pats"
	accountKeyPath = "/v1/admin/account/preferences/"
	workspacesPath = "/v1/admin/workspaces"
	spaceKeyPath   = "/v1/admin/workspaces/preferences/"
	membersPath    = "/v1/admin/workspace-members"
	botsPath       = "/v1/admin/bots"
)

// object is JSON as it came.
type object = map[string]any

var moment = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$`)

// refusal is a request that must be refused.
type refusal struct {
	name  string
	body  any
	kind  fault.Type
	words []string
}

// refuses sends each body, and then looks that nothing was changed.
func refuses(t *testing.T, a *harness.Actor, method, path string, refusals []refusal) {
	t.Helper()
	before := a.State(t)
	for _, r := range refusals {
		t.Run(r.name, func(t *testing.T) { a.Refused(t, r.kind, r.words, method, path, r.body) })
	}
	if after := a.State(t); after != before {
		t.Errorf("a refused %s %s changed something:\n%s\nwas\n%s", method, path, after, before)
	}
}

// createBot makes a bot and answers it.
func createBot(t testing.TB, a *harness.Actor, body any) object {
	t.Helper()
	var out struct{ Bot object }
	a.Do(t, "POST", botsPath, body, &out)
	return out.Bot
}

func getBot(t *testing.T, a *harness.Actor, id any) object {
	t.Helper()
	var out struct{ Bot object }
	a.Do(t, "GET", botsPath+"/"+id.(string), nil, &out)
	return out.Bot
}

func updateBot(t *testing.T, a *harness.Actor, id, body any) object {
	t.Helper()
	var out struct{ Bot object }
	a.Do(t, "PUT", botsPath+"/"+id.(string), body, &out)
	return out.Bot
}

// addMember invites an address and answers the membership's id.
func addMember(t *testing.T, a *harness.Actor, email, role string) string {
	t.Helper()
	var out struct{ ID string }
	a.Do(t, "POST", membersPath, object{"email": email, "role": role}, &out)
	return out.ID
}

// nextMoment waits for another millisecond: things of one are listed in no order
// that a test could know.
func nextMoment() { time.Sleep(2 * time.Millisecond) }

func setPlan(t *testing.T, s *harness.Server, a *harness.Actor, plan workspace.Plan) {
	t.Helper()
	if _, err := s.Billing.AssignPlan(t.Context(), workspaceID(a), plan); err != nil {
		t.Fatal(err)
	}
}

// development is the clock of a server, which can be moved.
func development(s *harness.Server) *clock.Development { return s.Clock.(*clock.Development) }

func botCount(t *testing.T, a *harness.Actor) float64 {
	t.Helper()
	var w struct{ BotCount float64 }
	a.Do(t, "GET", workspacesPath+"/"+a.Workspace, nil, &w)
	return w.BotCount
}

// long is text of n characters.
func long(n int) string { return strings.Repeat("é", n) }
