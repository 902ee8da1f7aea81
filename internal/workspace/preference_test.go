package workspace

import (
	"strings"
	"testing"

	"github.com/botyard/botyard/internal/fault"
)

func TestPreferenceBounds(t *testing.T) {
	for name, test := range map[string]struct {
		key, value string
		want       fault.Type
	}{
		"the longest key":       {strings.Repeat("é", maxKey), "1", ""},
		"no key":                {"", "1", fault.InvalidPayload},
		"a key too long":        {strings.Repeat("é", maxKey+1), "1", fault.InvalidPayload},
		"a key with U+0000":     {"a\x00", "1", fault.InvalidPayload},
		"a key that is no text": {"a\xff", "1", fault.InvalidPayload},
		"the largest value":     {"k", strings.Repeat("1", maxPreference), ""},
		"a value too large":     {"k", strings.Repeat("1", maxPreference+1), fault.LimitExceeded},
	} {
		err := checkPreference(test.key, test.value)
		if (test.want == "") != (err == nil) || (err != nil && !fault.Is(err, test.want)) {
			t.Errorf("%s answers %v, want %q", name, err, test.want)
		}
	}
}
