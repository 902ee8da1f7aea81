package clients

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"sync"
	"testing"

	"github.com/botyard/botyard/test/validate"
)

// witness stands between the clients and the server. It changes nothing: it holds
// every answer against the document of the server and remembers what it saw.
type witness struct {
	url       string
	validator *validate.Validator

	mutex   sync.Mutex
	wrong   []string
	success map[string]int
}

// ingestPath is where the scenarios put what bots would report.
const ingestPath = "/v1/ingest"

// tunnelPath is that of the tunnels which "bp dev" opens.
var tunnelPath = regexp.MustCompile(`^/[0-9a-f]{8}-[0-9a-f-]{27}(/|$)`)

// maxWrong bounds what is reported: one defect shows in many answers.
const maxWrong = 20

func watch(t *testing.T, s *server) *witness {
	t.Helper()
	target, err := url.Parse(s.Base)
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{validator: s.Validator(), success: map[string]int{}}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	transport.DisableCompression = true // the clients say what they accept
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:      transport,
		ModifyResponse: w.see,
		ErrorHandler: func(answer http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				w.note(fmt.Sprintf("%s %s: no answer: %v", r.Method, r.URL.EscapedPath(), err))
			}
			answer.WriteHeader(http.StatusBadGateway)
		},
	})
	t.Cleanup(front.Close)
	w.url = front.URL
	return w
}

// see checks one answer and passes it on as it is.
func (w *witness) see(response *http.Response) error {
	if tunnelPath.MatchString(response.Request.URL.Path) {
		return nil // what "bp dev" runs answers as it likes
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		return err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	method, path := response.Request.Method, response.Request.URL.EscapedPath()
	if path == ingestPath {
		// What bots report is no operation of the document; the exercise suite holds its
		// answers against what was sent.
		return nil
	}
	if err := w.validator.Response(method, path, response.StatusCode, response.Header, body); err != nil {
		w.note(fmt.Sprintf("%v\n%s", err, tail(body)))
		return nil
	}
	if response.StatusCode == http.StatusOK {
		w.mutex.Lock()
		defer w.mutex.Unlock()
		w.success[w.validator.Operation(method, path)]++
	}
	return nil
}

func (w *witness) note(wrong string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.wrong = append(w.wrong, wrong)
}

// violations are the answers that were not valid, the first of many.
func (w *witness) violations() []string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if more := len(w.wrong) - maxWrong; more > 0 {
		return append(w.wrong[:maxWrong:maxWrong], fmt.Sprintf("and %d more", more))
	}
	return w.wrong
}

// succeeded counts the successful answers of an operation.
func (w *witness) succeeded(operation string) int {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.success[operation]
}
