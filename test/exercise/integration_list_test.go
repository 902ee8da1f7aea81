package exercise_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

// namesIn are the names in a list, in its order, without what stands before the slash.
func namesIn(t *testing.T, a *harness.Actor, path string) []string {
	t.Helper()
	all := []string{}
	for _, item := range integrations(t, a, path) {
		_, name, _ := strings.Cut(item["name"].(string), "/")
		all = append(all, name)
	}
	return all
}

func integrations(t *testing.T, a *harness.Actor, path string) []object {
	t.Helper()
	var out struct{ Integrations []object }
	a.Do(t, "GET", path, nil, &out)
	return out.Integrations
}

// TestHub holds what the hub shows of an integration.
func TestHub(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		stranger := s.Person(t)
		body := mail(handle + "/mail")
		body["visibility"] = "public"
		made := publish(t, a, "integration", body)
		byID := hubPath + "integrations/" + made["id"].(string)
		var space struct{ Name string }
		a.Do(t, "GET", workspacesPath+"/"+a.Workspace, nil, &space)
		owner := object{"id": a.Workspace, "handle": handle, "name": space.Name}

		want := made
		want["signingSecret"], want["url"], want["secrets"] = "", "", []any{} // its owner's business
		want["ownerWorkspace"], want["meta"] = owner, object{"installs": 0.0, "views": 0.0}
		if diff := cmp.Diff(want, getPackage(t, stranger, byID, "integration")); diff != "" {
			t.Error(diff)
		}
		for range 3 {
			getPackage(t, stranger, catalogPath(hubPath+"integrations", handle+"/mail", "^1.0.0"), "integration")
		}
		getIntegration(t, a, made["id"]) // is no look at the hub
		s.Catalog.FlushViews(t.Context())
		s.Catalog.FlushViews(t.Context())
		items := integrations(t, stranger, hubPath+"integrations?name="+handle+"/mail")
		item := object{
			"id": made["id"], "name": handle + "/mail", "version": "1.2.0", "createdAt": made["createdAt"], "updatedAt": made["updatedAt"],
			"title": "Mail", "description": "Sends mail", "iconUrl": made["iconUrl"], "public": true, "visibility": "public",
			"verificationStatus": "unapproved", "lifecycleStatus": "published", "ownerWorkspace": owner,
			"meta": object{"installs": 0.0, "views": 4.0}, "attributes": object{"tier": "gold"},
		}
		if diff := cmp.Diff([]object{item}, items); diff != "" {
			t.Error(diff)
		}
		delete(item, "ownerWorkspace")
		delete(item, "meta")
		if diff := cmp.Diff([]object{item}, integrations(t, a, integrationsPath)); diff != "" {
			t.Error(diff)
		}
	})
}

