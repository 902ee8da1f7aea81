package exercise_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

// asked is a request as the far end of a tunnel gets it.
type asked struct {
	Type, ID, Method, Path, Query string
	Headers                       map[string]string
	Body                          *string
}

// farEnd opens a tunnel as the bp command line does, and has answer answer what is
// asked. What it answers is a frame but for the request's id; nil answers nothing.
func farEnd(t *testing.T, c *harness.Client, name string, answer func(asked) object) *websocket.Conn {
	t.Helper()
	conn, response, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(c.Base, "http")+"/"+name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("a tunnel was answered %d", response.StatusCode)
	}
	conn.SetReadLimit(-1)
	t.Cleanup(func() { _ = conn.CloseNow() })
	go func() {
		for {
			_, text, err := conn.Read(context.WithoutCancel(t.Context()))
			if err != nil {
				return
			}
			var a asked
			if json.Unmarshal(text, &a) != nil || a.Type != "request" || a.ID == "" {
				_ = conn.Close(4003, "invalid request payload")
				return
			}
			go func() {
				frame := answer(a)
				if frame == nil {
					return
				}
				frame["requestId"] = a.ID
				text, err := json.Marshal(frame)
				if err == nil {
					_ = conn.Write(context.WithoutCancel(t.Context()), websocket.MessageText, text)
				}
			}()
		}
	}()
	return conn
}

// stranger is who calls the address of a tunnel: with no token.
func stranger(s *harness.Server) *harness.Actor { return &harness.Actor{Client: s.Client} }

// TestTunnel: what is asked of the address of a tunnel is what its far end gets, and
// what that answers is answered; many at once get their own answers.
func TestTunnel(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		name := uuid.NewString()
		caller := stranger(s)
		caller.Refused(t, fault.ResourceNotFound, []string{"No tunnel is open"}, "POST", "/"+name, "{}")
		conn := farEnd(t, s.Client, name, func(a asked) object {
			if a.Path == "/echo" {
				return object{"type": "response", "status": 200, "body": *a.Body}
			}
			text, err := json.Marshal(a)
			if err != nil {
				return nil
			}
			return object{"status": 201, "body": string(text), "headers": object{
				"X-Text": "t", "X-Number": 7, "X-List": []string{"a", "b"}, "X-Nothing": nil, "Content-Type": "application/json",
				"Content-Encoding": "gzip", "Content-Length": "1", "Set-Cookie": "a=b", "Access-Control-Allow-Origin": "*", "X-Bad\r\nX-Split": "1",
			}}
		})
		if err := conn.Write(t.Context(), websocket.MessageText, []byte(`{"type":"hello"}`)); err != nil {
			t.Fatal(err)
		}

		answer := caller.Ask(t, "PUT", "/"+name+"/a%2Fb/c?x=1&y=%20", `{"é":"`+"\U0001F600"+`"}`, "X-Bp-Operation", "ping", "Cookie", "a=b", "Accept-Encoding", "gzip", "Authorization", "Basic eDp5")
		var got asked
		if err := json.Unmarshal(answer.Body, &got); err != nil || answer.Status != 201 {
			t.Fatalf("answered %d %s: %v", answer.Status, answer.Body, err)
		}
		if got.Method != "PUT" || got.Path != "/a%2Fb/c" || got.Query != "x=1&y=%20" || got.Body == nil || *got.Body != `{"é":"`+"\U0001F600"+`"}` {
			t.Errorf("the far end got %+v", got)
		}
		for name, want := range map[string]string{"x-bp-operation": "ping", "authorization": "Basic eDp5", "content-type": "application/json", "cookie": "", "accept-encoding": "", "content-length": "", "connection": ""} {
			if got.Headers[name] != want {
				t.Errorf("the far end got %s: %q, want %q", name, got.Headers[name], want)
			}
		}
		for name, want := range map[string]string{"X-Text": "t", "X-Number": "7", "X-List": "a,b", "X-Nothing": "", "Content-Encoding": "", "Set-Cookie": "", "Access-Control-Allow-Origin": "", "X-Split": ""} {
			if got := strings.Join(answer.Header.Values(name), ","); got != want {
				t.Errorf("answered with %s: %q, want %q", name, got, want)
			}
		}
		if !strings.Contains(answer.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("a page through a tunnel would act as one of this server: %v", answer.Header)
		}

		var nothing asked
		if err := json.Unmarshal(caller.Ask(t, "GET", "/"+name, nil).Body, &nothing); err != nil || nothing.Path != "/" || nothing.Query != "" || nothing.Body != nil {
			t.Errorf("without path and body it got %+v (%v)", nothing, err)
		}
		harness.Together(t, 64, func(i int) error {
			text := strings.Repeat(fmt.Sprint(i), 1000)
			answer, err := caller.Try(t.Context(), "POST", "/"+name+"/echo", text)
			if err == nil && string(answer.Body) != text {
				err = fmt.Errorf("%d got the answer of another: %.20s", i, answer.Body)
			}
			return err
		})
		caller.Refused(t, fault.UnsupportedMediaType, []string{"UTF-8"}, "POST", "/"+name+"/echo", []byte{0xff, 0xfe})
		caller.Refused(t, fault.PayloadTooLarge, nil, "POST", "/"+name+"/echo", bytes.Repeat([]byte("x"), 4<<20+1))
		most := strings.Repeat("\"", 4<<20)
		if answer := caller.Ask(t, "POST", "/"+name+"/echo", most); string(answer.Body) != most {
			t.Errorf("the largest body came back as %d bytes with %d", len(answer.Body), answer.Status)
		}
	})
}

