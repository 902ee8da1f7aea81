package internal_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/botyard/botyard/"

// layer is how high a package stands. A package imports only what stands lower,
// so no two of one layer import each other.
type layer int

const (
	ground layer = iota
	sealed
	stored
	shared
	wired
	defined
	domain
	assembled
	commanded
	started
	suite
)

var layers = map[string]layer{
	"internal/fault": ground, "internal/id": ground, "internal/clock": ground,
	"internal/trace": ground,
	"deploy/hub":     ground, "internal/notice": ground,
	"internal/secret": sealed, "internal/plan": sealed,
	"internal/db": stored, "internal/config": stored,
	"internal/access": shared, "internal/jobs": shared, "internal/blob": shared,
	"internal/backup":     wired,
	"internal/wire":       wired,
	"internal/definition": defined,
	"internal/account":    domain, "internal/workspace": domain, "internal/bot": domain,
	"internal/catalog": domain, "internal/meter": domain, "internal/billing": domain,
	"internal/telemetry": domain, "internal/audit": domain, "internal/dispatch": domain,
	"internal/script": domain,
	"internal/app":    assembled,
	"internal/cli":    commanded,
}

func layerOf(pkg string) (layer, bool) {
	switch {
	case strings.HasPrefix(pkg, "cmd/"):
		return started, true
	case strings.HasPrefix(pkg, "test/"):
		return suite, true
	}
	l, known := layers[pkg]
	return l, known
}

const maxLines = 600

// source is one Go file; path is slash-separated and relative to the module.
type source struct {
	path string
	text []byte
}

// finding is one broken rule: what is wrong where, and how to put it right.
type finding struct{ at, wrong, fix string }

func (f finding) String() string { return f.at + ": " + f.wrong + ".\n\tFix: " + f.fix + "." }

// rules checks a tree of sources against the rules of the house.
func rules(sources []source) (found []finding) {
	documented := map[string]bool{}
	packages := map[string]string{}
	for _, s := range sources {
		dir, name := path.Split(s.path)
		dir = strings.TrimSuffix(dir, "/")
		if _, seen := packages[dir]; !seen {
			packages[dir] = s.path
		}
		if name == "doc.go" {
			documented[dir] = true
		}
		found = append(found, fileRules(dir, name, s)...)
	}
	for dir := range packages {
		if !documented[dir] && dir != "internal" && !strings.HasPrefix(dir, "cmd/") {
			found = append(found, finding{dir, "the package has no doc.go", "add one that says what the package owns and what it does not"})
		}
	}
	slices.SortFunc(found, func(a, b finding) int { return cmp.Compare(a.String(), b.String()) })
	return found
}

func fileRules(dir, name string, s source) (found []finding) {
	report := func(line int, wrong, fix string) {
		found = append(found, finding{s.path + ":" + strconv.Itoa(line), wrong, fix})
	}
	if n := strings.Count(string(s.text), "\n"); n > maxLines {
		report(n, fmt.Sprintf("the file has %d lines, at most %d are allowed", n, maxLines), "give the second noun in it a file of its own")
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, s.path, s.text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		report(1, "the file is not Go: "+err.Error(), "make it compile")
		return found
	}
	line := func(n ast.Node) int { return set.Position(n.Pos()).Line }
	if name == "doc.go" {
		// The words may stand on two lines.
		text := strings.Join(strings.Fields(file.Doc.Text()), " ")
		if strings.HasPrefix(dir, "internal/") && (!strings.Contains(text, "own") || !strings.Contains(text, "not own")) {
			report(1, "doc.go does not say what the package owns and what it does not own", "say both, in a sentence each")
		}
	}
	production := !strings.HasSuffix(name, "_test.go") && !strings.HasPrefix(dir, "test/")
	if !production {
		return found
	}
	names := map[string]string{} // of imports
	for _, spec := range file.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = imported
		if wrong, fix := importRule(dir, path.Base(s.path), imported); wrong != "" {
			report(line(spec), wrong, fix)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			of, isName := n.X.(*ast.Ident)
			if isName && names[of.Name] == "time" && readsTime[n.Sel.Name] && dir != "internal/clock" {
				report(line(n), "time."+n.Sel.Name+" reads the machine's clock", "take a clock.Clock, or measure with clock.Start")
			}
		case *ast.BasicLit:
			if n.Kind == token.STRING && isSQL(n.Value) && dir != "internal/db" && !strings.HasPrefix(name, "store") {
				report(line(n), "SQL stands outside store*.go", "move the statement into "+dir+"/store.go, as a function that takes a db.Querier")
			}
		}
		return true
	})
	return found
}

