package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/botyard/botyard/internal/db"
)

// options are the command line.
type options struct {
	servers  words
	sections words
	engines  words

	binary      string
	environment words
	pin         bool
	dir         string

	bots, definition, created int
	workspaces, allBots       int
	readers, creators         int
	pace
	hub hubSize
	// records are sent to each engine in the telemetry section.
	records   int
	floodTime time.Duration
	billed    int
	check     bool
}

// The servers and sections that can be named on the command line.
const (
	serverBotyard    = "botyard"
	serverBare       = "bare"
	serverPocketBase = "pocketbase"

	sectionContests  = "contests"
	sectionScale     = "scale"
	sectionFootprint = "footprint"
	sectionHub       = "hub"
	sectionTelemetry = "telemetry"
	sectionFloods    = "floods"
	sectionBilling   = "billing"
	sectionWebhooks  = "webhooks"
	sectionUsage     = "usage"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == "ask" {
		if err := ask(ctx, os.Args[2:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bench ask:", err)
			os.Exit(2)
		}
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "relay" {
		if err := relay(ctx, os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench relay:", err)
			os.Exit(2)
		}
		return
	}

	o := options{
		servers:  words{serverBotyard, serverBare, serverPocketBase},
		engines:  words{string(db.SQLite), string(db.PostgreSQL)},
		sections: words{sectionContests, sectionScale, sectionFootprint, sectionHub, sectionBilling, sectionWebhooks, sectionUsage, sectionTelemetry, sectionFloods},
	}
	flag.Var(&o.servers, "servers", "which servers take part, separated by commas")
	flag.Var(&o.sections, "sections", "what is measured, separated by commas")
	flag.Var(&o.engines, "engines", "on which engines telemetry and floods are measured, separated by commas")
	flag.StringVar(&o.binary, "botyard", "", "a botyard binary to measure instead of building one")
	flag.Var(&o.environment, "environment", "NAME=value pairs for botyard, separated by commas")
	flag.BoolVar(&o.pin, "pin", false, "give the load one processor to itself and the servers the others")
	flag.StringVar(&o.dir, "dir", "", "an empty folder for the data, kept afterwards; a temporary one when not given")
	flag.IntVar(&o.bots, "bots", 10_000, "bots in the workspace that is asked about")
	flag.IntVar(&o.definition, "definition", 20_000, "bytes of each bot's definition")
	flag.IntVar(&o.created, "created", 1_000, "bytes of the definition of a small bot to create")
	flag.IntVar(&o.workspaces, "workspaces", 10_000, "workspaces in the scale section")
	flag.IntVar(&o.allBots, "all-bots", 100_000, "bots of all workspaces in the scale section")
	flag.IntVar(&o.readers, "readers", 16, "connections that view and list")
	flag.IntVar(&o.creators, "creators", 64, "connections that create")
	flag.DurationVar(&o.warmUp, "warm-up", time.Second, "load before each measurement")
	flag.DurationVar(&o.duration, "duration", 4*time.Second, "length of each measurement")
	flag.IntVar(&o.rounds, "rounds", 3, "measurements of each server and work; the median counts")
	flag.IntVar(&o.hub.names, "hub-names", 2_000, "names of integrations in the hub section")
	flag.IntVar(&o.hub.versions, "hub-versions", 50, "versions of each name in the hub section, at most 90")
	flag.IntVar(&o.hub.publishers, "hub-publishers", 200, "workspaces that published them")
	flag.IntVar(&o.hub.others, "hub-others", 10_000, "workspaces that come beside them, each with a private integration")
	flag.DurationVar(&o.hub.duration, "hub-duration", time.Second, "length of each measurement of the hub section")
	flag.IntVar(&o.billed, "billed", 10_000, "workspaces whose month is closed in the billing section")
	flag.IntVar(&o.records, "telemetry-records", 1_000_000, "log records that are sent to each engine in the telemetry section; a tenth is of the bot that is read. 10000000 is what the targets are for")
	flag.DurationVar(&o.floodTime, "flood-time", 8*time.Second, "how long a server is offered more records than it can take, in each form")
	flag.BoolVar(&o.check, "check", false, "exit with status 1 when a target is missed")
	flag.Parse()

	missed, err := bench(ctx, o)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	case missed && o.check:
		os.Exit(1)
	}
}

// bench measures, prints the report and says whether a target was missed.
func bench(ctx context.Context, o options) (missed bool, err error) {
	if err := o.validate(); err != nil {
		return false, err
	}
	bed, err := newBed(ctx, o)
	if err != nil {
		return false, err
	}
	defer func() {
		if failure := bed.close(); err == nil {
			err = failure
		}
	}()
	report, err := bed.measure(ctx)
	if err != nil {
		return false, err
	}
	if err := report.write(os.Stdout); err != nil {
		return false, err
	}
	return len(report.unmet) > 0, nil
}

func (o options) validate() error {
	known := []struct {
		what           string
		given, allowed words
	}{
		{"server", o.servers, words{serverBotyard, serverBare, serverPocketBase}},
		{"section", o.sections, words{sectionContests, sectionScale, sectionFootprint, sectionHub, sectionBilling, sectionWebhooks, sectionUsage, sectionTelemetry, sectionFloods}},
		{"engine", o.engines, words{string(db.SQLite), string(db.PostgreSQL)}},
	}
	for _, k := range known {
		for _, word := range k.given {
			if !slices.Contains(k.allowed, word) {
				return fmt.Errorf("unknown %s %q, wanted some of %s", k.what, word, k.allowed)
			}
		}
	}
	if slices.Contains(o.servers, serverBare) && !slices.Contains(o.servers, serverBotyard) {
		return fmt.Errorf("the bare handler serves a copy of botyard's data: name %s too", serverBotyard)
	}
	if o.rounds < 1 || o.bots < 1 || o.workspaces < 2 || o.allBots <= o.bots {
		return fmt.Errorf("wanted at least 1 round, 1 bot, 2 workspaces and more -all-bots than -bots, got %d, %d, %d, %d and %d",
			o.rounds, o.bots, o.workspaces, o.allBots, o.bots)
	}
	return o.hub.validate()
}

// words is a flag that takes words separated by commas.
type words []string

func (w words) String() string { return strings.Join(w, ",") }

// Set replaces the words.
func (w *words) Set(text string) error {
	*w = strings.Split(text, ",")
	return nil
}

// progress tells whoever waits what has been done; results go to stdout.
func progress(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
}
