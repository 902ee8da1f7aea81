package exercise_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

// Bodies that are not what an operation asks for.
func TestBodies(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		nested := strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)
		for _, path := range []string{botsPath, workspacesPath} {
			refuses(t, a, "POST", path, []refusal{
				{"empty", "", fault.InvalidPayload, nil},
				{"blank", " \n", fault.InvalidPayload, nil},
				{"text", "name=x", fault.InvalidPayload, []string{"JSON"}},
				{"an array", `[{"name":"x"}]`, fault.InvalidPayload, []string{"object"}},
				{"a string", `"x"`, fault.InvalidPayload, []string{"object"}},
				{"null", `null`, fault.InvalidPayload, nil},
				{"cut off", `{"name":"x"`, fault.InvalidPayload, []string{"JSON"}},
				{"two values", `{"name":"x"}{"name":"y"}`, fault.InvalidPayload, []string{"JSON"}},
				{"a comma too many", `{"name":"x",}`, fault.InvalidPayload, []string{"JSON"}},
				{"a control character", "{\"name\":\"a\nb\"}", fault.InvalidPayload, []string{"JSON"}},
				{"no UTF-8", "{\"name\":\"a\xff\xfeb\"}", fault.InvalidPayload, []string{"UTF-8", "10"}},
				{"half a character", "{\"name\":\"a\xc3\"}", fault.InvalidPayload, []string{"UTF-8"}},
				{"duplicate members", `{"name":"x","name":"y"}`, fault.InvalidPayload, []string{"duplicate", "name"}},
				{"100,000 levels", `{"name":"x","unknown":` + nested + `}`, fault.InvalidPayload, nil},
				{"100,000 lists", strings.Repeat("[", 100_000), fault.InvalidPayload, nil},
			})
		}
		// Names of other case are other names, and unknown ones are ignored.
		a.Refused(t, fault.InvalidPayload, []string{"name"}, "POST", workspacesPath, object{"Name": "x"})
		// A lone surrogate never breaks what is read later.
		for _, body := range []string{`{"name":"a\ud800b"}`, `{"name":"\udc00"}`} {
			if answer := a.Ask(t, "POST", workspacesPath, body); answer.Status >= 500 {
				t.Errorf("%s answered %d", body, answer.Status)
			}
		}
		a.Do(t, "GET", workspacesPath+"?pageSize=100", nil, nil)
	})
}

func TestContentTypes(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		for _, good := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"} {
			a.Do(t, "POST", botsPath, `{"name":"x"}`, nil, "Content-Type", good)
		}
		before := a.State(t)
		for _, bad := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=latin1", "application/xml", "nonsense; ;"} {
			a.Refused(t, fault.UnsupportedMediaType, nil, "POST", botsPath, `{"name":"x"}`, "Content-Type", bad)
		}
		a.Refused(t, fault.UnsupportedMediaType, []string{"br", "gzip"}, "POST", botsPath, `{"name":"x"}`, "Content-Encoding", "br")
		if a.State(t) != before {
			t.Error("a refused content type changed something")
		}
	})
}

func zipped(t *testing.T, content io.Reader) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.Copy(w, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// zeros is an endless reader.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestGzip(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		good := zipped(t, strings.NewReader(`{"name":"zipped","code":"`+strings.Repeat("x", 2<<20)+`"}`))
		var made struct{ Bot object }
		a.Do(t, "POST", botsPath, good, &made, "Content-Encoding", "gzip")
		if made.Bot["name"] != "zipped" {
			t.Errorf("the bot is %v", made.Bot)
		}
		before := a.State(t)
		bomb := zipped(t, io.LimitReader(zeros{}, 256<<20))
		for name, sent := range map[string]struct {
			body []byte
			kind fault.Type
			path string
		}{
			"no gzip":           {[]byte(`{"name":"x"}`), fault.InvalidPayload, botsPath},
			"empty":             {nil, fault.InvalidPayload, botsPath},
			"cut off":           {good[:len(good)/2], fault.InvalidPayload, botsPath},
			"broken check":      {append(bytes.Clone(good[:len(good)-8]), make([]byte, 8)...), fault.InvalidPayload, botsPath},
			"a bomb":            {bomb, fault.PayloadTooLarge, botsPath},
			"a bomb for little": {bomb, fault.PayloadTooLarge, workspacesPath},
		} {
			t.Run(name, func(t *testing.T) {
				a.Refused(t, sent.kind, nil, "POST", sent.path, sent.body, "Content-Encoding", "gzip")
				a.Refused(t, sent.kind, nil, "POST", sent.path, sent.body, "Content-Encoding", "gzip", "Idempotency-Key", "zip "+name)
			})
		}
		if a.State(t) != before {
			t.Error("a refused body changed something")
		}
	})
}

