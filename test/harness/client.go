package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/validate"
)

// Client speaks to one server and validates what it answers.
type Client struct {
	Base      string
	http      *http.Client
	validator *validate.Validator
	engine    db.Engine
}

func newClient(base string, engine db.Engine) (*Client, error) {
	c := &Client{Base: base, engine: engine, http: &http.Client{
		Timeout: Patience,
		// A server closes idle connections after two minutes: a request on one that is being
		// closed would fail, so this side closes it before.
		Transport: &http.Transport{MaxIdleConnsPerHost: 128, IdleConnTimeout: time.Minute, DisableCompression: true},
	}}
	response, err := c.http.Get(base + "/openapi.json")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	document, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	c.validator, err = validatorOf(string(document))
	return c, err
}

// validators are those of this process, by document. A suite starts hundreds of servers,
// which publish the same one, and to read it takes longer than to start a server.
var validators struct {
	sync.Mutex
	of map[string]*validate.Validator
}

func validatorOf(document string) (*validate.Validator, error) {
	validators.Lock()
	defer validators.Unlock()
	if v := validators.of[document]; v != nil {
		return v, nil
	}
	v, err := validate.New([]byte(document))
	if err != nil {
		return nil, err
	}
	if validators.of == nil {
		validators.of = map[string]*validate.Validator{}
	}
	validators.of[document] = v
	return v, nil
}

// Validator holds answers against the document that the server publishes.
func (c *Client) Validator() *validate.Validator { return c.validator }

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Fault is the body of an error.
type Fault struct {
	ID       string         `json:"id"`
	Code     int            `json:"code"`
	Type     fault.Type     `json:"type"`
	Message  string         `json:"message"`
	Metadata map[string]any `json:"metadata"`
}

// WithoutID is an error's body with its id blanked: what must not differ between
// a missing and a foreign thing.
func (a Answer) WithoutID() string {
	var f Fault
	if json.Unmarshal(a.Body, &f) != nil || f.ID == "" {
		return string(a.Body)
	}
	return strings.Replace(string(a.Body), f.ID, "err", 1)
}

// Send makes a request of any kind and validates the answer. Errors are those of
// the connection and of an answer that is not valid.
func (c *Client) Send(r *http.Request) (Answer, error) {
	response, err := c.http.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{response.StatusCode, response.Header, body}
	return a, c.check(r, a)
}

func (c *Client) check(r *http.Request, a Answer) error {
	path := r.URL.EscapedPath()
	if operation := c.validator.Operation(r.Method, path); operation != "" {
		if a.Status == http.StatusOK {
			c.note(operation)
		}
		return c.validator.Response(r.Method, path, a.Status, a.Header, a.Body)
	}
	if a.Status < 400 {
		return nil
	}
	if err := c.validator.ErrorBody(a.Status, a.Header, a.Body); err != nil {
		return fmt.Errorf("%s %s: %w", r.Method, path, err)
	}
	for _, name := range []string{"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"} {
		if _, err := strconv.Atoi(a.Header.Get(name)); err != nil {
			return fmt.Errorf("%s %s: header %s is %q, not a number", r.Method, path, name, a.Header.Get(name))
		}
	}
	return nil
}

// Actor is somebody who makes requests.
type Actor struct {
	*Client
	Token     string
	Account   string
	Email     string
	Workspace string // sent as x-workspace-id
}

// In is the actor in another workspace; empty sends no header.
func (a *Actor) In(workspace string) *Actor {
	other := *a
	other.Workspace = workspace
	return &other
}

// As is the actor with another token; empty sends none.
func (a *Actor) As(token string) *Actor {
	other := *a
	other.Token = token
	return &other
}

// Request makes a request. The body is sent as it is when it is text, bytes or a
// reader, and as JSON otherwise; nil sends none. Headers are names and values in
// turn.
func (a *Actor) Request(ctx context.Context, method, path string, body any, headers ...string) (*http.Request, error) {
	var content io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(b)
	case []byte:
		content = bytes.NewReader(b)
	case io.Reader:
		content = b
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, a.Base+path, content)
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if a.Token != "" {
		r.Header.Set("Authorization", "Bearer "+a.Token)
	}
	if a.Workspace != "" {
		r.Header.Set("x-workspace-id", a.Workspace)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r, nil
}

// Try makes a request and answers errors, for goroutines.
func (a *Actor) Try(ctx context.Context, method, path string, body any, headers ...string) (Answer, error) {
	r, err := a.Request(ctx, method, path, body, headers...)
	if err != nil {
		return Answer{}, err
	}
	return a.Send(r)
}

// Ask makes a request whose answer may be of any status.
func (a *Actor) Ask(t testing.TB, method, path string, body any, headers ...string) Answer {
	t.Helper()
	answer, err := a.Try(t.Context(), method, path, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// Do makes a request that must succeed and reads the answer into out, unless that
// is nil.
func (a *Actor) Do(t testing.TB, method, path string, body, out any, headers ...string) {
	t.Helper()
	answer := a.Ask(t, method, path, body, headers...)
	if answer.Status != http.StatusOK {
		t.Fatalf("%s %s answered %d: %.500s", method, path, answer.Status, answer.Body)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(answer.Body, out); err != nil {
		t.Fatalf("%s %s: %v in %.500s", method, path, err, answer.Body)
	}
}

// Refused makes a request that must be refused with the type, in a message that
// holds each of the words.
func (a *Actor) Refused(t testing.TB, kind fault.Type, words []string, method, path string, body any, headers ...string) Fault {
	t.Helper()
	answer := a.Ask(t, method, path, body, headers...)
	var f Fault
	if err := json.Unmarshal(answer.Body, &f); err != nil {
		t.Fatalf("%s %s answered %d: %.500s", method, path, answer.Status, answer.Body)
	}
	if f.Type != kind {
		t.Errorf("%s %s answered %d %s, want %s: %.500s", method, path, answer.Status, f.Type, kind, answer.Body)
	}
	for _, word := range words {
		if !strings.Contains(f.Message, word) {
			t.Errorf("%s %s: the message does not say %q: %s", method, path, word, f.Message)
		}
	}
	return f
}

// State is all that the actor can list: equal before and after a request that
// changed nothing.
func (a *Actor) State(t testing.TB) string {
	t.Helper()
	var all strings.Builder
	for _, path := range []string{
		"/v1/admin/account/me", "/v1/admin/account/pats", "/v1/admin/workspaces?pageSize=100", "/v1/admin/workspace-members?pageSize=100",
		"/v1/admin/bots?pageSize=100", "/v1/admin/bots?dev=true&pageSize=100", "/v1/admin/workspaces/" + a.Workspace + "/audit-records?pageSize=100",
		"/v1/admin/integrations?pageSize=100", "/v1/admin/integrations?dev=true&pageSize=100", "/v1/admin/interfaces?pageSize=100", "/v1/admin/plugins?pageSize=100",
	} {
		answer := a.Ask(t, http.MethodGet, path, nil)
		if answer.Status != http.StatusOK {
			t.Fatalf("GET %s answered %d: %.500s", path, answer.Status, answer.Body)
		}
		all.Write(answer.Body)
		all.WriteByte('\n')
	}
	return all.String()
}

// Together runs n at once and fails the test for every error.
func Together(t testing.TB, n int, do func(i int) error) {
	t.Helper()
	errs := make([]error, n)
	begin := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-begin
			errs[i] = do(i)
		})
	}
	close(begin)
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("%.4000s", err.Error())
	}
}