// TestTunnelThatFails: whatever the far end answers, its callers are told, and others are
// not troubled.
func TestTunnelThatFails(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		caller := stranger(s)
		other := uuid.NewString()
		farEnd(t, s.Client, other, ok)
		for what, frame := range map[string]object{
			"no status": {}, "a status that is none": {"status": 99}, "a switch of protocols": {"status": 101}, "a status that is no number": {"status": "ok"},
			"a body that is no text": {"status": 200, "body": object{}},
		} {
			name := uuid.NewString()
			farEnd(t, s.Client, name, func(asked) object { return frame })
			t.Run(what, func(t *testing.T) {
				caller.Refused(t, fault.Internal, []string{"closed"}, "GET", "/"+name, nil)
				harness.Eventually(t, "the tunnel to be gone", func() bool { return caller.Ask(t, "GET", "/"+name, nil).Status == 404 })
			})
		}

		large := uuid.NewString()
		farEnd(t, s.Client, large, func(asked) object { return object{"status": 200, "body": strings.Repeat("x", 5<<20)} })
		caller.Refused(t, fault.Internal, []string{"larger"}, "GET", "/"+large, nil)
		larger := uuid.NewString()
		farEnd(t, s.Client, larger, func(asked) object { return object{"status": 200, "body": strings.Repeat("x", 20<<20)} })
		caller.Refused(t, fault.Internal, []string{"closed"}, "GET", "/"+larger, nil)

		heavy := uuid.NewString()
		farEnd(t, s.Client, heavy, func(asked) object {
			return object{"status": 200, "headers": object{"X-Heavy": strings.Repeat("x", 100<<10)}}
		})
		caller.Refused(t, fault.Internal, []string{"headers", "larger"}, "GET", "/"+heavy, nil)

		if answer := caller.Ask(t, "GET", "/"+other, nil); string(answer.Body) != "ok" {
			t.Errorf("another tunnel answered %d %s", answer.Status, answer.Body)
		}
	})
}

// ok is the answer of a far end that is well.
func ok(asked) object { return object{"status": 200, "body": "ok"} }

// TestTunnelThatIsSilent: a far end that answers nothing, or never ends an answer, has the
// time of a call.
func TestTunnelThatIsSilent(t *testing.T) {
	harness.RunAlone(t, []string{"--call-timeout", "2s"}, func(t *testing.T, s *harness.Server) {
		caller := stranger(s)
		silent := uuid.NewString()
		farEnd(t, s.Client, silent, func(asked) object { return nil })
		caller.Refused(t, fault.OperationTimeout, []string{"2s"}, "GET", "/"+silent, nil)

		endless := uuid.NewString()
		half, err := farEnd(t, s.Client, endless, ok).Writer(t.Context(), websocket.MessageText)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := half.Write(bytes.Repeat([]byte(" "), 64<<10)); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, "the tunnel with a frame that never ends to be gone", func() bool { return caller.Ask(t, "GET", "/"+endless, nil).Status == 404 })
	})
}

// TestTunnelIsHeld: who knows the address of a tunnel cannot take it from a far end that
// is there. One that is silent is replaced.
func TestTunnelIsHeld(t *testing.T) {
	harness.RunAlone(t, nil, func(t *testing.T, s *harness.Server) {
		caller, name := stranger(s), uuid.NewString()
		address := "ws" + strings.TrimPrefix(s.Base, "http") + "/" + name
		// Nothing reads from this connection, so it answers no ping.
		silent, _, err := websocket.Dial(t.Context(), address, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = silent.CloseNow() })
		owner := farEnd(t, s.Client, name, func(asked) object { return object{"status": 200, "body": "the owner"} })
		if _, _, err := silent.Read(t.Context()); websocket.CloseStatus(err) != 4001 {
			t.Errorf("the silent far end was closed with %v, want the code 4001", err)
		}

		harness.Together(t, 8, func(int) error {
			conn, response, err := websocket.Dial(t.Context(), address, nil)
			if err == nil {
				_ = conn.CloseNow()
				return errors.New("a stranger took over the tunnel")
			}
			if response == nil || response.StatusCode != http.StatusConflict {
				return fmt.Errorf("a stranger was refused with %v: %w", response, err)
			}
			return nil
		})
		if answer := caller.Ask(t, "GET", "/"+name, nil); string(answer.Body) != "the owner" {
			t.Errorf("the tunnel answered %d %s", answer.Status, answer.Body)
		}
		_ = owner.Close(websocket.StatusNormalClosure, "")
		harness.Eventually(t, "the tunnel to be gone", func() bool { return caller.Ask(t, "GET", "/"+name, nil).Status == 404 })
		farEnd(t, s.Client, name, func(asked) object { return object{"status": 200, "body": "again"} })
		if answer := caller.Ask(t, "GET", "/"+name, nil); string(answer.Body) != "again" {
			t.Errorf("the tunnel that was opened again answered %d %s", answer.Status, answer.Body)
		}
	})
}

