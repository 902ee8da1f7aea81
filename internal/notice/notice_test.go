package notice

import (
	"os/exec"
	"strings"
	"testing"
)

// TestModulesAreCurrent holds the committed text against what is linked now.
func TestModulesAreCurrent(t *testing.T) {
	collect := exec.Command("go", "run", "./internal/notice/collect", "-print")
	collect.Dir = "../.."
	var complaints strings.Builder
	collect.Stderr = &complaints
	want, err := collect.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &complaints)
	}
	if string(want) != Modules {
		t.Error("modules.txt is not that of the modules that are linked; run: make update")
	}
	for _, names := range []string{"modernc.org/sqlite v", "github.com/jackc/pgx/v5 v", "Apache License", "MIT License"} {
		if !strings.Contains(Modules, names) {
			t.Errorf("nothing says %q", names)
		}
	}
}
