package matrix_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/harness"
)

// stage is a running server that scenes are played on.
type stage struct{ *harness.Server }

// people numbers those of this process.
var people atomic.Int64

// person makes an account with a workspace of its own.
func (s stage) person(ctx context.Context) (app.Welcome, error) {
	return s.CreateAccount(ctx, fmt.Sprintf("matrix%d@example.com", people.Add(1)), "")
}

// ask sends one request; an empty body is none.
func (s stage) ask(ctx context.Context, token, workspace, method, path, body string) (status int, said map[string]any, err error) {
	var content any
	if body != "" {
		content = body
	}
	caller := harness.Actor{Client: s.Client, Token: token, Workspace: workspace}
	answer, err := caller.Try(ctx, method, path, content)
	if err != nil {
		return 0, nil, err
	}
	// An answer that is a list says nothing that a request is made of.
	var all any
	err = json.Unmarshal(answer.Body, &all)
	said, _ = all.(map[string]any)
	return answer.Status, said, err
}

// actor is a kind of caller.
type actor string

const (
	nobody   actor = "none"     // sends no token
	garbage  actor = "garbage"  // sends what is no token
	deleted  actor = "deleted"  // sends a token of the owner that was deleted
	expired  actor = "expired"  // sends a token of the owner that expired
	stranger actor = "stranger" // is the owner of another workspace
	// neighbour is a stranger who names the own workspace and a foreign object.
	neighbour actor = "neighbour"
	invitee   actor = "invitee" // is not the one that an invitation is for
	// shutOut is a manager whom the allowlist of every bot keeps out.
	shutOut actor = "shut out"
	botKey  actor = "bot key" // is a bot of the workspace
	// debtor is the owner, whose workspace is blocked for unpaid invoices.
	debtor actor = "blocked"
	intKey actor = "integration key"
)

var actors = []actor{
	nobody, garbage, deleted, expired, stranger, neighbour, invitee,
	actor(access.Viewer), actor(access.Billing), actor(access.Developer), actor(access.Manager), actor(access.Administrator), actor(access.Owner), shutOut,
	botKey, intKey, debtor,
}

// scene is a workspace, its owner and one caller, made for one request.
type scene struct {
	stage
	ctx       context.Context
	owner     app.Welcome
	workspace string
	caller    app.Welcome // the owner, where the actor is no person
	token     string      // what the caller sends
	header    string      // the workspace that the caller names
	member    string      // the caller's membership, when it has one
}

func (s stage) scene(ctx context.Context, who actor) (*scene, error) {
	owner, err := s.person(ctx)
	if err != nil {
		return nil, err
	}
	sc := &scene{stage: s, ctx: ctx, owner: owner, workspace: string(owner.Workspace), header: string(owner.Workspace), caller: owner}
	switch who {
	case nobody:
	case garbage:
		sc.token = "bp_pat_garbage"
	case deleted, expired, botKey, intKey:
		sc.token, err = sc.key(who)
	case actor(access.Owner), debtor:
		sc.token = owner.Token
		var me map[string]any
		if me, err = sc.asOwner(http.MethodGet, "/v1/admin/workspace-members/me", ""); err == nil {
			sc.member = me["id"].(string)
		}
	default:
		if sc.caller, err = s.person(ctx); err != nil {
			return nil, err
		}
		sc.token = sc.caller.Token
		switch who {
		case stranger:
		case neighbour:
			sc.header = string(sc.caller.Workspace)
		case shutOut:
			sc.member, err = sc.invite(sc.caller.Account.Email, access.Manager)
		case invitee:
			_, err = sc.invite("somebody.else@example.com", access.Viewer)
		default:
			sc.member, err = sc.invite(sc.caller.Account.Email, access.Role(who))
		}
	}
	return sc, err
}