// TestSearchIntegrations holds what a search finds, and where it says that it did.
func TestSearchIntegrations(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		founder := founder(t, s)
		face := publish(t, founder, "interface", object{"name": fmt.Sprint("hitl", counter()), "public": true})
		tag := fmt.Sprintf("q%dq", counter()) // nothing else is found by it, nor by all but its last letter
		action := object{"input": object{"schema": object{}}, "output": object{"schema": object{}}}
		publish(t, a, "integration", object{"name": handle + "/one", "title": "Slack bridge", "description": tag, "visibility": "public",
			"actions": object{"sendMessage": action, "send_file": action, "list": action}})
		publish(t, a, "integration", object{"name": handle + "/two", "title": "Sender " + tag, "visibility": "public",
			"interfaces": object{"x": object{"id": face["id"]}}})
		publish(t, a, "integration", object{"name": handle + "/" + tag, "title": "Hidden", "visibility": "unlisted"})
		publish(t, a, "integration", object{"name": handle + "/mine", "title": "Ünïcode " + strings.ToUpper(tag)})
		for search, want := range map[string]struct{ hub, own []string }{
			tag:                      {[]string{"two", "one"}, []string{"mine", tag, "two", "one"}},
			tag[:len(tag)-1]:         {[]string{"two", "one"}, []string{"mine", tag, "two", "one"}},
			tag[1:]:                  {[]string{}, []string{}}, // words begin with it
			tag + " send":            {[]string{"two", "one"}, []string{"two", "one"}},
			"SLACK, " + tag:          {[]string{"one"}, []string{"one"}},
			tag + " sendMessage":     {[]string{"one"}, []string{"one"}},
			tag + " message":         {[]string{"one"}, []string{"one"}},
			tag + " file":            {[]string{"one"}, []string{"one"}},
			tag + " hitl":            {[]string{"two"}, []string{"two"}},
			tag + " ünï":             {[]string{}, []string{"mine"}},
			tag + " nothing":         {[]string{}, []string{}},
			tag + " % _ ' \" \\ ( *": {[]string{"two", "one"}, []string{"mine", tag, "two", "one"}},
		} {
			query := "?search=" + url.QueryEscape(search)
			if diff := cmp.Diff(want.hub, namesIn(t, a, hubPath+"integrations"+query)); diff != "" {
				t.Errorf("%q in the hub: %s", search, diff)
			}
			if diff := cmp.Diff(want.own, namesIn(t, a, integrationsPath+query)); diff != "" {
				t.Errorf("%q in the workspace: %s", search, diff)
			}
		}
		items := integrations(t, a, hubPath+"integrations?search="+url.QueryEscape(tag+" send hitl"))
		if diff := cmp.Diff(object{"title": true, "interfaces": []any{face["name"]}}, items[0]["matchedOn"]); diff != "" {
			t.Error(diff)
		}
		items = integrations(t, a, hubPath+"integrations?search="+url.QueryEscape(tag+" send sla"))
		if diff := cmp.Diff(object{"title": true, "description": true, "actions": []any{"sendMessage", "send_file"}}, items[0]["matchedOn"]); diff != "" {
			t.Error(diff)
		}
		if items := integrations(t, a, integrationsPath); items[0]["matchedOn"] != nil {
			t.Errorf("nothing was searched and %v met", items[0]["matchedOn"])
		}
		// What changes is found by its new words, and no more by its old ones.
		mine := integrations(t, a, integrationsPath+"?name="+handle+"/mine")[0]
		updateIntegration(t, a, mine["id"], object{"title": "zzz" + tag, "visibility": "public"})
		if got := namesIn(t, a, hubPath+"integrations?search=zzz"+tag); !slices.Equal(got, []string{"mine"}) {
			t.Errorf("by its new title %v is found", got)
		}
		if got := namesIn(t, a, integrationsPath+"?search="+tag); slices.Contains(got, "mine") {
			t.Errorf("by its old title %v is found", got)
		}
		updateIntegration(t, a, mine["id"], object{"visibility": "private"})
		if got := namesIn(t, a, hubPath+"integrations?search=zzz"+tag); len(got) != 0 {
			t.Errorf("the hub finds the private %v", got)
		}
		a.Refused(t, fault.InvalidQuery, []string{"search", "10"}, "GET", integrationsPath+"?search=a+b+c+d+e+f+g+h+i+j+k", nil)
	})
}

// TestPopularSearch holds that a search by popularity follows what bots install, also
// of integrations that are published when bots have them.
func TestPopularSearch(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		word := fmt.Sprint("popular", counter())
		make := func(name, visibility string) any {
			return publish(t, a, "integration", object{"name": handle + "/" + name, "description": word, "visibility": visibility})["id"]
		}
		late, early, none := make("late", "private"), make("early", "public"), make("none", "public")
		bots := []any{createBot(t, a, object{})["id"], createBot(t, a, object{})["id"]}
		install := func(bot int, integration, entry any) {
			setUp(t, a, bots[bot], object{"integrations": object{integration.(string): entry}})
		}
		expect := func(when string, want ...string) {
			t.Helper()
			for _, query := range []string{"?search=" + word, "?search=" + handle + "+" + word} {
				query += "&sortBy=popularity"
				if got := namesIn(t, a, hubPath+"integrations"+query); !slices.Equal(got, want) {
					t.Errorf("%s, %s: %v, want %v", when, query, got, want)
				}
				slices.Reverse(want)
				if got := namesIn(t, a, hubPath+"integrations"+query+"&direction=asc"); !slices.Equal(got, want) {
					t.Errorf("%s, %s, ascending: %v, want %v", when, query, got, want)
				}
				slices.Reverse(want)
			}
		}
		install(0, late, object{"enabled": false})
		install(1, late, object{"enabled": false})
		install(0, early, object{"enabled": false})
		expect("before it is published", "early", "none")
		updateIntegration(t, a, late, object{"visibility": "public"})
		expect("published", "late", "early", "none")
		install(0, late, nil)
		a.Do(t, "DELETE", botsPath+"/"+bots[1].(string), nil, nil)
		expect("uninstalled", "early", "none", "late")
		install(0, none, object{"enabled": false})
		expect("of equals the newest first", "none", "early", "late")
	})
}

