package exercise_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/test/harness"
)

// kindsOfPackages have versions that are found by name.
var kindsOfPackages = []string{"integration", "interface", "plugin"}

// visibility is the member of a request that opens a package, or closes it.
func visibility(kind string, open bool) object {
	switch {
	case kind == "interface":
		return object{"public": open}
	case open:
		return object{"visibility": "public"}
	}
	return object{"visibility": "private"}
}

// tryPublish is publish for goroutines; it answers the id.
func tryPublish(t *testing.T, a *harness.Actor, kind string, body object) (string, error) {
	if kind == "plugin" {
		body["code"] = object{"node": "n", "browser": "b"}
	}
	answer, err := a.Try(t.Context(), "POST", "/v1/admin/"+kind+"s", body)
	if err != nil {
		return "", err
	}
	var made map[string]struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(answer.Body, &made); err != nil || answer.Status != http.StatusOK {
		return "", fmt.Errorf("a new %s is answered by %d: %.300s (%w)", kind, answer.Status, answer.Body, err)
	}
	return made[kind].ID, nil
}

// TestLatestWhileVersionsGo holds that latest is always found while a name has a version,
// whatever happens to the others between the looks at the list and at the version.
func TestLatestWhileVersionsGo(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		for _, kind := range kindsOfPackages {
			a, handle := shopkeeper(t, s)
			name := handle + "/x"
			version := func(number string) object {
				body := visibility(kind, true)
				body["name"], body["version"] = name, number
				return body
			}
			publish(t, a, kind, version("1.0.0"))
			var done atomic.Bool
			come := func() error {
				defer done.Store(true)
				for range 8 {
					made, err := tryPublish(t, a, kind, version("2.0.0"))
					if err != nil {
						return err
					}
					path := "/v1/admin/" + kind + "s/" + made
					if _, err := try(t, a, "PUT", path, visibility(kind, false), http.StatusOK); err != nil {
						return err
					}
					if _, err := try(t, a, "DELETE", path, nil, http.StatusOK); err != nil {
						return err
					}
				}
				return nil
			}
			harness.Together(t, 7, func(i int) error {
				if i == 0 {
					return come()
				}
				path := catalogPath([]string{"/v1/admin/", hubPath}[i%2]+kind+"s", name, "latest")
				for !done.Load() {
					if kind == "integration" && i == 6 { // as webhooks that name no instance do
						if _, found, err := s.Catalog.Shared(t.Context(), name); !found || err != nil {
							return fmt.Errorf("no version is shared (%w)", err)
						}
						continue
					}
					if _, err := try(t, a, "GET", path, nil, http.StatusOK); err != nil {
						return err
					}
				}
				return nil
			})
		}
	})
}
