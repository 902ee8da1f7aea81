package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestEveryCommandIsScripted holds that each command is run by a script, and succeeds
// there: a command that only ever fails in tests is not tested.
func TestEveryCommandIsScripted(t *testing.T) {
	parser, err := kong.New(&grammar{})
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("there are no scripts (%v)", err)
	}
	var lines []string
	for _, path := range scripts {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Split(string(text), "\n")...)
	}
	commands := 0
	for _, leaf := range parser.Model.Leaves(true) {
		commands++
		want := "exec botyard " + strings.TrimPrefix(leaf.FullPath(), parser.Model.Name+" ")
		scripted := false
		for _, line := range lines {
			scripted = scripted || line == want || strings.HasPrefix(line, want+" ")
		}
		if !scripted {
			t.Errorf("no script says %q", want)
		}
	}
	if commands < 30 {
		t.Errorf("only %d commands were found", commands)
	}
}

// What a bot writes to its log cannot rule the terminal of who reads it.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"plain é 😀\ttabs":       "plain é 😀\ttabs",
		"two\nlines\r":          `two\nlines\r`,
		"\x1b[2J\x1b]0;title\a": `\x1b[2J\x1b]0;title\a`,
		"right\u202eto left":    `right\u202eto left`,
		"\u009b31m":             `\u009b31m`,
	} {
		if got := printable(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}
