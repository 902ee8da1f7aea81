package exercise_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
)

// obliging is the url of a far side that registers whatever it is asked to, and lasts
// as long as the tests.
var obliging = sync.OnceValue(func() string {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a call that breaks off needs no answer
		_, _ = io.WriteString(w, "{}")
	})).URL
})
