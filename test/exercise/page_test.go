package exercise_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

// pages reads a list to its end; between is called after each page.
func pages(t *testing.T, a *harness.Actor, path, member string, size int, between func(page int)) (ids []string) {
	t.Helper()
	token := ""
	for page := 0; ; page++ {
		if page > 1000 {
			t.Fatalf("%s has no end", path)
		}
		var out struct {
			Meta struct{ NextToken string }
		}
		items := object{}
		answer := fmt.Sprintf("%s%spageSize=%d&nextToken=%s", path, map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")], size, token)
		a.Do(t, "GET", answer, nil, &items)
		a.Do(t, "GET", answer, nil, &out)
		list, ok := items[member].([]any)
		if !ok || len(list) > size {
			t.Fatalf("%s: a page of %d is %v", path, size, items)
		}
		for _, item := range list {
			ids = append(ids, item.(object)["id"].(string))
		}
		if token = out.Meta.NextToken; token == "" {
			return ids
		}
		if len(list) < size {
			t.Errorf("%s: a page of %d that is not the last has %d", path, size, len(list))
		}
		between(page)
	}
}

// Every list: all pages together are all items, each once, whatever is added in
// the meantime.
func TestPages(t *testing.T) {
	harness.RunAlone(t, nil, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		made := map[string][]string{}
		add := map[string]func(i int) string{
			"bots": func(i int) string {
				return createBot(t, a, object{"name": fmt.Sprint("bot", i), "tags": object{"all": "yes"}})["id"].(string)
			},
			"dev bots": func(i int) string { return createBot(t, a, object{"dev": true})["id"].(string) },
			"members":  func(i int) string { return addMember(t, a, fmt.Sprintf("m%d@example.com", i), "viewer") },
			"workspaces": func(i int) string {
				var w struct{ ID string }
				a.Do(t, "POST", workspacesPath, object{"name": fmt.Sprint("space", i)}, &w)
				a.Do(t, "PUT", workspacesPath+"/"+w.ID, object{"isPublic": true}, nil)
				return w.ID
			},
		}
		for kind, one := range add {
			for i := range 13 {
				made[kind] = append(made[kind], one(i))
			}
		}
		for i, list := range []struct{ path, member, kind string }{
			{botsPath, "bots", "bots"},
			{botsPath + "?sortDirection=asc", "bots", "bots"},
			{botsPath + "?sortField=updatedAt", "bots", "bots"},
			{botsPath + "?tags.all=yes", "bots", "bots"},
			{botsPath + "?dev=true", "bots", "dev bots"},
			{membersPath, "members", "members"},
			{workspacesPath, "workspaces", "workspaces"},
			{workspacesPath + "/public", "workspaces", "workspaces"},
			{workspacesPath + "/public?search=SPACE", "workspaces", "workspaces"},
			{workspacesPath + "/" + a.Workspace + "/audit-records", "records", "bots"},
		} {
			whole := pages(t, a, list.path, list.member, 100, func(int) {})
			for _, size := range []int{1, 3, 13} {
				if diff := cmp.Diff(whole, pages(t, a, list.path, list.member, size, func(int) {})); diff != "" {
					t.Errorf("%s by %d: %s", list.path, size, diff)
				}
			}
			if list.member != "records" {
				for _, id := range made[list.kind] {
					if !slices.Contains(whole, id) {
						t.Errorf("%s leaves out %s", list.path, id)
					}
				}
			}
			seen := pages(t, a, list.path, list.member, 4, func(page int) {
				if page < 3 {
					made[list.kind] = append(made[list.kind], add[list.kind](1000+10*i+page))
				}
			})
			counts := map[string]int{}
			for _, id := range seen {
				counts[id]++
			}
			for _, id := range whole {
				if counts[id] != 1 {
					t.Errorf("%s, while it grows: %s comes %d times", list.path, id, counts[id])
				}
			}
			if len(counts) != len(seen) {
				t.Errorf("%s, while it grows: %d items, %d different", list.path, len(seen), len(counts))
			}
		}
	})
}

func TestPageSizes(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		for range 101 {
			createBot(t, a, object{})
		}
		for query, want := range map[string]int{"": 20, "pageSize=1": 1, "pageSize=100": 100, "pageSize=1000": 100} {
			var out struct{ Bots []object }
			a.Do(t, "GET", botsPath+"?"+query, nil, &out)
			if len(out.Bots) != want {
				t.Errorf("%q: %d items, want %d", query, len(out.Bots), want)
			}
		}
	})
}

func TestForgedTokens(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, b := s.Person(t), s.Person(t)
		for _, who := range []*harness.Actor{a, b} {
			for i := range 3 {
				createBot(t, who, object{"tags": object{"t": "v"}})
				addMember(t, who, fmt.Sprintf("p%d.%s", i, who.Email), "viewer")
			}
		}
		next := func(who *harness.Actor, path string) string {
			var out struct{ Meta struct{ NextToken string } }
			who.Do(t, "GET", path, nil, &out)
			if out.Meta.NextToken == "" {
				t.Fatalf("%s has no second page", path)
			}
			return out.Meta.NextToken
		}
		good := next(a, botsPath+"?pageSize=1")
		raw, err := base64.RawURLEncoding.DecodeString(good)
		if err != nil {
			t.Fatal(err)
		}
		flipped := slices.Clone(raw)
		flipped[5] ^= 1
		for name, query := range map[string]string{
			"garbage":           "nextToken=garbage",
			"not base64":        "nextToken=!!!",
			"U+0000":            "nextToken=%00",
			"a long one":        "nextToken=" + strings.Repeat("A", 5000),
			"cut":               "nextToken=" + good[:len(good)-1],
			"flipped":           "nextToken=" + base64.RawURLEncoding.EncodeToString(flipped),
			"of other filters":  "nextToken=" + next(a, botsPath+"?pageSize=1&tags.t=v"),
			"of other sorting":  "nextToken=" + next(a, botsPath+"?pageSize=1&sortField=updatedAt"),
			"of other list":     "nextToken=" + next(a, membersPath+"?pageSize=1"),
			"of someone else":   "nextToken=" + next(b, botsPath+"?pageSize=1"),
			"with other filter": "tags.t=v&nextToken=" + good,
		} {
			t.Run(name, func(t *testing.T) {
				a.Refused(t, fault.InvalidQuery, []string{"nextToken"}, "GET", botsPath+"?"+query, nil)
			})
		}
		// The size of a page may change from page to page.
		a.Do(t, "GET", botsPath+"?pageSize=2&nextToken="+good, nil, nil)
		a.Do(t, "GET", botsPath+"?nextToken=", nil, nil)
	})
}
