package exercise_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

// outside calls webhooks, and follows no redirect.
var outside = &http.Client{Timeout: harness.Patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// knock calls a webhook from outside.
func knock(t *testing.T, method, url, body string, headers ...string) (status int, header http.Header, answer string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	response, err := outside.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(text)
}

// turnedAway fails the test unless a webhook answers with an error of our own.
func turnedAway(t *testing.T, s *harness.Server, kind fault.Type, words, method, url, body string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Send(r) // checks the envelope and the headers of rates
	if err != nil {
		t.Fatal(err)
	}
	var f harness.Fault
	if err := json.Unmarshal(a.Body, &f); err != nil || f.Type != kind || a.Status != kind.Status() || !strings.Contains(f.Message, words) {
		t.Errorf("%s answered %d %s, want %s with %q", url, a.Status, a.Body, kind, words)
	}
}

// received is the call that an integration was relayed.
func received(t *testing.T, c harness.Call) (req object) {
	t.Helper()
	var body struct{ Req object }
	if err := json.Unmarshal([]byte(c.Body), &body); err != nil {
		t.Fatalf("%s: %v", c.Body, err)
	}
	return body.Req
}

func last[T any](list []T) T { return list[len(list)-1] }

func TestWebhook(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		far := harness.NewFarSide(t)
		bot := createBot(t, a, object{})["id"].(string)
		integration := called(t, a, handle, far.URL, nil)
		one := installed(t, a, bot, "one", object{"integrationId": integration["id"], "configuration": object{"token": "t"}})
		url := one["webhookUrl"].(string)

		far.Answers(func(harness.Call) harness.Reply {
			return harness.Reply{Status: 201, Body: "<b>höh</b>", Header: map[string]string{
				"Content-Type": "text/html", "X-Own": "kept", "Location": "https://example.com/next",
				"Set-Cookie": "session=stolen", "Clear-Site-Data": `"*"`, "Strict-Transport-Security": "max-age=1", "Access-Control-Allow-Origin": "*",
				"Keep-Alive": "timeout=5", "X-Bp-Disable-Interstitial": "true",
			}}
		})
		parent := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		status, header, body := knock(t, "PATCH", url+"/a%2Fb/c?x=1&y=%20&x=2", `{"hello":"wörld \u0000"}`,
			"X-Twice", "1", "X-Twice", "2", "Cookie", "session=mine", "Authorization", "Basic x", "Traceparent", parent, "Tracestate", "k=v", "Te", "trailers")
		if status != 201 || body != "<b>höh</b>" {
			t.Errorf("answered %d %s", status, body)
		}
		if header.Get("X-Own") != "kept" || header.Get("Content-Type") != "text/html" || header.Get("Location") != "https://example.com/next" ||
			header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(header.Get("Content-Security-Policy"), "sandbox ") {
			t.Errorf("the headers are %v", header)
		}
		for _, name := range []string{"Set-Cookie", "Clear-Site-Data", "Strict-Transport-Security", "Access-Control-Allow-Origin", "Keep-Alive", "X-Bp-Disable-Interstitial"} {
			if header[name] != nil {
				t.Errorf("the header %s came through: %v", name, header[name])
			}
		}
		call := last(far.Calls())
		if call.Operation != "webhook_received" || call.Header.Get("traceparent") != parent || call.Header.Get("tracestate") != "k=v" || !signedBy(call, integration["signingSecret"].(string)) {
			t.Errorf("the call has the headers %v", call.Header)
		}
		req := received(t, call)
		headers := req["headers"].(object)
		if diff := cmp.Diff(object{"method": "PATCH", "path": "/a%2Fb/c", "query": "x=1&y=%20&x=2", "body": `{"hello":"wörld \u0000"}`, "headers": headers}, req); diff != "" {
			t.Error(diff)
		}
		if headers["x-twice"] != "1, 2" || headers["authorization"] != "Basic x" || headers["cookie"] != nil || headers["te"] != nil || headers["host"] == nil {
			t.Errorf("the headers are %v", headers)
		}

		// No path, no body; an error and a redirect of the integration are its answer.
		for _, test := range []struct {
			reply harness.Reply
		}{{harness.Reply{Status: 500, Body: `{"error":"mine"}`}}, {harness.Reply{Status: 302, Header: map[string]string{"Location": "/x"}}}, {harness.Reply{Status: 204}}} {
			far.Answers(func(harness.Call) harness.Reply { return test.reply })
			if status, _, body := knock(t, "GET", url, ""); status != test.reply.Status || body != test.reply.Body {
				t.Errorf("answered %d %s, want %v", status, body, test.reply)
			}
		}
		req = received(t, last(far.Calls()))
		if _, has := req["body"]; has || req["path"] != "/" || req["query"] != "" {
			t.Errorf("without anything it is %v", req)
		}

		// What cannot be relayed.
		turnedAway(t, s, fault.UnsupportedMediaType, "UTF-8", "POST", url, "\xff\xfe")
		turnedAway(t, s, fault.PayloadTooLarge, "4194304 bytes", "POST", url, strings.Repeat("x", 4<<20+1))
		if status, _, _ := knock(t, "POST", url, strings.Repeat("x", 4<<20)); status != 204 {
			t.Errorf("the largest body is answered %d", status)
		}
		far.Answers(func(harness.Call) harness.Reply { return harness.Reply{Body: strings.Repeat("x", 4<<20+1)} })
		turnedAway(t, s, fault.Internal, "larger than", "POST", url, "")

		// Who cannot be reached, and is told so.
		for _, path := range []string{"/webhook/", "/webhook/nobody", "/webhook/" + strings.Repeat("x", 500), "/webhook/00000000-0000-0000-0000-000000000000/deep", "/webhook/oauth?state=nobody", "/webhook/oauth?state=%00", "/webhook/oauth"} {
			turnedAway(t, s, fault.ResourceNotFound, "", "POST", s.Base+path, "{}")
		}
		far.Answers(func(harness.Call) harness.Reply { return harness.Reply{} })
		updateBot(t, a, bot, object{"blocked": true})
		turnedAway(t, s, fault.Forbidden, "blocked", "POST", url, "")
		updateBot(t, a, bot, object{"blocked": false})
		installed(t, a, bot, "one", object{"enabled": false})
		turnedAway(t, s, fault.Forbidden, "switched off", "POST", url, "")
		installed(t, a, bot, "one", object{"enabled": true})
		if status, _, _ := knock(t, "POST", url, ""); status != 200 {
			t.Errorf("switched on again it answers %d", status)
		}
		updateIntegration(t, a, integration["id"], object{"url": "http://10.0.0.1/"})
		turnedAway(t, s, fault.Forbidden, "private address", "POST", url, "")
		far.Close()
		updateIntegration(t, a, integration["id"], object{"url": far.URL})
		turnedAway(t, s, fault.Internal, "could not be reached", "POST", url, "")
		setUp(t, a, bot, object{"integrations": object{"one": nil}})
		turnedAway(t, s, fault.ResourceNotFound, "no more", "POST", url, "")
	})
}

