package exercise_test

import (
	"fmt"
	"testing"

	"github.com/botyard/botyard/test/harness"
)

// A request that is repeated while it is worked on takes effect once, and every repeat gets
// the answer of the first. Each of these operations refuses the same request if it comes
// without a key, because what it creates has a unique name.
func TestRepeatsOfUniqueThings(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		bot := createBot(t, a, object{})["id"].(string)
		plugin := object{"node": "n", "browser": "b"}
		for round := range 10 {
			name := fmt.Sprintf("%s/r%d", handle, round)
			for _, request := range []struct {
				path string
				body object
			}{
				{"/v1/admin/integrations", object{"name": name, "version": "1.0.0"}},
				{"/v1/admin/interfaces", object{"name": name, "version": "1.0.0"}},
				{"/v1/admin/plugins", object{"name": name, "version": "1.0.0", "code": plugin}},
				{membersPath, object{"email": fmt.Sprintf("r%d@%s.example.com", round, handle), "role": "viewer"}},
				{botsPath + "/" + bot + "/versions", object{"name": fmt.Sprint("v", round), "description": "d"}},
				{workspacesPath, object{"name": fmt.Sprint("w", round)}},
				{patsPath, object{"note": fmt.Sprint("n", round)}},
			} {
				answers := make([]string, 8)
				harness.Together(t, len(answers), func(i int) error {
					answer, err := a.Try(t.Context(), "POST", request.path, request.body, "Idempotency-Key", fmt.Sprint(request.path, round))
					if err == nil && answer.Status != 200 {
						err = fmt.Errorf("%s %d %.300s", request.path, answer.Status, answer.Body)
					}
					answers[i] = string(answer.Body)
					return err
				})
				for _, answer := range answers {
					if answer != answers[0] {
						t.Fatalf("%s: answers differ:\n%s\n%s", request.path, answer, answers[0])
					}
				}
			}
		}
	})
}
