package cli_test

import (
	"context"
	"log/slog"
	"os"
	"regexp"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/cli"
	"github.com/botyard/botyard/internal/config"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"botyard": func() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs the command line as a person would: see testdata. Beside the usual
// commands, scripts have
//
//	note NAME REGEXP   keeps what the regexp's group finds on stdout as $NAME
//	firststart DIR     makes the installation and has its first start
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true, Cmds: map[string]func(*testscript.TestScript, bool, []string){
		"note": func(ts *testscript.TestScript, _ bool, args []string) {
			found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
			if len(found) != 2 {
				ts.Fatalf("%s is not on stdout", args[1])
			}
			ts.Setenv(args[0], found[1])
		},
		"firststart": func(ts *testscript.TestScript, _ bool, args []string) {
			ctx := context.Background()
			a, err := app.Open(ctx, config.Installation{Data: ts.MkAbs(args[0])}, slog.New(slog.DiscardHandler))
			ts.Check(err)
			_, err = a.Bootstrap(ctx, config.Config{})
			ts.Check(err)
			ts.Check(a.Close())
		},
	}})
}
