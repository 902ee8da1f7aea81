package wire

import (
	"embed"
	"io/fs"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Document is the published OpenAPI 3.0.3 document.
func (m *Mux) Document() []byte { return m.document() }

// render derives the document from huma's. Objects are published as closed, as in the
// contract, although unknown members of requests are ignored: so clients generated from the
// document get exact types.
func (m *Mux) render() []byte {
	downgraded, err := m.api.OpenAPI().Downgrade()
	if err != nil {
		panic("the OpenAPI document cannot be rendered: " + err.Error())
	}
	var document any
	if err := json.Unmarshal(downgraded, &document); err != nil {
		panic("the OpenAPI document cannot be read back: " + err.Error())
	}
	closeObjects(document)
	text, err := json.Marshal(document, json.Deterministic(true), jsontext.WithIndent(" "))
	if err != nil {
		panic("the OpenAPI document cannot be written: " + err.Error())
	}
	return append(text, '\n')
}

func closeObjects(v any) {
	switch v := v.(type) {
	case map[string]any:
		// huma gives a nullable value of any type an empty type.
		if v["type"] == "" {
			delete(v, "type")
		}
		if open, is := v["additionalProperties"].(bool); is && open {
			if _, structured := v["properties"]; structured || v["type"] == "object" {
				v["additionalProperties"] = false
			}
		}
		for _, inner := range v {
			closeObjects(inner)
		}
	case []any:
		for _, inner := range v {
			closeObjects(inner)
		}
	}
}

//go:embed reference
var reference embed.FS

// ReferenceNotice is the licence of the script on the reference page.
func ReferenceNotice() string {
	text, err := reference.ReadFile("reference/redoc.LICENSE.txt")
	if err != nil {
		panic(err) // the file is part of every build
	}
	return "The reference page at /docs is shown by ReDoc.\n\n" + string(text)
}

// MountReference adds the document and the offline reference page.
func (m *Mux) MountReference() {
	m.Handle("/openapi.json", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(m.Document())
	}))
	files, err := fs.Sub(reference, "reference")
	if err != nil {
		panic(err)
	}
	pages := http.StripPrefix("/docs", http.FileServerFS(files))
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The page runs the embedded script on our own document, and loads nothing else.
		w.Header().Set("Content-Security-Policy", "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src blob:; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		pages.ServeHTTP(w, r)
	})
	m.Handle("/docs", http.RedirectHandler("/docs/", http.StatusMovedPermanently))
	m.Handle("/docs/*", page)
}