var readsTime = map[string]bool{"Now": true, "Since": true, "Until": true}

// importRule answers what is wrong with an import and how to put it right; both
// are empty when nothing is.
func importRule(dir, file, imported string) (wrong, fix string) {
	here := path.Base(dir)
	switch imported {
	case "math/rand", "math/rand/v2", "crypto/rand":
		if !slices.Contains([]string{"internal/clock", "internal/id", "internal/secret"}, dir) {
			return dir + " imports " + imported, "randomness comes from id (ids, jitter) or secret (tokens, keys)"
		}
	case "net/http":
		if !strings.HasPrefix(file, "http") && !slices.Contains([]string{"wire", "dispatch", "app"}, here) {
			return dir + " imports net/http in " + file, "keep HTTP in http*.go and give the rest plain values"
		}
	case "encoding/json":
		return dir + " imports encoding/json", "use github.com/go-json-experiment/json, as the wire does"
	}
	target, ours := strings.CutPrefix(imported, module)
	if !ours {
		return "", ""
	}
	edge := dir + " imports " + target
	from, known := layerOf(dir)
	if !known {
		return edge + ", and " + dir + " has no layer", "give it a place in the table of arch_test.go and of .golangci.yml"
	}
	to, known := layerOf(target)
	switch {
	case !known:
		return edge + ", and " + target + " has no layer", "give it a place in the table of arch_test.go and of .golangci.yml"
	case to < from:
		return "", ""
	case to == domain && from == domain:
		return edge + ": a domain does not import another", "say what " + here + " needs in " + dir + "/needs.go, as an interface in foundation types; internal/app plugs the neighbour in"
	case to == suite:
		return edge + ": production code does not import a test suite", "move what is shared into the package that owns it"
	case from < domain && to < domain:
		return edge + ": a foundation imports only those below it", "pass what is needed as a value or an interface, or move it down into a package that both may import"
	}
	return edge + ": imports go cmd, cli, app, domains, foundations and never up", "turn the need around: " + here + " declares an interface, the higher package implements it"
}

// sql matches the beginning of a statement in either case.
var sql = regexp.MustCompile(`^\s*(?:(?:SELECT|select)\s[^.!?]*\s(?:FROM|from)\s|(?:INSERT INTO|insert into)\s|(?:UPDATE|update)\s+\w+\s+(?:SET|set)\s|(?:DELETE FROM|delete from)\s|(?:CREATE|DROP|ALTER|create|drop|alter)\s+(?:TABLE|VIEW|INDEX|UNIQUE|table|view|index|unique)\s|(?:WITH|with)\s+\w+\s+(?:AS|as)\s*\()`)

func isSQL(literal string) bool {
	text, err := strconv.Unquote(literal)
	return err == nil && sql.MatchString(text)
}

func TestArchitecture(t *testing.T) {
	sources := read(t, "..")
	if len(sources) < 50 {
		t.Fatalf("only %d Go files were found: the walk does not see the tree", len(sources))
	}
	for _, f := range rules(sources) {
		t.Error(f)
	}
}

// TestLayersAreReal holds the table against the tree: a package without a place
// in it would be checked by nobody.
func TestLayersAreReal(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, known := layerOf("internal/" + e.Name()); e.IsDir() && !known {
			t.Errorf("internal/%s has no layer.\n\tFix: give it a place in the table of arch_test.go and of .golangci.yml.", e.Name())
		}
	}
}

