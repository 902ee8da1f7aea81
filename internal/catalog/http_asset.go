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
	// Whoever publishes chooses these bytes, and an SVG may carry scripts.
	wire.Isolate(header)
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	header.Set("Content-Type", contentType)
	if !strings.HasPrefix(contentType, "image/") {
		header.Set("Content-Disposition", `attachment; filename="readme.md"`)
	}
	_, err = w.Write(content)
	return err
}
