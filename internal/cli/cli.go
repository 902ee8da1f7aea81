package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/internal/fault"
)

// The exit codes.
const (
	ExitOK     = 0
	ExitFailed = 1 // the command was understood and could not be done
	ExitUsage  = 2 // the command line, a setting or the settings file is wrong
)

// grammar is the whole command line.
type grammar struct {
	Serve       serveCommand       `cmd:"" help:"Run the server."`
	Account     accountCommand     `cmd:"" help:"Manage accounts."`
	Token       tokenCommand       `cmd:"" help:"Manage access tokens."`
	Workspace   workspaceCommand   `cmd:"" help:"Manage workspaces."`
	Quota       quotaCommand       `cmd:"" help:"Override the quotas of a workspace's plan."`
	Hub         hubCommand         `cmd:"" help:"Manage the hub."`
	Integration integrationCommand `cmd:"" help:"Manage published integrations."`
	Plugin      pluginCommand      `cmd:"" help:"Manage published plugins."`
	Invoice     invoiceCommand     `cmd:"" help:"Manage invoices."`
	Payment     paymentCommand     `cmd:"" help:"Manage payments without an outcome."`
	Clock       clockCommand       `cmd:"" help:"Move the clock of a --dev installation."`
	Secret      secretCommand      `cmd:"" help:"Manage the keys that seal secrets."`
	Backup      backupCommand      `cmd:"" help:"Create, verify and restore backups."`
	Migrate     migrateCommand     `cmd:"" help:"Show or migrate the database's schema."`
	Doctor      doctorCommand      `cmd:"" help:"Check an installation."`
	Ready       readyCommand       `cmd:"" help:"Ask a running server whether it is ready. For health checks."`
	Logs        logsCommand        `cmd:"" help:"Read what bots log."`
	Analytics   analyticsCommand   `cmd:"" help:"Read what bots do."`
	OpenAPI     openAPICommand     `cmd:"" name:"openapi" help:"Print the OpenAPI document of the API."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
}

// console is where a command prints.
type console struct {
	out, err io.Writer
}

// usageError is an error of the command line rather than of the command.
type usageError struct{ error }

// Main runs one command and returns its exit code.
func Main(args []string, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, args, console{out, errOut})
	if err == nil {
		return ExitOK
	}
	fmt.Fprintln(errOut, "botyard: "+message(err))
	var usage usageError
	if errors.As(err, &usage) {
		return ExitUsage
	}
	return ExitFailed
}

// message is the text for the operator, who may see causes.
func message(err error) string {
	var e *fault.Error
	if errors.As(err, &e) && errors.Unwrap(e) == nil {
		return e.Message
	}
	return err.Error()
}

// exit is the panic by which kong's wish to end the program, as after --help, reaches run.
type exit int

func run(ctx context.Context, args []string, c console) (err error) {
	defer func() {
		if p := recover(); p != nil {
			code, ended := p.(exit)
			if !ended {
				panic(p)
			}
			if code != ExitOK {
				err = usageError{errors.New("see botyard --help")}
			}
		}
	}()
	var g grammar
	parser, err := kong.New(&g,
		kong.Name("botyard"),
		kong.Description("Botpress Cloud's control plane, as a server of your own."),
		kong.Writers(c.out, c.err),
		kong.Exit(func(code int) { panic(exit(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(c),
	)
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if err != nil {
		return usageError{err}
	}
	return command.Run()
}

// quiet is the logger of short commands: warnings and errors only.
func quiet(c console) *slog.Logger {
	return slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// printJSON prints a result as one line of JSON.
func (c console) printJSON(v any) error {
	line, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "%s\n", line)
	return err
}
