package sdk

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/botyard/botyard/test/harness"
)

type object = map[string]any

func TestMain(m *testing.M) { harness.Main(m) }

// install puts the pinned SDK into node_modules, unless it is there.
var install = sync.OnceValue(func() error {
	hash := sha256.New()
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc"} {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		hash.Write(text)
	}
	wanted, stamp := hex.EncodeToString(hash.Sum(nil)), filepath.Join("node_modules", ".pinned")
	if have, err := os.ReadFile(stamp); err == nil && string(have) == wanted {
		return nil
	}
	if output, err := exec.Command("npm", "ci").CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci could not install the SDK: %w\n%s", err, output)
	}
	return os.WriteFile(stamp, []byte(wanted), 0o644)
})

// verifier is the documentation's verify function, as a module.
func verifier(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```js\n(.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("docs/webhooks.md has no code")
	}
	file := filepath.Join(t.TempDir(), "verify.mjs")
	if err := os.WriteFile(file, block[1], 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// node runs a program and answers its url, and what it prints afterwards.
func node(t *testing.T, program string, environment ...string) (url string, lines <-chan string) {
	t.Helper()
	if err := install(); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("node", program)
	command.Env = append(os.Environ(), environment...)
	var failures strings.Builder
	command.Stderr = &failures
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Logf("%s wrote: %s", program, failures.String())
		}
	})
	printed := make(chan string, 100)
	go func() {
		defer close(printed)
		for scan := bufio.NewScanner(output); scan.Scan(); {
			printed <- scan.Text()
		}
	}()
	for {
		select {
		case line, more := <-printed:
			if !more {
				t.Fatalf("%s ended: %s", program, failures.String())
			}
			if port, found := strings.CutPrefix(line, "port "); found {
				return "http://127.0.0.1:" + port, printed
			}
		case <-time.After(harness.Patience):
			t.Fatalf("%s does not tell its port", program)
		}
	}
}

func setUp(t *testing.T, a *harness.Actor, bot string, integrations object) object {
	t.Helper()
	var out struct{ Bot object }
	a.Do(t, "PUT", "/v1/admin/bots/"+bot, object{"integrations": integrations}, &out, "x-multiple-integrations", "true")
	return out.Bot["integrations"].(object)
}

func knock(t *testing.T, url, body string) (int, http.Header, string) {
	t.Helper()
	response, err := http.Post(url, "application/json", strings.NewReader(body))
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

// told is what an integration was told to register and unregister.
type told struct {
	Operation, WebhookURL string
	Ctx                   object
}

func TestIntegrationOfTheSDK(t *testing.T) {
	verify := verifier(t)
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		handle := fmt.Sprintf("sdk-%d", time.Now().UnixNano())
		a.Do(t, "PUT", "/v1/admin/workspaces/"+a.Workspace, object{"handle": handle}, nil)
		var published struct{ Integration object }
		a.Do(t, "POST", "/v1/admin/integrations", object{
			"name": handle + "/made-with-sdk", "version": "1.0.0", "url": "http://127.0.0.1:9/",
			"configuration": object{"schema": object{"type": "object", "properties": object{"token": object{"type": "string"}}, "required": []string{"token"}}},
		}, &published)
		of := published.Integration["id"].(string)
		url, _ := node(t, "integration.mjs", "VERIFY="+verify, "SIGNING_SECRET="+published.Integration["signingSecret"].(string), "BP_TOKEN=none",
			fmt.Sprint("AHEAD=", time.Until(s.Server.Clock.Now()).Milliseconds()))
		a.Do(t, "PUT", "/v1/admin/integrations/"+of, object{"url": url}, nil)
		// The older of two secrets is good for a day.
		a.Do(t, "POST", "/v1/admin/integrations/"+of+"/signing-secrets/rotate", object{}, nil)

		var made struct{ Bot object }
		a.Do(t, "POST", "/v1/admin/bots", object{}, &made)
		bot := made.Bot["id"].(string)
		good := setUp(t, a, bot, object{"good": object{"integrationId": of, "configuration": object{"token": "ok"}}})["good"].(object)
		if good["status"] != "registered" {
			t.Fatalf("it is %v because %v", good["status"], good["statusReason"])
		}
		bad := setUp(t, a, bot, object{"bad": object{"integrationId": of, "configuration": object{"token": "bad"}}})["bad"].(object)
		if bad["status"] != "registration_failed" || bad["statusReason"] != `The token "bad" is not valid: ask Ann ☃` {
			t.Errorf("it is %v because %v", bad["status"], bad["statusReason"])
		}
		broken := setUp(t, a, bot, object{"broken": object{"integrationId": of, "configuration": object{"token": "broken"}}})["broken"].(object)
		if reason := fmt.Sprint(broken["statusReason"]); broken["status"] != "registration_failed" || !strings.Contains(reason, "An unexpected error occurred in the integration.") {
			t.Errorf("it is %v because %v", broken["status"], reason)
		}

		webhook := good["webhookUrl"].(string)
		status, header, body := knock(t, webhook+"/deep?q=1", `{"hello":"☃"}`)
		var back struct{ Req, Ctx object }
		if err := json.Unmarshal([]byte(body), &back); err != nil || status != 201 || header.Get("x-made-with") != "sdk" {
			t.Fatalf("the webhook answered %d %v %s (%v)", status, header, body, err)
		}
		if back.Req["path"] != "/deep" || back.Req["query"] != "q=1" || back.Req["method"] != "POST" || back.Req["body"] != `{"hello":"☃"}` {
			t.Errorf("the handler got %v", back.Req)
		}
		for key, want := range map[string]any{"botId": bot, "integrationId": of, "integrationAlias": "good", "webhookId": good["webhookId"], "operation": "webhook_received", "configurationType": nil} {
			if back.Ctx[key] != want {
				t.Errorf("the handler's %s is %v, want %v", key, back.Ctx[key], want)
			}
		}
		if status, _, body := knock(t, webhook+"/refuse", ""); status != 400 || !strings.Contains(body, "not like this") {
			t.Errorf("a RuntimeError of the handler is answered %d %s", status, body)
		}
		knock(t, webhook+"/identify", "known")
		if i := setUp(t, a, bot, object{"good": object{}})["good"].(object); i["identifier"] != "known" || i["status"] != "registered" {
			t.Errorf("the instance is %v", i)
		}

		setUp(t, a, bot, object{"good": nil, "broken": nil})
		harness.Eventually(t, "the integration to be told that an instance is gone", func() bool {
			other := setUp(t, a, bot, object{"other": object{"integrationId": of, "configuration": object{"token": "ok"}}})["other"].(object)
			_, _, text := knock(t, other["webhookUrl"].(string)+"/told", "")
			var all []told
			if err := json.Unmarshal([]byte(text), &all); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			n := slices.IndexFunc(all, func(one told) bool { return one.Operation == "unregister" && one.WebhookURL == webhook })
			if n >= 0 && (all[n].Ctx["configuration"].(object)["token"] != "ok" || all[n].Ctx["integrationAlias"] != "good") {
				t.Errorf("it was unregistered with %v", all[n].Ctx)
			}
			return n >= 0
		})
	})
}

func TestBotOfTheSDK(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		url, lines := node(t, "bot.mjs", "BP_TOKEN=none")
		var made struct{ Bot object }
		s.Person(t).Do(t, "POST", "/v1/admin/bots", object{
			"dev": true, "url": url, "configuration": object{"data": object{"k": "v"}, "schema": object{}},
		}, &made)
		deadline := time.After(harness.Patience)
		for {
			select {
			case line := <-lines:
				text, found := strings.CutPrefix(line, "told ")
				if !found {
					continue
				}
				var ctx object
				if err := json.Unmarshal([]byte(text), &ctx); err != nil {
					t.Fatal(err)
				}
				if ctx["botId"] != made.Bot["id"] || ctx["operation"] != "register" || ctx["type"] != "register" || ctx["configuration"].(object)["k"] != "v" {
					t.Errorf("the bot was told %v", ctx)
				}
				return
			case <-deadline:
				t.Fatal("the bot was not told")
			}
		}
	})
}