// TestTunnelAtItsLimit: answers need no place among the calls, so a tunnel that has as
// many under way as it can goes on.
func TestTunnelAtItsLimit(t *testing.T) {
	const most = 4
	harness.RunAlone(t, []string{"--webhook-concurrency", fmt.Sprint(most)}, func(t *testing.T, s *harness.Server) {
		caller, name := stranger(s), uuid.NewString()
		var all sync.WaitGroup
		all.Add(most)
		farEnd(t, s.Client, name, func(asked) object {
			all.Done()
			all.Wait()
			return object{"status": 200, "body": "ok"}
		})
		harness.Together(t, most, func(int) error {
			answer, err := caller.Try(t.Context(), "GET", "/"+name, nil)
			if err == nil && string(answer.Body) != "ok" {
				err = fmt.Errorf("answered %d %s", answer.Status, answer.Body)
			}
			return err
		})
	})
}

// TestTunnelHandshake: what is no tunnel's far end opens none, and says why in the form
// of every other error.
func TestTunnelHandshake(t *testing.T) {
	harness.RunAlone(t, nil, func(t *testing.T, s *harness.Server) {
		caller, name := stranger(s), uuid.NewString()
		upgrade := func(headers ...string) []string {
			return append([]string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}, headers...)
		}
		caller.Refused(t, fault.InvalidPayload, []string{"web socket"}, "GET", "/"+name, nil, upgrade("Sec-WebSocket-Version", "8")...)
		caller.Refused(t, fault.InvalidPayload, []string{"web socket"}, "GET", "/"+name, nil, upgrade("Upgrade", "h2c")...)
		caller.Refused(t, fault.InvalidPayload, []string{"web socket"}, "POST", "/"+name, "{}", upgrade()...)
		caller.Refused(t, fault.Forbidden, []string{"page"}, "GET", "/"+name, nil, upgrade("Origin", "https://evil.example.com")...)
		for _, wrong := range []string{"/livez-", "/" + strings.ToUpper(name), "/" + name + "x", "/00000000-0000-1000-8000-000000000000"} {
			caller.Refused(t, fault.ResourceNotFound, []string{"no operation"}, "GET", wrong, nil, upgrade()...)
		}
	})
}

// TestDevelopmentBotIsRegistered: a bot that runs behind a tunnel is registered there.
func TestDevelopmentBotIsRegistered(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, name := s.Person(t), uuid.NewString()
		calls := make(chan asked, 16)
		farEnd(t, s.Client, name, func(got asked) object {
			calls <- got
			return object{"status": 200, "body": "{}"}
		})
		bot := createBot(t, a, object{"dev": true, "url": s.Base + "/" + name})
		select {
		case got := <-calls:
			if got.Method != "POST" || got.Headers["x-bot-id"] != bot["id"] || got.Headers["x-bp-operation"] != "register" {
				t.Errorf("it was called with %+v", got)
			}
		case <-time.After(harness.Patience):
			t.Error("it was not called")
		}
	})
}

// TestTunnelsAreAskedFor: a server that is not told to have tunnels has none, and one
// that has some ends all the same.
func TestTunnelsAreAskedFor(t *testing.T) {
	for _, engine := range harness.Engines {
		t.Run(string(engine), func(t *testing.T) {
			name := uuid.NewString()
			p := harness.StartBinary(t, t.TempDir(), harness.DatabaseURL(t, engine))
			(&harness.Actor{Client: p.Client}).Refused(t, fault.ResourceNotFound, []string{"no operation"}, "GET", "/"+name, nil)
			p = harness.StartBinary(t, t.TempDir(), harness.DatabaseURL(t, engine), "--tunnels", "--shutdown-timeout", "5m")
			conn := farEnd(t, p.Client, name, func(asked) object { return object{"status": 200} })
			(&harness.Actor{Client: p.Client}).Do(t, "GET", "/"+name, nil, nil)
			started := time.Now()
			p.Stop(t)
			if took := time.Since(started); took > time.Minute {
				t.Errorf("the server took %s to end, because of a tunnel", took)
			}
			harness.Eventually(t, "the tunnel to end with the server", func() bool {
				return conn.Write(t.Context(), websocket.MessageText, []byte(`{"type":"hello"}`)) != nil
			})
		})
	}
}
