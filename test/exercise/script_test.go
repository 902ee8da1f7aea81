package exercise_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

// TestRunVrl: a script sees its data and nothing else, changes nothing that is kept,
// and what is wrong with it is said.
func TestRunVrl(t *testing.T) {
	const path = "/v1/admin/helper/vrl"
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		var out struct {
			Data   object
			Result any
		}
		a.Do(t, "POST", path, object{"data": object{"n": 2, "text": "é\u0000"}, "script": ".n = to_int!(.n) + 1\n.text"}, &out)
		if diff := cmp.Diff(object{"n": 3.0, "text": "é\u0000"}, out.Data); diff != "" || out.Result != "é\u0000" {
			t.Errorf("it left %v and answered %q", out.Data, out.Result)
		}
		refuses(t, a, "POST", path, []refusal{
			{"no script", object{"data": object{}}, fault.InvalidPayload, []string{"script"}},
			{"no data", object{"script": "1"}, fault.InvalidPayload, []string{"data"}},
			{"data that is no object", object{"data": []int{1}, "script": "1"}, fault.InvalidPayload, []string{"data"}},
			{"a function that is none", object{"data": object{}, "script": "nothing()"}, fault.InvalidPayload, []string{"undefined function"}},
			{"what may fail and is not handled", object{"data": object{}, "script": "to_int(.x)"}, fault.InvalidPayload, nil},
			{"a script that aborts", object{"data": object{}, "script": "abort"}, fault.Runtime, nil},
			{"data replaced by a number", object{"data": object{}, "script": ". = 1"}, fault.Runtime, nil},
			{"a script of a megabyte", object{"data": object{}, "script": long(400_000)}, fault.PayloadTooLarge, []string{"65536"}},
		})
		s.Person(t).In(a.Workspace).Refused(t, fault.ResourceNotFound, []string{a.Workspace}, "POST", path, object{"data": object{}, "script": "1"})
	})
}
