package wire

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCrossOrigin(t *testing.T) {
	tests := []struct {
		name                    string
		method, origin, asksFor string
		preflight, allowed      bool
	}{
		{"no page", http.MethodGet, "", "", false, false},
		{"a page", http.MethodGet, "https://app.example.com", "", false, true},
		{"a page of no origin", http.MethodPost, "null", "", false, true},
		{"a preflight", http.MethodOptions, "http://localhost:3000", "PUT", true, true},
		{"OPTIONS without a question", http.MethodOptions, "http://localhost:3000", "", false, true},
		{"a question without an origin", http.MethodOptions, "", "PUT", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, "/v1/admin/bots", nil)
			if tt.origin != "" {
				r.Header.Set("Origin", tt.origin)
			}
			if tt.asksFor != "" {
				r.Header.Set("Access-Control-Request-Method", tt.asksFor)
			}
			h := http.Header{}
			if got := crossOrigin(h, r); got != tt.preflight {
				t.Errorf("preflight is %t", got)
			}
			if !tt.allowed {
				if len(h) > 0 {
					t.Errorf("headers %v for who is no page", h)
				}
				return
			}
			if h.Get("Access-Control-Allow-Origin") != tt.origin || h.Get("Access-Control-Allow-Credentials") != "true" || h.Get("Vary") != "Origin" {
				t.Errorf("headers %v, want the origin %s echoed, with credentials", h, tt.origin)
			}
			if got := h.Get("Access-Control-Allow-Headers"); tt.preflight != strings.Contains(got, "x-workspace-id") {
				t.Errorf("allowed headers are %q", got)
			}
		})
	}
}

func TestBearer(t *testing.T) {
	for header, want := range map[string]string{
		"Bearer abc": "abc", "bearer abc": "abc", "BEARER abc": "abc", "Bearer ": "", "Bearer  abc": " abc",
		"": "", "Bearer": "", "Basic abc": "", "abc": "", "Bearer\tabc": "", "Bearerabc": "", "ſearer abc": "",
	} {
		if got := bearer(header); got != want {
			t.Errorf("%q holds %q, want %q", header, got, want)
		}
	}
}

func FuzzBearer(f *testing.F) {
	f.Add("Bearer abc")
	f.Add("bearer")
	f.Fuzz(func(t *testing.T, header string) {
		scheme, token, found := strings.Cut(header, " ")
		want := ""
		if found && len(scheme) == len("bearer") && strings.ToLower(scheme) == "bearer" {
			want = token
		}
		if got := bearer(header); got != want {
			t.Errorf("%q holds %q, want %q", header, got, want)
		}
	})
}

// TestFingerprint: requests are repeats of each other when method, path, query,
// workspace and body are equal, and only then.
func TestFingerprint(t *testing.T) {
	type asked struct{ method, path, query, workspace, body string }
	draw := rapid.Custom(func(t *rapid.T) asked {
		few := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }
		return asked{few("method", "POST", "PUT"), few("path", "/v1/a", "/v1/a%2Fb", "/v1/a/b"), few("query", "", "a=b", "a=b&c"),
			few("workspace", "", "w", "w2"), few("body", "", "{}", "w", "w2", "\x00")}
	})
	print := func(a asked) string {
		r := httptest.NewRequest(a.method, a.path+"?"+a.query, nil)
		if a.workspace != "" {
			r.Header.Set(workspaceHeader, a.workspace)
		}
		return fingerprint(r, []byte(a.body))
	}
	rapid.Check(t, func(t *rapid.T) {
		one, two := draw.Draw(t, "one"), draw.Draw(t, "two")
		if (print(one) == print(two)) != (one == two) {
			t.Fatalf("%+v and %+v", one, two)
		}
	})
}

func TestCheckKey(t *testing.T) {
	for key, ok := range map[string]bool{
		"6f1c-1": true, " ": true, strings.Repeat("k", maxKey): true,
		strings.Repeat("k", maxKey+1): false, "a\tb": false, "é": false, "a\x7f": false,
	} {
		if err := checkKey(key); (err == nil) != ok {
			t.Errorf("%.20q: %v", key, err)
		}
	}
}
