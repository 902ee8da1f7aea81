package harness

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// FarSide is what runs at the url of an integration or a bot: a server that answers
// as the SDK's do, and remembers what it was called with.
type FarSide struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []Call
	answer func(Call) Reply
}

// Call is a call that a FarSide got.
type Call struct {
	Method, Path, Operation, Webhook, Body string
	Header                                 http.Header
	At                                     time.Time
}

// Reply is what a FarSide answers. No status is 200.
type Reply struct {
	Status int
	Header map[string]string
	Body   string
}

// NewFarSide starts a far side that answers every call with 200 and {}. It ends with
// the test.
func NewFarSide(t testing.TB) *FarSide {
	t.Helper()
	f := &FarSide{answer: func(Call) Reply { return Reply{Body: "{}"} }}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *FarSide) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	call := Call{
		Method: r.Method, Path: r.URL.Path, Operation: r.Header.Get("x-bp-operation"), Webhook: r.Header.Get("x-webhook-id"),
		Body: string(body), Header: r.Header.Clone(), At: time.Now(),
	}
	f.mu.Lock()
	f.calls = append(f.calls, call)
	answer := f.answer
	f.mu.Unlock()
	a := answer(call)
	for name, value := range a.Header {
		w.Header().Set(name, value)
	}
	if a.Status == 0 {
		a.Status = http.StatusOK
	}
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, a.Body) // a caller that is gone reads nothing
}

// Answers has the far side answer what the function says, from now on. It may be
// called by many calls at once, and may wait.
func (f *FarSide) Answers(answer func(Call) Reply) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// Calls are the calls so far, in the order in which they came.
func (f *FarSide) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Told are the operations that came for a webhook, in their order; all, when it is
// empty.
func (f *FarSide) Told(webhook string) (operations []string) {
	for _, c := range f.Calls() {
		if webhook == "" || c.Webhook == webhook {
			operations = append(operations, c.Operation)
		}
	}
	return operations
}

// Await waits until the far side was told the operations of a webhook, no more and no
// less, and fails the test when that does not come.
func (f *FarSide) Await(t testing.TB, webhook string, operations ...string) {
	t.Helper()
	var told []string
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if told = f.Told(webhook); slices.Equal(told, operations) {
			return
		}
	}
	t.Fatalf("the far side was told %q, want %q", told, operations)
}
