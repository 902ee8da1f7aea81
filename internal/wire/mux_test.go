package wire

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/secret"
)

// sample is a Mux over a real database and real tokens, with operations that do
// what a test asks of them.
type sample struct {
	*Mux
	db    *db.DB
	token string
	log   *strings.Builder
	calls int
	last  thingInput
}

type thingBody struct {
	Name  string        `json:"name" minLength:"1" maxLength:"5"`
	Count Patch[int]    `json:"count,omitzero"`
	More  *thingBodyTwo `json:"more,omitempty"`
}

type thingBodyTwo struct {
	Kind string `json:"kind" enum:"a,b"`
}

type thingInput struct {
	ID   string         `path:"id"`
	Tags Map            `dotted:"tags"`
	Dev  Optional[bool] `query:"dev"`
	Body thingBody
}

// unwritable cannot be encoded.
type unwritable struct{}

func (unwritable) MarshalJSONTo(*jsontext.Encoder) error { return errors.New("the cause is secret") }

type thingOutput struct {
	Body struct {
		Name string `json:"name"`
	}
}

func newSample(t *testing.T, limits Limits) *sample {
	t.Helper()
	d, err := db.Open(t.Context(), db.Options{Dir: t.TempDir(), Synchronous: "NORMAL"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &sample{db: d, log: &strings.Builder{}}
	log := slog.New(slog.NewTextHandler(s.log, nil))
	tokens := access.New(d, clock.System(), log)
	account := id.NewAccount()
	err = d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO accounts (id, email, email_key, email_verified, created_at) VALUES ($1, 'a@example.com', 'a@example.com', TRUE, 0)`, string(account)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO members (id, workspace_id, account_id, email, email_key, role, created_at) VALUES ('m', 'w', $1, 'a@example.com', 'a@example.com', 'viewer', 0)`, string(account)); err != nil {
			return err
		}
		_, s.token, err = tokens.CreatePAT(ctx, tx, account, "", time.Time{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	limits.Time, limits.CodeTime = time.Minute, time.Minute
	s.Mux = New(Options{Access: tokens, Keys: secret.New(), DB: d, Clock: clock.System(), Log: log, Limits: limits})
	Register(s.Mux, Operation{ID: "putThing", Method: http.MethodPut, Path: "/v1/things/{id}", Scope: InHeader, Permission: access.BotRead},
		func(_ context.Context, in *thingInput) (*thingOutput, error) {
			s.calls++
			s.last = *in
			out := &thingOutput{}
			out.Body.Name = in.Body.Name
			return out, nil
		})
	open := func(id string, permission access.Permission, scope Scope, handler func(context.Context, *struct{}) (*struct{ Body any }, error)) {
		Register(s.Mux, Operation{ID: id, Method: http.MethodPost, Path: "/v1/" + id, Scope: scope, Permission: permission}, handler)
	}
	open("panics", access.Self, Outside, func(context.Context, *struct{}) (*struct{ Body any }, error) { panic("the cause is secret") })
	open("fails", access.Self, Outside, func(context.Context, *struct{}) (*struct{ Body any }, error) {
		return nil, errors.New("the cause is secret")
	})
	open("breaks", access.Self, Outside, func(context.Context, *struct{}) (*struct{ Body any }, error) {
		return &struct{ Body any }{unwritable{}}, nil
	})
	open("refuses", access.Self, Outside, func(context.Context, *struct{}) (*struct{ Body any }, error) {
		return nil, fault.New(fault.RateLimited, "Later.").With("limit", 1).After(1500 * time.Millisecond)
	})
	open("writes", access.BotWrite, InHeader, func(context.Context, *struct{}) (*struct{ Body any }, error) {
		s.calls++
		return &struct{ Body any }{Empty{}}, nil
	})
	return s
}

const small = 1 << 10

var roomy = Limits{Body: small, CodeBody: 2 * small, PerToken: 1000, PerWorkspace: 1000}

func (s *sample) ask(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+s.token)
	r.Header.Set("x-workspace-id", "w")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

var errorID = regexp.MustCompile(`^err_\d{14}x[0-9A-F]{8}$`)

// told reads an error answer and checks its form.
func told(t *testing.T, w *httptest.ResponseRecorder) Fault {
	t.Helper()
	var f Fault
	if err := json.Unmarshal(w.Body.Bytes(), &f); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	if !errorID.MatchString(f.ID) || f.Code != w.Code || f.Type.Status() != w.Code || f.Message == "" || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %v: %s is not an error of the public form", w.Code, w.Header(), w.Body)
	}
	if strings.Contains(w.Body.String(), "secret") {
		t.Errorf("the cause leaked: %s", w.Body)
	}
	return f
}

func TestFailures(t *testing.T) {
	s := newSample(t, roomy)
	for _, operation := range []string{"panics", "fails", "breaks"} {
		t.Run(operation, func(t *testing.T) {
			s.log.Reset()
			w := s.ask(http.MethodPost, "/v1/"+operation, "")
			f := told(t, w)
			if f.Type != fault.Internal {
				t.Errorf("answered %s", w.Body)
			}
			if log := s.log.String(); !strings.Contains(log, f.ID) || !strings.Contains(log, "the cause is secret") || !strings.Contains(log, operation) {
				t.Errorf("the log does not tell the cause by the error's id: %s", log)
			}
			if strings.Contains(s.log.String(), s.token) {
				t.Error("the log holds the token")
			}
		})
	}
	w := s.ask(http.MethodPost, "/v1/refuses", "")
	if f := told(t, w); f.Type != fault.RateLimited || f.Metadata["limit"] != 1.0 || w.Header().Get("Retry-After") != "2" {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
}

func TestUnrouted(t *testing.T) {
	s := newSample(t, roomy)
	for _, tt := range []struct {
		method, path string
		want         fault.Type
	}{
		{http.MethodGet, "/", fault.ResourceNotFound},
		{http.MethodGet, "/v1/nothing", fault.ResourceNotFound},
		{http.MethodGet, "/v1/things/" + strings.Repeat("x", 5000) + "/y", fault.ResourceNotFound},
		{http.MethodDelete, "/v1/things/1", fault.MethodNotFound},
		{"BREW", "/v1/things/1", fault.MethodNotFound},
	} {
		w := s.ask(tt.method, tt.path, "")
		if f := told(t, w); f.Type != tt.want || len(f.Message) > 400 {
			t.Errorf("%s %.30s: %s", tt.method, tt.path, w.Body)
		}
	}
}

// TestGate: what is wrong is told in the order token, workspace, permission,
// parameters, body; and nothing reaches the handler.
func TestGate(t *testing.T) {
	s := newSample(t, roomy)
	const bad = `{"name":`
	for _, tt := range []struct {
		name, method, target, body string
		headers                    []string
		want                       fault.Type
		says                       string
	}{
		{"no token", "PUT", "/v1/things/1?dev=maybe", bad, []string{"Authorization", ""}, fault.Unauthorized, "Authorization"},
		{"unknown token", "PUT", "/v1/things/1?dev=maybe", bad, []string{"Authorization", "Bearer " + access.NewTokenValue(access.PAT)}, fault.Unauthorized, "not known"},
		{"no workspace", "PUT", "/v1/things/1?dev=maybe", bad, []string{"x-workspace-id", ""}, fault.InvalidPayload, "request/headers must have required property 'x-workspace-id'"},
		{"another workspace", "PUT", "/v1/things/1?dev=maybe", bad, []string{"x-workspace-id", "w2"}, fault.ResourceNotFound, "w2"},
		{"no permission", "POST", "/v1/writes", bad, nil, fault.Forbidden, "viewer"},
		{"a wrong parameter", "PUT", "/v1/things/1?dev=maybe", `{"name":"n"}`, nil, fault.InvalidQuery, "dev"},
		{"a body that is none", "PUT", "/v1/things/1", bad, nil, fault.InvalidPayload, "JSON"},
		{"no body", "PUT", "/v1/things/1", "", nil, fault.InvalidPayload, "body"},
		{"a missing field", "PUT", "/v1/things/1", `{}`, nil, fault.InvalidPayload, "name"},
		{"too long a field", "PUT", "/v1/things/1", `{"name":"sixsix"}`, nil, fault.InvalidPayload, "name"},
		{"an unknown value", "PUT", "/v1/things/1", `{"name":"n","more":{"kind":"c"}}`, nil, fault.InvalidPayload, "kind"},
		{"another case of a name", "PUT", "/v1/things/1", `{"Name":"n"}`, nil, fault.InvalidPayload, "name"},
		{"another content type", "PUT", "/v1/things/1", `{"name":"n"}`, []string{"Content-Type", "text/plain"}, fault.UnsupportedMediaType, "text/plain"},
		{"another encoding", "PUT", "/v1/things/1", `{"name":"n"}`, []string{"Content-Encoding", "br"}, fault.UnsupportedMediaType, "br"},
		{"broken gzip", "PUT", "/v1/things/1", `{"name":"n"}`, []string{"Content-Encoding", "gzip"}, fault.InvalidPayload, "gzip"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := s.ask(tt.method, tt.target, tt.body, tt.headers...)
			if f := told(t, w); f.Type != tt.want || !strings.Contains(f.Message, tt.says) {
				t.Errorf("answered %s, want %s that says %q", w.Body, tt.want, tt.says)
			}
			if w.Header().Get("RateLimit-Limit") == "" {
				t.Error("the answer has no RateLimit headers")
			}
		})
	}
	if s.calls != 0 {
		t.Errorf("%d of the requests reached the handler", s.calls)
	}
}

func TestInput(t *testing.T) {
	s := newSample(t, roomy)
	w := s.ask(http.MethodPut, "/v1/things/a%2Fb?dev=false&tags.a.b=c%20d&unknown=1&tags.a=", `{"name":"n","count":null,"unknown":{"x":1}}`)
	if w.Code != http.StatusOK || w.Body.String() != `{"name":"n"}` || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	in := s.last
	if in.ID != "a/b" || !in.Dev.Given || in.Dev.Value || len(in.Tags) != 2 || in.Tags["a.b"] != "c d" || !in.Body.Count.IsNull() {
		t.Errorf("the handler was given %+v", in)
	}
	s.ask(http.MethodPut, "/v1/things/1", `{"name":"n"}`)
	if in = s.last; in.Dev.Given || in.Tags != nil || !in.Body.Count.IsZero() {
		t.Errorf("what was absent came as %+v", in)
	}
}

// TestBodyLimit: a body of exactly the limit is read, one byte more is not, with
// its length declared or not.
func TestBodyLimit(t *testing.T) {
	s := newSample(t, roomy)
	pad := func(size int) string {
		const body = `{"name":"n","x":""}`
		return strings.Replace(body, `""`, `"`+strings.Repeat("x", size-len(body))+`"`, 1)
	}
	for _, declared := range []bool{true, false} {
		for size, want := range map[int]int{small - 1: 200, small: 200, small + 1: 413, 20 * small: 413} {
			var body io.Reader = strings.NewReader(pad(size))
			if !declared {
				body = io.MultiReader(body) // hides the length
			}
			r := httptest.NewRequest(http.MethodPut, "/v1/things/1", body)
			r.Header.Set("Authorization", "Bearer "+s.token)
			r.Header.Set("x-workspace-id", "w")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%d bytes, length declared %t: %d %s", size, declared, w.Code, w.Body)
			}
			if want == 413 && told(t, w).Type != fault.PayloadTooLarge {
				t.Errorf("%d bytes: %s", size, w.Body)
			}
		}
	}
}

func TestRateLimits(t *testing.T) {
	limits := roomy
	limits.PerToken, limits.PerWorkspace = 1000, 2
	s := newSample(t, limits)
	statuses := map[int]int{}
	began := time.Now()
	for range 20 {
		statuses[s.ask(http.MethodPut, "/v1/things/1", `{"name":"n"}`).Code]++
	}
	most := 2 * (1 + int(time.Since(began)/time.Second) + 1)
	if statuses[200] < 2 || statuses[200] > most || statuses[200]+statuses[429] != 20 {
		t.Errorf("answers by status: %v, of which %d may be 200", statuses, most)
	}
	w := s.ask(http.MethodPut, "/v1/things/1", `{"name":"n"}`)
	for w.Code == 200 {
		w = s.ask(http.MethodPut, "/v1/things/1", `{"name":"n"}`)
	}
	if f := told(t, w); f.Type != fault.RateLimited || w.Header().Get("Retry-After") != "1" || w.Header().Get("RateLimit-Remaining") != "0" || w.Header().Get("RateLimit-Limit") != "2" {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
}

func TestRegisterNeedsPermission(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an operation without a permission was registered")
		}
	}()
	Register(newSample(t, roomy).Mux, Operation{ID: "open", Method: http.MethodGet, Path: "/v1/open"},
		func(context.Context, *struct{}) (*struct{ Body Empty }, error) { return nil, nil })
}

func TestDocumentIsClosed(t *testing.T) {
	s := newSample(t, roomy)
	var d map[string]any
	if err := json.Unmarshal(s.Document(), &d); err != nil {
		t.Fatal(err)
	}
	text := string(s.Document())
	if strings.Contains(text, "$schema") || !strings.Contains(text, `"operationId": "putThing"`) || !strings.Contains(text, `"openapi": "3.0.3"`) {
		t.Errorf("the document reads\n%s", text)
	}
}