// TestIntegrationPages walks every sort page by page.
func TestIntegrationPages(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		tag := fmt.Sprint("p", counter())
		var made []object
		for n := range 11 {
			made = append(made, publish(t, a, "integration", object{
				"name": fmt.Sprintf("%s/n%d-%c", handle, n%3, 'a'+n), "description": tag, "visibility": "public",
			}))
			nextMoment()
		}
		for _, n := range []int{4, 2, 9} {
			updateIntegration(t, a, made[n]["id"], object{"url": "https://x.example"})
			nextMoment()
		}
		bot, other := createBot(t, a, object{})["id"], createBot(t, a, object{})["id"]
		install := func(bot any, which ...int) {
			all := object{}
			for _, n := range which {
				all[fmt.Sprint("i", n)] = object{"integrationId": made[n]["id"], "enabled": false}
			}
			setUp(t, a, bot, object{"integrations": all})
		}
		install(bot, 3, 7)
		install(other, 7)
		name := func(n int) string { _, name, _ := strings.Cut(made[n]["name"].(string), "/"); return name }
		in := func(order ...int) (all []string) {
			for _, n := range order {
				all = append(all, name(n))
			}
			return all
		}
		newest := in(10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
		oldest := slices.Clone(newest)
		slices.Reverse(oldest)
		alphabetical := slices.Sorted(slices.Values(newest))
		backwards := slices.Clone(alphabetical)
		slices.Reverse(backwards)
		popular := in(7, 3, 10, 9, 8, 6, 5, 4, 2, 1, 0)
		unpopular := slices.Clone(popular)
		slices.Reverse(unpopular)
		for query, want := range map[string][]string{
			"": newest, "direction=asc": oldest, "sortBy=createdAt&direction=desc": newest,
			"sortBy=name": alphabetical, "sortBy=name&direction=desc": backwards,
			"sortBy=updatedAt":    in(9, 2, 4, 10, 8, 7, 6, 5, 3, 1, 0),
			"sortBy=installCount": popular, "sortBy=popularity&direction=asc": unpopular,
			"installedByBotId=" + bot.(string): in(7, 3), "installedByBotId=" + other.(string): in(7),
			"installedByBotId=nobody": {}, "version=1.0.0": newest, "version=1.0.1": {},
		} {
			for _, path := range []string{integrationsPath + "?search=" + tag, hubPath + "integrations?search=" + tag} {
				var got []string
				for next, first := "", true; first || next != ""; first = false {
					var out struct {
						Integrations []object
						Meta         struct{ NextToken string }
					}
					address := path + "&limit=4&" + query
					if next != "" {
						address += "&nextToken=" + url.QueryEscape(next)
					}
					a.Do(t, "GET", address, nil, &out)
					if len(out.Integrations) > 4 {
						t.Fatalf("a page of 4 has %d", len(out.Integrations))
					}
					for _, item := range out.Integrations {
						_, name, _ := strings.Cut(item["name"].(string), "/")
						got = append(got, name)
					}
					next = out.Meta.NextToken
				}
				if !slices.Equal(want, got) {
					t.Errorf("%s&%s: %v, want %v", path, query, got, want)
				}
			}
		}
		// A bot of others has nothing installed, as far as one can see.
		stranger := s.Person(t)
		if got := namesIn(t, stranger, hubPath+"integrations?installedByBotId="+bot.(string)); len(got) != 0 {
			t.Errorf("a stranger sees what a bot has installed: %v", got)
		}
		if got := namesIn(t, a, integrationsPath+"?visibility=private"); len(got) != 0 {
			t.Errorf("private are %v", got)
		}
		for _, size := range []string{"pageSize=100", "limit=1e300"} {
			if got := namesIn(t, a, integrationsPath+"?visibility=public&"+size); len(got) != 11 {
				t.Errorf("%s: public are %v", size, got)
			}
		}
		for query, word := range map[string]string{
			"sortBy=size": "sortBy", "direction=up": "direction", "verificationStatus=maybe": "verificationStatus", "pageSize=0": "pageSize",
			"limit=0": "pageSize", "limit=-1e30": "pageSize", "limit=NaN": "pageSize", "nextToken=forged": "nextToken", "dev=maybe": "dev", "limit=many": "limit",
		} {
			a.Refused(t, fault.InvalidQuery, []string{word}, "GET", integrationsPath+"?"+query, nil)
		}
	})
}
