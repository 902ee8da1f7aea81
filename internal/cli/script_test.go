package cli_test

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/cli"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/harness"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"botyard": func() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs the command line as a person would: see testdata. Beside the usual
// commands, scripts have
//
//	note NAME REGEXP             keeps what the regexp's group finds on stdout as $NAME
//	firststart DIR               makes the installation and has its first start
//	sql DIR STATEMENT            changes its database
//	freeport NAME                keeps a port that nobody listens on as $NAME
//	await                        waits until the server at $URL is ready
//	ask METHOD PATH BODY [NAME REGEXP]
//	                             asks the server at $URL with $TOKEN in $WORKSPACE, and
//	                             keeps what the regexp's group finds in the answer
//
// and $INTEGRATION_URL, where an integration answers.
func TestScripts(t *testing.T) {
	integration := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(integration.Close)
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("INTEGRATION_URL", integration.URL)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"note": func(ts *testscript.TestScript, _ bool, args []string) {
				keep(ts, args[0], args[1], ts.ReadFile("stdout"))
			},
			"firststart": func(ts *testscript.TestScript, _ bool, args []string) {
				ctx := context.Background()
				a, err := app.Open(ctx, config.Installation{Data: ts.MkAbs(args[0])}, slog.New(slog.DiscardHandler))
				ts.Check(err)
				_, err = a.Bootstrap(ctx, config.Config{})
				ts.Check(err)
				ts.Check(a.Close())
			},
			"sql": func(ts *testscript.TestScript, _ bool, args []string) {
				ctx := context.Background()
				d, err := db.Open(ctx, db.Options{Dir: ts.MkAbs(args[0])})
				ts.Check(err)
				ts.Check(d.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
					_, err := tx.Exec(ctx, args[1])
					return err
				}))
				ts.Check(d.Close())
			},
			"freeport": func(ts *testscript.TestScript, _ bool, args []string) {
				// Below the ports that a kernel gives to connections, so that none of those
				// takes it before the server does.
				for {
					port := strconv.Itoa(10_000 + rand.IntN(20_000))
					l, err := net.Listen("tcp", "127.0.0.1:"+port)
					if err != nil {
						continue // it is taken
					}
					ts.Check(l.Close())
					ts.Setenv(args[0], port)
					return
				}
			},
			"await": func(ts *testscript.TestScript, _ bool, _ []string) {
				var err error
				for deadline := time.Now().Add(harness.Patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
					var answer *http.Response
					if answer, err = http.Get(ts.Getenv("URL") + "/readyz"); err == nil {
						answer.Body.Close()
						if answer.StatusCode == http.StatusOK {
							return
						}
					}
				}
				ts.Fatalf("the server is not ready: %v", err)
			},
			"ask": ask,
		},
	})
}

func keep(ts *testscript.TestScript, name, pattern, text string) {
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if len(found) != 2 {
		ts.Fatalf("%s is not in %s", pattern, text)
	}
	ts.Setenv(name, found[1])
}

func ask(ts *testscript.TestScript, _ bool, args []string) {
	r, err := http.NewRequest(args[0], ts.Getenv("URL")+args[1], strings.NewReader(args[2]))
	ts.Check(err)
	r.Header.Set("Authorization", "Bearer "+ts.Getenv("TOKEN"))
	r.Header.Set("X-Workspace-Id", ts.Getenv("WORKSPACE"))
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	ts.Check(err)
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	ts.Check(answer.Body.Close())
	if answer.StatusCode != http.StatusOK {
		ts.Fatalf("%s %s is answered %d %s", args[0], args[1], answer.StatusCode, text)
	}
	if len(args) == 5 {
		keep(ts, args[3], args[4], string(text))
	}
}
