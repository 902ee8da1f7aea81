package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/botyard/botyard/test/bench/load"
)

// ask measures one request against a server that runs already:
//
//	bench ask -header "Authorization: Bearer …" -header "x-workspace-id: …" http://127.0.0.1:8400/v1/admin/bots
//
// Every load.Number in the body becomes a number of its own.
func ask(ctx context.Context, arguments []string, out io.Writer) error {
	request := load.Request{}
	plan := load.Plan{}
	flags := flag.NewFlagSet("bench ask", flag.ExitOnError)
	flags.StringVar(&request.Method, "method", "GET", "the HTTP method")
	flags.Func("header", "a header line; may be given again", func(line string) error {
		request.Header = append(request.Header, line)
		return nil
	})
	body := flags.String("body", "", "a file with the JSON body; "+load.Number+" in it becomes a new number each time")
	flags.IntVar(&plan.Connections, "connections", 16, "how many at once")
	flags.DurationVar(&plan.WarmUp, "warm-up", time.Second, "load before the measurement")
	flags.DurationVar(&plan.Duration, "duration", 4*time.Second, "length of the measurement")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("wanted one URL after the flags")
	}
	target, err := url.Parse(flags.Arg(0))
	if err != nil {
		return err
	}
	if target.Scheme != "http" || target.Port() == "" {
		return fmt.Errorf("wanted a URL such as http://127.0.0.1:8400/livez, with its port, got %q", flags.Arg(0))
	}
	if *body != "" {
		text, err := os.ReadFile(*body)
		if err != nil {
			return err
		}
		request.Body = []byte(strings.TrimSpace(string(text)))
	}
	request.Path = target.RequestURI()
	plan.Address = target.Host
	plan.Requests = load.Numbered(request.Bytes(target.Host))
	result, err := load.Run(ctx, plan)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%.0f answers/s, p50 %s, p99 %s, %d bytes each\n", result.PerSecond, result.P50, result.P99, result.Bytes)
	return err
}