// key makes the token of a caller that has none of its own.
func (sc *scene) key(who actor) (value string, err error) {
	err = sc.DB.Tx(sc.ctx, func(ctx context.Context, tx *db.Tx) error {
		switch who {
		case expired:
			_, value, err = sc.Tokens.CreatePAT(ctx, tx, sc.owner.Account.ID, "expired", sc.Server.Clock.Now().Add(-time.Hour))
		case botKey:
			_, value, err = sc.Tokens.CreateKey(ctx, tx, access.BAK, sc.owner.Workspace, "bot", "a bot's")
		case intKey:
			_, value, err = sc.Tokens.CreateKey(ctx, tx, access.IAK, sc.owner.Workspace, "integration", "an integration's")
		default:
			var t access.Token
			if t, value, err = sc.Tokens.CreatePAT(ctx, tx, sc.owner.Account.ID, "deleted", time.Time{}); err != nil {
				return err
			}
			return sc.Tokens.DeletePAT(ctx, sc.owner.Account.ID, t.ID)
		}
		return err
	})
	return value, err
}

// close lets nobody into the bots of the workspace but its owner and administrators,
// and answers their ids.
func (sc *scene) close() (bots []string, err error) {
	for _, dev := range []string{"false", "true"} {
		answer, err := sc.asOwner(http.MethodGet, "/v1/admin/bots?dev="+dev, "")
		if err != nil {
			return nil, err
		}
		for _, item := range answer["bots"].([]any) {
			bot := item.(map[string]any)["id"].(string)
			if _, err := sc.asOwner(http.MethodPut, "/v1/admin/bots/"+bot+"/allowlist", `{"setting":"SELECTED_USERS"}`); err != nil {
				return nil, err
			}
			bots = append(bots, bot)
		}
	}
	return bots, nil
}

// asOwner asks as the owner, to set the scene.
func (sc *scene) asOwner(method, path, body string) (map[string]any, error) {
	return sc.as(sc.owner.Token, method, path, body)
}

func (sc *scene) as(token, method, path, body string) (map[string]any, error) {
	status, answer, err := sc.ask(sc.ctx, token, sc.workspace, method, path, body)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s %s answered %d: %v", method, path, status, answer["message"])
	}
	return answer, err
}

// invite adds a member and answers the membership.
func (sc *scene) invite(email string, role access.Role) (member string, err error) {
	answer, err := sc.asOwner(http.MethodPost, "/v1/admin/workspace-members", fmt.Sprintf(`{"email":%q,"role":%q}`, email, role))
	if err != nil {
		return "", err
	}
	return answer["id"].(string), nil
}

// bot makes a bot as its owner and answers its id.
func (sc *scene) bot() (string, error) { return sc.botOf(sc.owner.Token) }

func (sc *scene) botOf(token string) (string, error) {
	answer, err := sc.as(token, http.MethodPost, "/v1/admin/bots", `{"name":"Bot"}`)
	if err != nil {
		return "", err
	}
	return answer["bot"].(map[string]any)["id"].(string), nil
}

// pat makes an access token of the caller and answers its id.
func (sc *scene) pat() (tokenID string, err error) {
	err = sc.DB.Tx(sc.ctx, func(ctx context.Context, tx *db.Tx) error {
		t, _, err := sc.Tokens.CreatePAT(ctx, tx, sc.caller.Account.ID, "another", time.Time{})
		tokenID = string(t.ID)
		return err
	})
	return tokenID, err
}

// handle gives the owner's workspace one, and answers it.
func (sc *scene) handle() (string, error) {
	handle := strings.ToLower(strings.TrimPrefix(sc.workspace, "wkspace_"))
	_, err := sc.asOwner(http.MethodPut, "/v1/admin/workspaces/"+sc.workspace, fmt.Sprintf(`{"handle":%q}`, handle))
	return handle, err
}

