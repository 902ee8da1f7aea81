package catalog

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
)

func TestWithSecrets(t *testing.T) {
	text := func(s string) *string { return &s }
	before := Integration{SecretNames: `["A","B"]`}
	after, changes, err := before.withSecrets(map[string]*string{"A": nil, "B": text("b2"), "C": text("c"), "GONE": nil})
	if err != nil {
		t.Fatal(err)
	}
	if after.SecretNames != `["B","C"]` || before.SecretNames != `["A","B"]` {
		t.Errorf("the names were %s and are %s", before.SecretNames, after.SecretNames)
	}
	if diff := cmp.Diff(map[string]*string{"A": nil, "B": text("b2"), "C": text("c")}, changes); diff != "" {
		t.Errorf("what is written: %s", diff)
	}

	// However many removals a body holds, what is not there costs no statement.
	removals := map[string]*string{}
	for n := range 10_000 {
		removals[fmt.Sprint("NEVER_", n)] = nil
	}
	if after, changes, err := before.withSecrets(removals); err != nil || len(changes) != 0 || after.SecretNames != before.SecretNames {
		t.Errorf("%d changes, names %s (%v)", len(changes), after.SecretNames, err)
	}

	full := Integration{SecretNames: "[]"}
	for n := range definition.MaxSecrets {
		if full, _, err = full.withSecrets(map[string]*string{fmt.Sprint(n): text("v")}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := full.withSecrets(map[string]*string{"one more": text("v")}); !fault.Is(err, fault.LimitExceeded) {
		t.Errorf("one more than %d: %v", definition.MaxSecrets, err)
	}
	if _, _, err := full.withSecrets(map[string]*string{"one more": text("v"), "0": nil}); err != nil {
		t.Errorf("one for another: %v", err)
	}
}
