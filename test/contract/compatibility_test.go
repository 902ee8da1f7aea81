package contract_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/botyard/botyard/test/contract"
	"github.com/botyard/botyard/test/validate"
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
`

func compatibility(t *testing.T) string {
	built := ours(t)
	wanted := wanted(t)
	seenBy := map[string]map[string]bool{
		"client":    mentioned(t, "../clients/scenarios/*.mjs", `\.(\w+)\(`),
		"behaviour": exercised(t, "../exercise/*.go"),
		"rights":    mentioned(t, "../matrix/request*_test.go", `(?m)^\t"(\w+)": `),
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
				mark(is && seenBy["client"][o.ID]), mark(is && seenBy["behaviour"][o.ID]), mark(is && seenBy["rights"][o.ID]))
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

// exercised lists the operations whose method and path stand side by side among
// the arguments of a call, as in Do(t, "GET", botsPath+"/"+id, nil, &out).
func exercised(t *testing.T, glob string) map[string]bool {
	t.Helper()
	routes, err := validate.New(document(t))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(glob)
	if err != nil {
		t.Fatal(err)
	}
	var parsed []*ast.File
	constants := map[string]string{}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, f)
		ast.Inspect(f, func(n ast.Node) bool {
			if v, is := n.(*ast.ValueSpec); is && len(v.Names) == len(v.Values) {
				for i, name := range v.Names {
					constants[name.Name] = text(v.Values[i], nil)
				}
			}
			return true
		})
	}
	found := map[string]bool{}
	for _, f := range parsed {
		ast.Inspect(f, func(n ast.Node) bool {
			// A path in a variable: the assignment before the call is the one.
			if a, is := n.(*ast.AssignStmt); is && len(a.Lhs) == len(a.Rhs) {
				for i, to := range a.Lhs {
					name, is := to.(*ast.Ident)
					if path := text(a.Rhs[i], constants); is && strings.HasPrefix(path, "/v") {
						constants[name.Name] = path
					}
				}
			}
			call, is := n.(*ast.CallExpr)
			if !is {
				return true
			}
			for i := range len(call.Args) - 1 {
				path, _, _ := strings.Cut(text(call.Args[i+1], constants), "?")
				if op := routes.Operation(text(call.Args[i], constants), path); op != "" {
					found[op] = true
				}
			}
			return true
		})
	}
	return found
}

// text is what an expression of strings says, with x for what only a run knows.
func text(e ast.Expr, constants map[string]string) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil {
			return s
		}
	case *ast.Ident:
		if s, known := constants[e.Name]; known {
			return s
		}
	case *ast.SelectorExpr:
		if method, is := strings.CutPrefix(e.Sel.Name, "Method"); is {
			return strings.ToUpper(method)
		}
	case *ast.BinaryExpr:
		return text(e.X, constants) + text(e.Y, constants)
	}
	return "x"
}