// An authorisation server sends people back with the webhook as the state; the
// integration answers with an identifier, which has one owner.
func TestWebhookIdentifies(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		far := harness.NewFarSide(t)
		team := "team 1"
		far.Answers(func(c harness.Call) harness.Reply {
			if c.Operation == "webhook_received" {
				return harness.Reply{Header: map[string]string{"X-Bp-Integration-Identifier": team}}
			}
			return harness.Reply{}
		})
		integration := called(t, a, handle, far.URL, object{"visibility": "public", "configuration": object{"identifier": object{"required": true}}})
		bot := createBot(t, a, object{})["id"].(string)
		one := installed(t, a, bot, "one", object{"integrationId": integration["id"]})
		stands(t, one, "registration_pending", "authorised")
		authorise := func(i object) http.Header {
			status, header, _ := knock(t, "GET", s.Base+"/webhook/oauth/wizard/start?code=1&state="+i["webhookId"].(string), "")
			if status != 200 {
				t.Errorf("authorising answers %d", status)
			}
			return header
		}
		if header := authorise(one); header["X-Bp-Integration-Identifier"] != nil {
			t.Errorf("the identifier is shown: %v", header)
		}
		if req := received(t, far.Calls()[0]); req["path"] != "/oauth/wizard/start" {
			t.Errorf("the integration sees %v", req)
		}
		becomes(t, a, bot, "one", "registered")
		if got := under(readBot(t, a, bot), "integrations", "one", "identifier"); got != "team 1" {
			t.Errorf("the identifier is %v", got)
		}
		authorise(one)
		far.Await(t, one["webhookId"].(string), "webhook_received", "register", "webhook_received")

		// In the same workspace the newest has it.
		two := installed(t, a, bot, "two", object{"integrationId": integration["id"]})
		authorise(two)
		becomes(t, a, bot, "two", "registered")
		all := readBot(t, a, bot)
		if under(all, "integrations", "one", "identifier") != nil || under(all, "integrations", "two", "identifier") != "team 1" {
			t.Errorf("the instances are %v", all["integrations"])
		}

		// Another workspace cannot take it, until it is free.
		b := s.Person(t)
		foreign := createBot(t, b, object{})["id"].(string)
		three := installed(t, b, foreign, "three", object{"integrationId": integration["id"]})
		authorise(three)
		becomes(t, b, foreign, "three", "registration_failed", "another workspace")
		setUp(t, a, bot, object{"integrations": object{"two": nil}})
		authorise(three)
		becomes(t, b, foreign, "three", "registered")
		if got := under(readBot(t, b, foreign), "integrations", "three", "identifier"); got != "team 1" {
			t.Errorf("the identifier is %v", got)
		}
		team = strings.Repeat("x", 1001)
		turnedAway(t, s, fault.Internal, "identifier", "GET", three["webhookUrl"].(string), "")
	})
}

