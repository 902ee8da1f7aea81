package wire

import (
	"net/http"
	"testing"

	"github.com/botyard/botyard/internal/fault"
)

// A query or header that is no text is refused alike on both engines, behind the token
// and before anything is looked up.
func TestCheckTexts(t *testing.T) {
	s := newSample(t, roomy)
	const path, body = "/v1/things/1", `{"name":"n"}`
	for _, tt := range []struct {
		query   string
		headers []string
		want    fault.Type
	}{
		{query: "?tags.a=%00", want: fault.InvalidQuery},
		{query: "?tags.%00=b", want: fault.InvalidQuery},
		{query: "?tags.a=%ff", want: fault.InvalidQuery},
		{query: "?unknown=%c3%28", want: fault.InvalidQuery},
		{query: "?tags.a=%ff", headers: []string{"Authorization", "Bearer wrong"}, want: fault.Unauthorized},
		{headers: []string{"x-workspace-id", "w\xff"}, want: fault.InvalidPayload},
		{headers: []string{"x-bot-id", "\xff"}, want: fault.InvalidPayload},
		{query: "?tags.a=%C3%A9%zz&tags.b=%2500", headers: []string{"x-bot-id", "é"}},
	} {
		w := s.ask(http.MethodPut, path+tt.query, body, tt.headers...)
		if tt.want == "" {
			if w.Code != http.StatusOK {
				t.Errorf("%s %q: %d %s", tt.query, tt.headers, w.Code, w.Body)
			}
			continue
		}
		if f := told(t, w); f.Type != tt.want {
			t.Errorf("%s %q: %s, want %s", tt.query, tt.headers, w.Body, tt.want)
		}
	}
	if s.calls != 1 {
		t.Errorf("%d requests reached the handler, want 1", s.calls)
	}
}
