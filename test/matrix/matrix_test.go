package matrix_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/wire"
	"github.com/botyard/botyard/test/harness"
)

var update = flag.Bool("update", false, "rewrite matrix.golden")

const golden = "matrix.golden"

func TestMain(m *testing.M) { harness.Main(m) }

// atOnce is how many scenes are played at the same time.
const atOnce = 8

func TestMatrix(t *testing.T) {
	harness.Run(t, func(t *testing.T, server *harness.Server) {
		rows := stage{server}.play(t)
		check(t, rows)
		got := print(rows)
		if *update && server.Engine == harness.Engines[0] {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
			t.Errorf("rights changed; if that is meant, run: make update\n%s", diff)
		}
	})
}

// row is one request of one operation and its answer to each actor.
type row struct {
	operation wire.Operation
	about     string
	answers   map[actor]string // status, and the type of an error
}

func (r row) name() string {
	if r.about == "" {
		return r.operation.ID
	}
	return r.operation.ID + " (" + r.about + ")"
}

// play asks every operation as every actor, each time about fresh things.
func (s stage) play(t *testing.T) (rows []*row) {
	t.Helper()
	operations := s.Mux.Operations()
	slices.SortFunc(operations, func(a, b wire.Operation) int { return strings.Compare(a.ID, b.ID) })
	unknown := maps.Clone(requests)
	slots := make(chan struct{}, atOnce)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, op := range operations {
		delete(unknown, op.ID)
		if requests[op.ID] == nil {
			t.Errorf("operation %s has no request; add a valid one to request_test.go", op.ID)
		}
		for _, rq := range requests[op.ID] {
			r := &row{op, rq.about, map[actor]string{}}
			rows = append(rows, r)
			for _, who := range actors {
				slots <- struct{}{}
				wg.Go(func() {
					defer func() { <-slots }()
					answer, err := s.cell(t, op, rq, who)
					if err != nil {
						t.Errorf("%s as %s: %v", r.name(), who, err)
					}
					mu.Lock()
					defer mu.Unlock()
					r.answers[who] = answer
				})
			}
		}
	}
	wg.Wait()
	for id := range unknown {
		t.Errorf("request_test.go has a request of %s, which is no operation", id)
	}
	return rows
}

func (s stage) cell(t *testing.T, op wire.Operation, rq request, who actor) (answer string, err error) {
	sc, err := s.scene(t.Context(), who)
	if err != nil {
		return "", err
	}
	values, body, err := rq.prepare(sc)
	if err != nil {
		return "", err
	}
	path, err := fill(op.Path, values)
	if err != nil {
		return "", err
	}
	if who == shutOut {
		if err := s.checkShut(sc, op, path, body); err != nil {
			return "", err
		}
	}
	if who == debtor {
		if err := s.Workspaces.SetBlocked(t.Context(), sc.owner.Workspace, true); err != nil {
			return "", err
		}
	}
	status, said, err := s.ask(t.Context(), sc.token, sc.header, op.Method, path, body)
	if err != nil || status < 400 {
		return fmt.Sprint(status), err
	}
	return fmt.Sprintf("%d %s", status, said["type"]), nil
}

// missingBot has the form of a bot's id and is none's.
const missingBot = "00000000-0000-4000-8000-000000000000"

// checkShut closes the bots of the scene. A request that names one of them must be
// answered as if it named none, word for word but for the ids.
func (s stage) checkShut(sc *scene, op wire.Operation, path, body string) error {
	bots, err := sc.close()
	if err != nil {
		return err
	}
	for _, bot := range bots {
		if !strings.Contains(path+body, bot) {
			continue
		}
		var said [2]string
		for n, named := range []string{bot, missingBot} {
			status, answer, err := s.ask(sc.ctx, sc.token, sc.header, op.Method, strings.ReplaceAll(path, bot, named), strings.ReplaceAll(body, bot, named))
			if err != nil {
				return err
			}
			said[n] = strings.ReplaceAll(fmt.Sprint(status, answer["type"], answer["message"]), named, "")
		}
		if said[0] != said[1] {
			return fmt.Errorf("a bot that keeps its caller out is answered %q, a missing one %q", said[0], said[1])
		}
	}
	return nil
}

// fill puts values in the place of a path's parameters; a last value that begins
// with ? is the query.
func fill(path string, values []string) (string, error) {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if !strings.HasPrefix(segment, "{") {
			continue
		}
		if len(values) == 0 {
			return "", errors.New("the request has too few values for " + path)
		}
		segments[i], values = values[0], values[1:]
	}
	if len(values) == 1 && strings.HasPrefix(values[0], "?") {
		return strings.Join(segments, "/") + values[0], nil
	}
	if len(values) > 0 {
		return "", errors.New("the request has too many values for " + path)
	}
	return strings.Join(segments, "/"), nil
}

// print groups the actors of each row by what they were answered.
func print(rows []*row) string {
	var b strings.Builder
	b.WriteString("What each operation answers to whom. Written by: go test ./test/matrix -update\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "\n%s  %s %s\n", r.name(), r.operation.Method, r.operation.Path)
		to := map[string][]string{}
		for _, who := range actors {
			to[r.answers[who]] = append(to[r.answers[who]], string(who))
		}
		for _, answer := range slices.Sorted(maps.Keys(to)) {
			fmt.Fprintf(&b, "  %-24s %s\n", answer, strings.Join(to[answer], ", "))
		}
	}
	return b.String()
}

// ladder is the roles of which each may do all that the one before it may.
var ladder = []access.Role{access.Viewer, access.Developer, access.Manager, access.Administrator, access.Owner}

// check holds the rows against what is true of every operation, so that a golden
// file rewritten without a look cannot let it slip.
func check(t *testing.T, rows []*row) {
	t.Helper()
	for _, r := range rows {
		want := func(answer string, who ...actor) {
			for _, w := range who {
				if r.answers[w] != answer {
					t.Errorf("%s as %s: %s, must be %s", r.name(), w, r.answers[w], answer)
				}
			}
		}
		want("401 Unauthorized", nobody, garbage, deleted, expired)
		want("403 Forbidden", botKey, intKey)
		if r.operation.Scope != wire.Outside {
			want("404 ResourceNotFound", stranger, invitee)
			if strings.Contains(r.operation.Path, "{id}") {
				want("404 ResourceNotFound", neighbour)
			}
		}
		// A blocked workspace is read, paid and left; nothing else is done in it.
		op := r.operation
		if op.Scope == wire.Outside || op.Method == http.MethodGet || op.Harmless || op.WhileBlocked {
			want(r.answers[actor(access.Owner)], debtor)
		} else if !strings.HasPrefix(r.answers[actor(access.Owner)], "403") {
			want("402 PaymentRequired", debtor)
		}
		for _, who := range actors {
			if strings.HasPrefix(r.answers[who], "5") || strings.HasPrefix(r.answers[who], "400") {
				t.Errorf("%s as %s: %s; the request must be valid and the server well", r.name(), who, r.answers[who])
			}
		}
		if r.about == "oneself" {
			continue // the owner may less: neither leave nor step down
		}
		may := false
		for _, role := range ladder {
			if may && r.answers[actor(role)] == "403 Forbidden" {
				t.Errorf("%s: %s may not what a weaker role may", r.name(), role)
			}
			may = may || r.answers[actor(role)] != "403 Forbidden"
		}
		if r.operation.Scope != wire.Outside && !strings.HasPrefix(r.answers[actor(access.Owner)], "2") {
			t.Errorf("%s: the owner was answered %s", r.name(), r.answers[actor(access.Owner)])
		}
	}
}
