package contract_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/cli"
	"github.com/botyard/botyard/test/contract"
	"github.com/botyard/botyard/test/validate"
)

var update = flag.Bool("update", false, "rewrite facts/ from the contract beside the repository, and docs/compatibility.md")

// parts are the two documents of the contract.
var parts = []string{"admin", "billing"}

// handedOver is where the contract lies beside the repository, for those who have
// it; a clone has the facts made of it.
const handedOver = "../../../shared/contract"

// published is the document as the binary prints it.
var published = sync.OnceValues(func() ([]byte, error) {
	var out, errOut bytes.Buffer
	if code := cli.Main([]string{"openapi"}, &out, &errOut); code != cli.ExitOK {
		return nil, fmt.Errorf("botyard openapi ended with %d: %s", code, &errOut)
	}
	return out.Bytes(), nil
})

func document(t *testing.T) []byte {
	t.Helper()
	text, err := published()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func ours(t *testing.T) map[string]contract.Operation {
	t.Helper()
	operations, err := contract.ReadDocument(document(t))
	if err != nil {
		t.Fatal(err)
	}
	return byID(operations)
}

func byID(operations []contract.Operation) map[string]contract.Operation {
	m := map[string]contract.Operation{}
	for _, o := range operations {
		m[o.ID] = o
	}
	return m
}

// wanted is what the contract has, in the order of its parts.
func wanted(t *testing.T) (operations []contract.Operation) {
	t.Helper()
	for _, part := range parts {
		text, err := os.ReadFile(facts(part))
		if err != nil {
			t.Fatal(err)
		}
		of, err := contract.ReadFacts(text)
		if err != nil {
			t.Fatalf("%s: %v", facts(part), err)
		}
		operations = append(operations, of...)
	}
	return operations
}

func facts(part string) string { return filepath.Join("facts", part+".jsonl") }

// TestFacts holds facts/ against the contract they were made of.
func TestFacts(t *testing.T) {
	for _, part := range parts {
		text, err := os.ReadFile(filepath.Join(handedOver, part+".openapi.json"))
		if errors.Is(err, fs.ErrNotExist) && !*update {
			continue // a clone: facts/ is all there is
		}
		if err != nil {
			t.Fatal(err)
		}
		operations, err := contract.ReadDocument(text)
		if err != nil {
			t.Fatal(err)
		}
		want, err := contract.WriteFacts(operations)
		if err != nil {
			t.Fatal(err)
		}
		hold(t, facts(part), want, "go test ./test/contract -update")
	}
	if n := len(wanted(t)); n != 137 {
		t.Errorf("facts/ has %d operations, the contract has 111 and 26", n)
	}
}

// hold compares a file with what it should be, or rewrites it with -update.
func hold(t *testing.T, path string, want []byte, remedy string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run: %s", err, remedy)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not current; run: %s\n%s", path, remedy, cmp.Diff(strings.Split(string(got), "\n"), strings.Split(string(want), "\n")))
	}
}

// TestParity is the promise that the wire is the cloud's.
func TestParity(t *testing.T) {
	ours := ours(t)
	var missing []string
	var found []contract.Difference
	for _, want := range wanted(t) {
		got, built := ours[want.ID]
		if !built {
			missing = append(missing, want.ID)
			continue
		}
		delete(ours, want.ID)
		found = append(found, contract.Compare(want, got)...)
	}
	for id := range ours {
		found = append(found, contract.Difference{Operation: id, What: "is not in the contract"})
	}
	slices.Sort(missing)
	if diff := cmp.Diff(lines(t, "pending.txt"), missing); diff != "" {
		t.Errorf("pending.txt must list exactly the operations that are not built (-listed +missing):\n%s", diff)
	}
	excepted := exceptions(t)
	for _, d := range found {
		if _, meant := excepted[d.Operation+" "+d.Path]; meant {
			excepted[d.Operation+" "+d.Path] = true
			continue
		}
		t.Error(d)
	}
	for e, used := range excepted {
		if !used {
			t.Errorf("exceptions.txt: %s is no difference any more; take the line out", e)
		}
	}
}

// exceptions reads exceptions.txt: an operation, a path and the reason a line.
func exceptions(t *testing.T) map[string]bool {
	t.Helper()
	m := map[string]bool{}
	for _, line := range lines(t, "exceptions.txt") {
		fields := strings.Fields(line)
		if len(fields) < 4 {
			t.Errorf("exceptions.txt: %q must be an operation, a path and a reason", line)
			continue
		}
		key := fields[0] + " " + fields[1]
		if _, twice := m[key]; twice {
			t.Errorf("exceptions.txt: %s stands there twice", key)
		}
		m[key] = false
	}
	return m
}

// lines are a file's, without comments and blank ones.
func lines(t *testing.T, path string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all
}

func TestPublishedDocument(t *testing.T) {
	text := document(t)
	if _, err := validate.New(text); err != nil {
		t.Error(err)
	}
	if !bytes.Contains(text, []byte(`"openapi": "3.0.3"`)) {
		t.Error("the document does not say that it is OpenAPI 3.0.3")
	}
	committed, err := os.ReadFile("../../api/openapi.json")
	if err != nil {
		t.Fatalf("%v; run: make openapi", err)
	}
	if !bytes.Equal(committed, text) {
		t.Errorf("api/openapi.json is not what botyard openapi prints; run: make openapi\n%s",
			cmp.Diff(strings.Split(string(committed), "\n"), strings.Split(string(text), "\n")))
	}
}