// Calls that name an integration find their instance by its script, or are answered
// by its other script.
func TestWebhookOfAll(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		far := harness.NewFarSide(t)
		far.Answers(func(c harness.Call) harness.Reply {
			return harness.Reply{Body: c.Webhook, Header: map[string]string{"X-Bp-Integration-Identifier": "team-" + c.Header.Get("x-integration-alias")}}
		})
		integration := called(t, a, handle, far.URL, object{
			"secrets": object{"KEY": "sesame"},
			"identifier": object{
				"extractScript":         "body = parse_json!(to_string!(.body))\nif body.key == .secrets.KEY { \"team-\" + to_string!(body.team) } else { null }",
				"fallbackHandlerScript": "{ \"status\": 202, \"headers\": { \"x-for\": .path, \"bad name\": \"x\", \"x-bp-integration-identifier\": \"no\" }, \"body\": \"nobody \" + to_string!(.query) }",
			},
		})
		bot := createBot(t, a, object{})["id"].(string)
		one := installed(t, a, bot, "one", object{"integrationId": integration["id"]})
		knock(t, "POST", one["webhookUrl"].(string), "")
		name := integration["name"].(string)
		all := s.Base + "/webhook/integration/global/" + name
		for _, url := range []string{all, strings.Replace(all, name, strings.ReplaceAll(name, "/", "%2F"), 1)} {
			if status, _, body := knock(t, "POST", url+"/events?a=b", `{"key":"sesame","team":"one"}`); status != 200 || body != one["webhookId"] {
				t.Errorf("%s answered %d %s", url, status, body)
			}
			if req := received(t, last(far.Calls())); req["path"] != "/events" || req["query"] != "a=b" || req["body"] != `{"key":"sesame","team":"one"}` {
				t.Errorf("the integration sees %v", req)
			}
		}
		for what, body := range map[string]string{"another key": `{"key":"guess","team":"one"}`, "nobody's": `{"key":"sesame","team":"two"}`, "no JSON": `{`, "nothing": ``} {
			status, header, answer := knock(t, "POST", all+"/events?a=b", body)
			if status != 202 || header.Get("x-for") != "/events" || answer != "nobody a=b" {
				t.Errorf("%s: answered %d %v %s", what, status, header, answer)
			}
		}
		installed(t, a, bot, "one", object{"enabled": false})
		turnedAway(t, s, fault.Forbidden, "switched off", "POST", all, `{"key":"sesame","team":"one"}`)

		plain := called(t, a, handle, far.URL, nil)
		turnedAway(t, s, fault.ResourceNotFound, "No installation", "POST", s.Base+"/webhook/integration/global/"+plain["name"].(string), "")
		for _, path := range []string{"nobody", "nobody/nothing", "", "%2F", "a%zz", handle} {
			turnedAway(t, s, fault.ResourceNotFound, "", "POST", s.Base+"/webhook/integration/global/"+strings.ReplaceAll(path, "%zz", "%25zz"), "")
		}
	})
}

// An integration that hangs holds its own places and nobody else's.
func TestWebhookThatHangs(t *testing.T) {
	harness.RunAlone(t, []string{"--webhook-concurrency", "4", "--webhook-max-body", "64KiB", "--webhook-memory", "1MiB"}, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		far := harness.NewFarSide(t)
		bot := createBot(t, a, object{})["id"].(string)
		integration := called(t, a, handle, far.URL, nil)
		slow := installed(t, a, bot, "slow", object{"integrationId": integration["id"]})
		quick := installed(t, a, bot, "quick", object{"integrationId": integration["id"]})
		release := make(chan struct{})
		far.Answers(func(c harness.Call) harness.Reply {
			if c.Webhook == slow["webhookId"] {
				<-release
			}
			return harness.Reply{Body: "done"}
		})
		var all sync.WaitGroup
		answers := make(chan int, 4)
		for range 4 {
			all.Go(func() {
				response, err := outside.Post(slow["webhookUrl"].(string), "text/plain", strings.NewReader("x"))
				if err != nil {
					answers <- 0
					return
				}
				response.Body.Close()
				answers <- response.StatusCode
			})
		}
		far.Await(t, slow["webhookId"].(string), "register", "webhook_received", "webhook_received", "webhook_received", "webhook_received")
		turnedAway(t, s, fault.RateLimited, "under way", "POST", slow["webhookUrl"].(string), "x")
		for range 20 {
			if status, _, body := knock(t, "POST", quick["webhookUrl"].(string), "x"); status != 200 || body != "done" {
				t.Fatalf("the other instance answers %d %s", status, body)
			}
		}
		close(release)
		all.Wait()
		for range 4 {
			if status := <-answers; status != 200 {
				t.Errorf("one that hung answers %d", status)
			}
		}
		if status, _, _ := knock(t, "POST", slow["webhookUrl"].(string), "x"); status != 200 {
			t.Errorf("afterwards it answers %d", status)
		}

		// Bodies of a quarter of the memory are all that one instance can hold.
		far.Answers(func(c harness.Call) harness.Reply { return harness.Reply{Body: strings.Repeat("y", 64<<10)} })
		if status, _, body := knock(t, "POST", quick["webhookUrl"].(string), strings.Repeat("x", 64<<10)); status != 200 || len(body) != 64<<10 {
			t.Errorf("the largest body both ways is answered %d with %d bytes", status, len(body))
		}
	})
}
