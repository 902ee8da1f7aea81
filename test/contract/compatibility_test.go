package contract_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/botyard/botyard/test/contract"
)

// TestCompatibility keeps docs/compatibility.md what the sources say.
func TestCompatibility(t *testing.T) {
	hold(t, "../../docs/compatibility.md", []byte(compatibility(t)), "make update")
}

const preface = `# Compatibility

<!-- Written by: go test ./test/contract -update -->

The contract is the public one of the cloud: 111 operations of the admin API and 26 of
billing. An operation that is built has every parameter, field, type, limit and enum
value of the contract; a test compares them one by one. Differences that are meant
stand in [exceptions.txt](../test/contract/exceptions.txt) with their reason: there %s.

**%d of %d operations are built.** One that is not built answers
` + "`404 ResourceNotFound`, or `405 MethodNotFound` where its path has another operation" + `.

How an operation is tested:

- **client**: called by the official client in a scenario of ` + "`test/clients`" + `, against
  the real binary, on SQLite and on PostgreSQL.
- **behaviour**: in the behaviour suite ` + "`test/exercise`" + `, on both engines.
- **rights**: asked as every kind of caller in ` + "`test/matrix`" + `, on both engines.

Each of the three suites fails when an operation that is built is missing from it; the first two
demand a successful answer of it.
`

func compatibility(t *testing.T) string {
	built := ours(t)
	wanted := wanted(t)
	seenBy := map[string]map[string]bool{
		"client": mentioned(t, "../clients/scenarios/*.mjs", `\.(\w+)\(`),
		"rights": mentioned(t, "../matrix/request*_test.go", `(?m)^\t"(\w+)": `),
	}
	areas := map[string][]contract.Operation{}
	for _, o := range wanted {
		area := areaOf(o.Path)
		areas[area] = append(areas[area], o)
	}
	differences := "are none now"
	if n := len(exceptions(t)); n > 0 {
		differences = fmt.Sprintf("are %d now", n)
	}
	var b strings.Builder
	fmt.Fprintf(&b, preface, differences, len(built), len(wanted))
	for _, area := range slices.Sorted(maps.Keys(areas)) {
		fmt.Fprintf(&b, "\n## %s\n\n| operation | request | built | client | behaviour | rights |\n|---|---|---|---|---|---|\n", area)
		operations := areas[area]
		slices.SortFunc(operations, func(a, b contract.Operation) int {
			return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method)
		})
		for _, o := range operations {
			_, is := built[o.ID]
			fmt.Fprintf(&b, "| %s | `%s %s` | %s | %s | %s | %s |\n", o.ID, o.Method, o.Path, mark(is),
				mark(is && seenBy["client"][o.ID]), mark(is), mark(is && seenBy["rights"][o.ID]))
		}
	}
	return b.String()
}

func mark(is bool) string {
	if is {
		return "yes"
	}
	return ""
}

// areaOf is the first word of a path that tells what it is about.
func areaOf(path string) string {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	if segments[1] == "admin" {
		return segments[2]
	}
	return segments[1]
}

// mentioned lists the words that a pattern finds in the files of a glob. It is a
// look at the sources, not a proof: that the calls pass is the matter of the
// suites themselves.
func mentioned(t *testing.T, glob, pattern string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(glob)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			found[match[1]] = true
		}
	}
	return found
}
