package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	program = "github.com/botyard/botyard/cmd/botyard"
	target  = "internal/notice/modules.txt"
)

// systems are those that releases are built for: what is linked differs a little.
var systems = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64"}

func main() {
	toOutput := flag.Bool("print", false, "write to standard output")
	flag.Parse()
	text, err := collect()
	switch {
	case err != nil:
	case *toOutput:
		_, err = os.Stdout.Write(text)
	default:
		err = os.WriteFile(target, text, 0o644) //nolint:gosec // a file of the source tree
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "collect:", err)
		os.Exit(1)
	}
}

func collect() ([]byte, error) {
	dirs := map[string]string{} // by module and version
	for _, system := range systems {
		if err := modules(system, dirs); err != nil {
			return nil, err
		}
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	dirs["Go's standard library"] = strings.TrimSpace(string(root))
	of := map[string][]string{} // the modules of each text
	for module, dir := range dirs {
		text, err := licence(dir)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", module, err)
		}
		of[text] = append(of[text], module)
	}
	texts := make([]string, 0, len(of))
	for text, names := range of {
		slices.Sort(names)
		texts = append(texts, text)
	}
	slices.SortFunc(texts, func(a, b string) int { return strings.Compare(of[a][0], of[b][0]) })
	var out bytes.Buffer
	fmt.Fprint(&out, "The following modules are linked into botyard.\n")
	for _, text := range texts {
		fmt.Fprintf(&out, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 79), strings.Join(of[text], "\n"), text)
	}
	return out.Bytes(), nil
}

// modules adds the modules that the program links on a system.
func modules(system string, dirs map[string]string) error {
	goos, goarch, _ := strings.Cut(system, "/")
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}", program)
	list.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("go list for %s: %w", system, err)
	}
	for line := range strings.Lines(string(out)) {
		if module, dir, found := strings.Cut(strings.TrimSpace(line), "\t"); found {
			dirs[module] = dir
		}
	}
	return nil
}

var (
	isLicence = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense)([-.].*)?$`)
	isNotice  = regexp.MustCompile(`(?i)^notice([-.].*)?$`)
	isCode    = regexp.MustCompile(`(?i)\.(go|sh|py|ya?ml|json|tmpl|tpl)$`)
	spaces    = regexp.MustCompile(`[ \t]+\n`)
)

// licence is the text of a module's licence, and of its notice when it has one.
func licence(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var licences, notices []string
	for _, e := range entries {
		name := e.Name()
		switch {
		case e.IsDir() || isCode.MatchString(name):
		case isLicence.MatchString(name):
			licences = append(licences, filepath.Join(dir, name))
		case isNotice.MatchString(name):
			notices = append(notices, filepath.Join(dir, name))
		}
	}
	if len(licences) == 0 {
		return "", errors.New("there is no licence in its folder")
	}
	var parts []string
	for _, path := range append(licences, notices...) {
		text, err := read(path)
		if err != nil {
			return "", err
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "\n\n"), nil
}

// read reads a text with the ends of its lines made alike, so that one text is one.
func read(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	clean := strings.ReplaceAll(string(text), "\r\n", "\n") + "\n"
	return strings.TrimSpace(spaces.ReplaceAllString(clean, "\n")), err
}