func TestBodyLimits(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		fill := func(size int) string { // a valid body of exactly that size
			const head, tail = `{"name":"x","unknown":"`, `"}`
			return head + strings.Repeat("x", size-len(head)-len(tail)) + tail
		}
		const small, code = 1 << 20, 64 << 20
		a.Do(t, "POST", workspacesPath, fill(small), nil)
		a.Do(t, "POST", botsPath, fill(code), nil)
		before := a.State(t)
		for _, over := range []struct {
			path string
			size int
		}{{workspacesPath, small + 1}, {botsPath, code + 1}} {
			body := fill(over.size)
			a.Refused(t, fault.PayloadTooLarge, []string{"MiB"}, "POST", over.path, body)
			// Without a length, the size is only known while it is read.
			a.Refused(t, fault.PayloadTooLarge, []string{"MiB"}, "POST", over.path, io.MultiReader(strings.NewReader(body)))
		}
		a.Refused(t, fault.PayloadTooLarge, nil, "POST", workspacesPath, strings.NewReader(fill(small+1)), "Idempotency-Key", "too large")
		// A bad token is told of before the size of a body.
		a.As("bp_pat_bad").Refused(t, fault.Unauthorized, nil, "POST", workspacesPath, fill(small+1))
		if a.State(t) != before {
			t.Error("a body that was too large changed something")
		}
	})
}

// A caller that stops sending is answered, and keeps nothing busy.
func TestSlowBody(t *testing.T) {
	harness.RunAlone(t, []string{"--read-timeout", "3s", "--read-header-timeout", "3s"}, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		before := a.State(t)
		unfinished := []string{
			fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"name\":", workspacesPath, a.Token),
			"GET " + mePath + " HTTP/1.1\r\nHost: x\r\nAuthoriz",
		}
		var connections []net.Conn
		for _, request := range unfinished {
			connection, err := net.Dial("tcp", strings.TrimPrefix(s.Base, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			if _, err := io.WriteString(connection, request); err != nil {
				t.Fatal(err)
			}
			connections = append(connections, connection)
		}
		for i, connection := range connections {
			if err := connection.SetReadDeadline(time.Now().Add(harness.Patience)); err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(bufio.NewReader(connection), nil)
			if err != nil {
				// The server may close a connection that never sent a request.
				if strings.HasPrefix(unfinished[i], "GET") && (err == io.ErrUnexpectedEOF || err == io.EOF) {
					continue
				}
				t.Fatal(err)
			}
			if response.StatusCode < 400 || response.StatusCode >= 500 && response.StatusCode != 504 {
				t.Errorf("a body that stalls is answered %d", response.StatusCode)
			}
			response.Body.Close()
		}
		if a.State(t) != before {
			t.Error("a body that stalled changed something")
		}
	})
}

// One account that dawdles with large bodies keeps no other from sending one.
func TestDawdlingUploads(t *testing.T) {
	harness.RunAlone(t, []string{"--max-parallel-uploads", "4"}, func(t *testing.T, s *harness.Server) {
		slow, other := s.Person(t), s.Person(t)
		const begun, announced = 32 << 20, 33 << 20
		sent := make(chan struct{}, 6)
		for range cap(sent) {
			connection, err := net.Dial("tcp", strings.TrimPrefix(s.Base, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			_, err = fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nx-workspace-id: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n{\"code\":\"",
				botsPath, slow.Token, slow.Workspace, announced)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				if _, err := io.WriteString(connection, strings.Repeat("x", begun)); err == nil {
					sent <- struct{}{}
				}
			}()
		}
		// What waits for a place is not read, and more is sent than fits on the way: these
		// two have the places that one account may take.
		for range 2 {
			<-sent
		}
		started := time.Now()
		harness.Together(t, 2, func(int) error {
			answer, err := other.Try(t.Context(), "POST", botsPath, object{"code": strings.Repeat("y", 2<<20)})
			if err == nil && answer.Status != 200 {
				err = fmt.Errorf("answered %d: %.200s", answer.Status, answer.Body)
			}
			return err
		})
		if took := time.Since(started); took > time.Minute { // the slow one is given five
			t.Errorf("the other account waited %s", took)
		}
	})
}
