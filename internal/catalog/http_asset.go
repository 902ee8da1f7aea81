package catalog

import (
	"net/http"
	"strings"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

// mountAssets adds the addresses of icons and readmes. They stand beside the
// operations: pages show them in <img>, which sends no token.
func mountAssets(m *wire.Mux, s *Service) {
	m.Handle(assetsPath+"*", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.serveAsset(w, r); err != nil {
			m.Refuse(w, r, err)
		}
	}))
}

func (s *Service) serveAsset(w http.ResponseWriter, r *http.Request) error {
	header := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		return fault.New(fault.MethodNotFound, "Icons and readmes are read with GET.")
	}
	content, contentType, err := s.asset(r.Context(), strings.TrimPrefix(r.URL.Path, assetsPath))
	if err != nil {
		return err
	}
	// Whoever publishes chooses these bytes. An SVG opened as a page of its own
	// may carry scripts: the sandbox gives it an origin that is not ours, and the
	// policy lets it load and run nothing.
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	header.Set("Content-Type", contentType)
	if !strings.HasPrefix(contentType, "image/") {
		header.Set("Content-Disposition", `attachment; filename="readme.md"`)
	}
	_, err = w.Write(content)
	return err
}