// publish makes a package of a kind as somebody and answers its id and its name, as
// it stands in a path; more are members of the body.
func (sc *scene) publish(token, kind, more string) (packageID, name string, err error) {
	handle, err := sc.handle()
	if err != nil {
		return "", "", err
	}
	body := fmt.Sprintf(`{"name":"%s/thing","version":"1.0.0"%s}`, handle, more)
	answer, err := sc.as(token, http.MethodPost, "/v1/admin/"+kind+"s", body)
	if err != nil {
		return "", "", err
	}
	return answer[kind].(map[string]any)["id"].(string), handle + "%2Fthing", nil
}

// botKeyOf makes a key of a bot of the owner, and answers the key's id and the bot's.
func (sc *scene) botKeyOf() (key, of string, err error) {
	if of, err = sc.bot(); err != nil {
		return "", "", err
	}
	answer, err := sc.asOwner(http.MethodPost, "/v1/admin/bots/baks", fmt.Sprintf(`{"botId":%q}`, of))
	if err != nil {
		return "", "", err
	}
	return answer["id"].(string), of, nil
}

// webchat is the name of the integration that the stage's server takes for it.
const webchat = "webchat"

// botWith makes a bot of the owner that has an integration installed: one of the
// name, which is then the platform's, or one of the owner's own.
func (sc *scene) botWith(name string) (bot, integration string, err error) {
	if bot, err = sc.bot(); err != nil {
		return "", "", err
	}
	if name != "" {
		integration, err = sc.platformIntegration(name)
	} else {
		integration, _, err = sc.publish(sc.owner.Token, "integration", noDefinition)
	}
	if err != nil {
		return "", "", err
	}
	_, err = sc.asOwner(http.MethodPut, "/v1/admin/bots/"+bot, fmt.Sprintf(`{"integrations":{"one":{"integrationId":%q}}}`, integration))
	return bot, integration, err
}

// platformIntegration is a public integration of the platform's; the first scene
// that needs it publishes it.
func (sc *scene) platformIntegration(name string) (integration string, err error) {
	platform, _, err := sc.Workspaces.Platform(sc.ctx, sc.DB.Reader(sc.ctx))
	if err != nil {
		return "", err
	}
	body := fmt.Sprintf(`{"name":%q,"version":"1.0.0","visibility":"public"}`, name)
	status, said, err := sc.ask(sc.ctx, harness.OwnerToken, string(platform), http.MethodPost, "/v1/admin/integrations", body)
	if err != nil || status != http.StatusOK && status != http.StatusConflict {
		return "", fmt.Errorf("publishing %s answered %d %v (%w)", name, status, said["message"], err)
	}
	status, said, err = sc.ask(sc.ctx, harness.OwnerToken, string(platform), http.MethodGet, "/v1/admin/integrations/"+name+"/1.0.0", "")
	if err != nil || status != http.StatusOK {
		return "", fmt.Errorf("reading %s answered %d (%w)", name, status, err)
	}
	return said["integration"].(map[string]any)["id"].(string), nil
}

// otherWorkspace is a workspace in which the caller may make bots, and which is not
// the scene's.
func (sc *scene) otherWorkspace() (string, error) {
	if sc.caller.Workspace != sc.owner.Workspace {
		return string(sc.caller.Workspace), nil
	}
	answer, err := sc.as(sc.owner.Token, http.MethodPost, "/v1/admin/workspaces", `{"name":"Other"}`)
	if err != nil {
		return "", err
	}
	return answer["id"].(string), nil
}

// integrationKey makes a key of an integration of the owner, and answers the key's
// id and the integration's.
func (sc *scene) integrationKey() (key, of string, err error) {
	if of, _, err = sc.publish(sc.owner.Token, "integration", noDefinition); err != nil {
		return "", "", err
	}
	answer, err := sc.asOwner(http.MethodPost, "/v1/admin/integrations/iaks", fmt.Sprintf(`{"integrationId":%q}`, of))
	if err != nil {
		return "", "", err
	}
	return answer["id"].(string), of, nil
}