func read(t *testing.T, root string) (sources []source) {
	t.Helper()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); p != root && (n == "node_modules" || n == "testdata" || strings.HasPrefix(n, ".")) {
				return filepath.SkipDir
			}
			// A module of its own keeps its own house.
			if _, err := os.Stat(filepath.Join(p, "go.mod")); err == nil && p != root {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(p) != ".go" {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		sources = append(sources, source{filepath.ToSlash(relative), text})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sources
}

// TestRulesCatch feeds each rule a source that breaks it, and some that do not.
func TestRulesCatch(t *testing.T) {
	file := func(imports ...string) string {
		text := "package p\n"
		for _, i := range imports {
			text += "import _ " + strconv.Quote(i) + "\n"
		}
		return text
	}
	ours := func(pkg string) string { return module + pkg }
	tests := []struct {
		name, path, text string
		want             string // part of the finding; empty: none
	}{
		{"domain imports foundation", "internal/bot/service.go", file(ours("internal/db"), ours("internal/access")), ""},
		{"domain imports domain", "internal/bot/service.go", file(ours("internal/workspace")), "internal/bot/service.go:2: internal/bot imports internal/workspace: a domain does not import another"},
		{"domain imports app", "internal/bot/service.go", file(ours("internal/app")), "never up"},
		{"foundation imports domain", "internal/wire/mux.go", file(ours("internal/bot")), "never up"},
		{"foundation sideways", "internal/access/service.go", file(ours("internal/blob")), "only those below it"},
		{"foundation up", "internal/db/db.go", file(ours("internal/wire")), "only those below it"},
		{"ground sideways", "internal/id/id.go", file(ours("internal/clock")), "only those below it"},
		{"app imports domain", "internal/app/app.go", file(ours("internal/bot")), ""},
		{"app imports cli", "internal/app/app.go", file(ours("internal/cli")), "never up"},
		{"cmd imports cli", "cmd/botyard/main.go", file(ours("internal/cli")), ""},
		{"production imports suite", "internal/app/app.go", file(ours("test/postgres")), "production code does not import a test suite"},
		{"test imports suite", "internal/app/app_test.go", file(ours("test/postgres")), ""},
		{"unknown package", "internal/robot/robot.go", file(ours("internal/db")), "internal/robot has no layer"},
		{"import of unknown package", "internal/bot/bot.go", file(ours("internal/robot")), "internal/robot has no layer"},
		{"HTTP in a service", "internal/bot/service.go", file("net/http"), "keep HTTP in http*.go"},
		{"HTTP in http.go", "internal/bot/http_version.go", file("net/http"), ""},
		{"HTTP in wire", "internal/wire/mux.go", file("net/http"), ""},
		{"randomness in a domain", "internal/bot/bot.go", file("math/rand/v2"), "randomness comes from"},
		{"randomness in id", "internal/id/id.go", file("crypto/rand"), ""},
		{"old JSON", "internal/bot/bot.go", file("encoding/json"), "go-json-experiment"},
		{"time.Now in a domain", "internal/bot/bot.go", "package p\nimport \"time\"\nvar x = time.Now()\n", "bot.go:3: time.Now"},
		{"time.Now by another name", "internal/bot/bot.go", "package p\nimport t \"time\"\nvar x = t.Since(y)\n", "time.Since"},
		{"another package's Now", "internal/bot/bot.go", "package p\nimport \"time\"\nvar x, y = clock.Now(), time.Second\n", ""},
		{"time.Now in clock", "internal/clock/clock.go", "package p\nimport \"time\"\nvar x = time.Now()\n", ""},
		{"time.Now in a test", "internal/bot/bot_test.go", "package p\nimport \"time\"\nvar x = time.Now()\n", ""},
		{"SQL in a service", "internal/bot/service.go", "package p\nconst q = `\n\t\tSELECT id FROM bots`\n", "SQL stands outside store*.go"},
		{"small SQL in a service", "internal/bot/service.go", "package p\nconst q = \"update bots set name = $1\"\n", "SQL stands outside store*.go"},
		{"SQL in a store", "internal/bot/store_tag.go", "package p\nconst q = `DELETE FROM bots`\n", ""},
		{"SQL in db", "internal/db/migrate.go", "package p\nconst q = `CREATE TABLE t (a TEXT)`\n", ""},
		{"English that begins like SQL", "internal/bot/service.go", "package p\nconst q = \"Select a bot. It comes from the list.\"\n", ""},
		{"a long file", "internal/bot/bot.go", "package p\n" + strings.Repeat("\n", maxLines), "at most 600"},
		{"not Go", "internal/bot/bot.go", "package", "not Go"},
		{"a doc.go that says nothing", "internal/bot/doc.go", "// Package p is p.\npackage p\n", "does not say what the package owns"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sources := []source{{tt.path, []byte(tt.text)}}
			if doc := path.Dir(tt.path) + "/doc.go"; doc != tt.path {
				sources = append(sources, source{doc, []byte("// Package p owns p. It does not own q.\npackage p\n")})
			}
			found := rules(sources)
			switch {
			case tt.want == "" && len(found) > 0:
				t.Errorf("found %v, want nothing", found)
			case tt.want != "" && (len(found) != 1 || !strings.Contains(found[0].String(), tt.want)):
				t.Errorf("found %v, want one that says %q", found, tt.want)
			}
		})
	}
	t.Run("no doc.go", func(t *testing.T) {
		found := rules([]source{{"internal/bot/bot.go", []byte("package p\n")}})
		if len(found) != 1 || !strings.Contains(found[0].wrong, "no doc.go") {
			t.Errorf("found %v, want that doc.go is missing", found)
		}
	})
}
