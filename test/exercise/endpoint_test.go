package exercise_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/botyard/botyard/test/harness"
)

// An integration that gets its url when it is installed already is registered where it
// waits for that, and where it failed at the url it had.
func TestRegistrationOnceThereIsAURL(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		first, second := harness.NewFarSide(t), harness.NewFarSide(t)
		version := object{"configurations": object{"authorised": object{"schema": object{}, "identifier": object{"required": true, "linkTemplateScript": "\"x\""}}}}
		version["name"] = fmt.Sprintf("%s/late-%d", handle, counter())
		integration := publish(t, a, "integration", version)
		version["name"] = fmt.Sprintf("%s/later-%d", handle, counter())
		another := publish(t, a, "integration", version)
		bot, refused := createBot(t, a, object{})["id"].(string), createBot(t, a, object{})["id"].(string)
		const nothing = "Nothing runs this integration"
		waiting := installed(t, a, bot, "waiting", object{"integrationId": integration["id"], "configuration": object{"n": 1}})
		stands(t, waiting, "registration_pending", nothing)
		off := installed(t, a, bot, "off", object{"integrationId": integration["id"], "enabled": false})
		stands(t, off, "unregistered")
		stands(t, installed(t, a, bot, "authorised", object{"integrationId": integration["id"], "configurationType": "authorised"}), "registration_pending", nothing)
		stands(t, installed(t, a, bot, "another", object{"integrationId": another["id"]}), "registration_pending", nothing)
		fails := installed(t, a, refused, "fails", object{"integrationId": integration["id"]})
		first.Answers(func(c harness.Call) harness.Reply {
			if c.Webhook == fails["webhookId"] {
				return harness.Reply{Status: 400, Body: `{"id":"1","code":400,"type":"Runtime","message":"not here"}`}
			}
			return harness.Reply{Body: "{}"}
		})

		// What does not give it a url calls nobody.
		a.Do(t, "PUT", integrationPath(integration["id"]), object{"title": "Late"}, nil)
		a.Do(t, "PUT", integrationPath(integration["id"])+"/validate", object{"url": first.URL}, nil)
		time.Sleep(100 * time.Millisecond)
		if n := len(first.Calls()); n != 0 {
			t.Fatalf("%d calls before there was a url", n)
		}

		a.Do(t, "PUT", integrationPath(integration["id"]), object{"url": first.URL}, nil)
		becomes(t, a, bot, "waiting", "registered")
		becomes(t, a, refused, "fails", "registration_failed", "not here")
		becomes(t, a, bot, "authorised", "registration_pending", "authorised")
		becomes(t, a, bot, "off", "unregistered")
		becomes(t, a, bot, "another", "registration_pending", nothing)
		first.Await(t, waiting["webhookId"].(string), "register")
		first.Await(t, off["webhookId"].(string))

		// The same url again is no other one; another is for those that failed.
		a.Do(t, "PUT", integrationPath(integration["id"]), object{"url": first.URL, "title": "Later"}, nil)
		a.Do(t, "PUT", integrationPath(integration["id"]), object{"url": second.URL}, nil)
		becomes(t, a, refused, "fails", "registered")
		second.Await(t, fails["webhookId"].(string), "register")
		if n := len(first.Calls()); n != 2 {
			t.Errorf("the first url was called %d times, want 2", n)
		}
		if n := len(second.Calls()); n != 1 {
			t.Errorf("the second url was called %d times, want once: who is registered stays so", n)
		}
	})
}
