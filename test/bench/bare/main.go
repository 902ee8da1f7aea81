package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/botyard/botyard/internal/db"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

// run takes the words of botyard's own command line, so that the two are started
// alike: serve --listen ADDRESS --data DIRECTORY. The directory is one that
// botyard made; it is not migrated.
func run(ctx context.Context, words []string) (err error) {
	if len(words) == 0 || words[0] != "serve" {
		return errors.New("usage: bare serve --listen ADDRESS --data DIRECTORY")
	}
	flags := flag.NewFlagSet("bare serve", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8400", "address to serve on")
	data := flags.String("data", "", "data directory of botyard")
	if err := flags.Parse(words[1:]); err != nil {
		return err
	}
	// The one setting of botyard that changes what its statements cost.
	database, err := db.Open(ctx, db.Options{Dir: *data, Synchronous: os.Getenv("BOTYARD_SQLITE_SYNCHRONOUS")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()

	server := &http.Server{Addr: *listen, Handler: newHandler(database), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Shutdown(context.WithoutCancel(ctx)) // the process ends next
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
