package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/bench/load"
	"github.com/botyard/botyard/test/postgres"
)

// fillers is how many connections fill a server with data.
const fillers = 64

// bed holds the servers' programs and data directories, and stops at its close
// whatever it started.
type bed struct {
	options options
	dir     string
	kept    bool
	running []*server

	botyard, bare program
	identity      identity

	peer                       *peer
	pocketbase, pocketbaseFull program

	victoria string // the binary
}

// newBed builds the programs that take part.
func newBed(ctx context.Context, o options) (*bed, error) {
	b := &bed{options: o, dir: o.dir, kept: o.dir != ""}
	if b.kept {
		if entries, err := os.ReadDir(b.dir); err != nil || len(entries) > 0 {
			return nil, fmt.Errorf("-dir %s must be an existing, empty folder", b.dir)
		}
	} else {
		dir, err := os.MkdirTemp("", "botyard-bench-")
		if err != nil {
			return nil, err
		}
		b.dir = dir
	}
	if err := b.build(ctx); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *bed) close() error {
	var failures []error
	for _, server := range b.running {
		failures = append(failures, server.stop())
	}
	b.running = nil
	failures = append(failures, postgres.Stop())
	if !b.kept {
		failures = append(failures, os.RemoveAll(b.dir))
	}
	return errors.Join(failures...)
}

func (b *bed) takesPart(server string) bool { return slices.Contains(b.options.servers, server) }

func (b *bed) wants(section string) bool { return slices.Contains(b.options.sections, section) }

// engines are those on which telemetry and floods are measured.
func (b *bed) engines() (all []db.Engine) {
	for _, name := range b.options.engines {
		all = append(all, db.Engine(name))
	}
	return all
}

// comparesBots says whether a section is wanted that is about bots, the same in
// every server.
func (b *bed) comparesBots() bool {
	return b.wants(sectionContests) || b.wants(sectionScale) || b.wants(sectionFootprint)
}

func (b *bed) path(name string) string { return filepath.Join(b.dir, name) }

// build makes the binaries the way a release does.
func (b *bed) build(ctx context.Context) error {
	module, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("find the module's folder: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(module)))
	compile := func(name, folder string) (string, error) {
		progress("building %s", name)
		binary := b.path(name)
		command := exec.CommandContext(ctx, "go", "build", "-C", filepath.Join(root, folder),
			"-trimpath", "-ldflags", "-s -w", "-o", binary, ".")
		command.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := command.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", name, err, output)
		}
		return binary, nil
	}
	if b.takesPart(serverBotyard) {
		binary := b.options.binary
		if binary == "" {
			if binary, err = compile(serverBotyard, "cmd/botyard"); err != nil {
				return err
			}
		}
		b.identity.token = newToken()
		b.botyard = botyardProgram(binary, b.identity.token, b.options.environment)
	}
	if b.wants(sectionTelemetry) {
		if b.victoria, err = compile("victorialogs", "test/bench/peer/victorialogs"); err != nil {
			return err
		}
	}
	if !b.comparesBots() {
		return nil
	}
	if b.takesPart(serverBare) {
		binary, err := compile(serverBare, "test/bench/bare")
		if err != nil {
			return err
		}
		b.bare = b.botyard
		b.bare.name, b.bare.binary = "bare handler", binary
	}
	if b.takesPart(serverPocketBase) {
		binary, err := compile(serverPocketBase, "test/bench/peer")
		if err != nil {
			return err
		}
		b.peer = newPeer()
		b.pocketbase, b.pocketbaseFull = b.peer.program(binary, false), b.peer.program(binary, true)
	}
	return nil
}

// start starts a program that runs until stopAll or the bed's close.
func (b *bed) start(ctx context.Context, program program, dir string) (*server, error) {
	server, _, err := start(ctx, program, dir)
	if err != nil {
		return nil, err
	}
	b.running = append(b.running, server)
	return server, nil
}

func (b *bed) stopAll() error {
	var group errgroup.Group
	for _, server := range b.running {
		group.Go(server.stop)
	}
	b.running = nil
	return group.Wait()
}

// measure runs the sections that were asked for.
func (b *bed) measure(ctx context.Context) (*report, error) {
	r := &report{options: b.options}
	var err error
	if r.diskSync, err = diskSync(b.dir); err != nil {
		return nil, err
	}
	if b.comparesBots() {
		if err := b.fill(ctx); err != nil {
			return nil, err
		}
	}
	if b.wants(sectionFootprint) {
		if r.footprints, err = b.footprints(ctx); err != nil {
			return nil, err
		}
	}
	if b.options.pin {
		if err := b.pin(ctx); err != nil {
			return nil, err
		}
	}
	if b.wants(sectionScale) && b.takesPart(serverBotyard) {
		if r.scale, err = b.scale(ctx); err != nil {
			return nil, err
		}
	}
	if b.wants(sectionContests) {
		if r.contests, err = b.contests(ctx); err != nil {
			return nil, err
		}
	}
	if b.wants(sectionHub) && b.takesPart(serverBotyard) {
		if r.hub, err = b.hub(ctx); err != nil {
			return nil, err
		}
	}
	if b.wants(sectionBilling) {
		if r.billing, err = b.billing(ctx); err != nil {
			return nil, err
		}
	}
	if b.wants(sectionWebhooks) && b.takesPart(serverBotyard) {
		figures, err := b.webhooks(ctx)
		if err != nil {
			return nil, err
		}
		r.webhooks = &figures
	}
	if b.wants(sectionUsage) && b.takesPart(serverBotyard) {
		if r.usage, err = b.usage(ctx); err != nil {
			return nil, err
		}
	}
	if b.wants(sectionTelemetry) && b.takesPart(serverBotyard) {
		if r.telemetry, r.rivals, err = b.telemetry(ctx); err != nil {
			return nil, err
		}
	}
	if b.wants(sectionFloods) && b.takesPart(serverBotyard) {
		if r.floods, err = b.floods(ctx); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// fill makes the data directories: botyard's, the bare handler's as a copy of
// it, and PocketBase's with as much in it. Every server is stopped afterwards.
func (b *bed) fill(ctx context.Context) error {
	o := b.options
	if b.takesPart(serverBotyard) {
		progress("filling botyard with %d bots", o.bots)
		server, err := b.start(ctx, b.botyard, b.path("botyard-data"))
		if err != nil {
			return err
		}
		if b.identity.workspace, err = createWorkspace(ctx, server.address, b.identity.token, "Bench"); err != nil {
			return err
		}
		workspaces := []string{b.identity.workspace}
		if b.identity.bots, err = b.identity.fill(ctx, server.address, workspaces, o.bots, o.definition); err != nil {
			return err
		}
	}
	if b.takesPart(serverPocketBase) {
		progress("filling PocketBase with %d bots", o.bots)
		server, err := b.start(ctx, b.pocketbase, b.path("pocketbase-data"))
		if err != nil {
			return err
		}
		if err := b.peer.signIn(ctx, server.address); err != nil {
			return err
		}
		if err := b.peer.fill(ctx, server.address, o.bots, o.definition); err != nil {
			return err
		}
	}
	if err := b.stopAll(); err != nil {
		return err
	}
	if b.takesPart(serverBare) {
		return copyData(b.path("bare-data"), b.path("botyard-data"))
	}
	return nil
}

// copyData copies a stopped server's data directory, with the modes of its files:
// botyard refuses a key file that others can read.
func copyData(to, from string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return os.Chmod(filepath.Join(to, relative), info.Mode().Perm())
	})
}

// pin gives the load a processor to itself and the servers started from now on
// the others.
func (b *bed) pin(ctx context.Context) error {
	rest, err := pinLoad(ctx)
	if err != nil {
		return err
	}
	for _, program := range []*program{&b.botyard, &b.bare, &b.pocketbase, &b.pocketbaseFull} {
		program.processors = rest
	}
	return nil
}

func (b *bed) footprints(ctx context.Context) ([]footprint, error) {
	var all []footprint
	for _, part := range []struct {
		server  string
		program program
		dir     string
	}{
		{serverBotyard, b.botyard, b.path("botyard-data")},
		{serverBare, b.bare, b.path("bare-data")},
		{serverPocketBase, b.pocketbase, b.path("pocketbase-data")},
	} {
		if !b.takesPart(part.server) {
			continue
		}
		one, err := measureFootprint(ctx, part.program, part.dir)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// scale compares one workspace alone with the same workspace among many others.
func (b *bed) scale(ctx context.Context) ([]outcome, error) {
	o := b.options
	if err := copyData(b.path("many-data"), b.path("botyard-data")); err != nil {
		return nil, err
	}
	many, err := b.start(ctx, b.botyard, b.path("many-data"))
	if err != nil {
		return nil, err
	}
	progress("adding %d workspaces with %d bots", o.workspaces-1, o.allBots-o.bots)
	others, err := createWorkspaces(ctx, many.address, b.identity.token, "Other", o.workspaces-1)
	if err != nil {
		return nil, err
	}
	if _, err := b.identity.fill(ctx, many.address, others, o.allBots-o.bots, o.created); err != nil {
		return nil, err
	}
	alone, err := b.start(ctx, b.botyard, b.path("botyard-data"))
	if err != nil {
		return nil, err
	}
	sides := func(requests func(address string) load.Source) []side {
		return []side{
			{name: fmt.Sprintf("botyard, %d workspaces, %d bots", o.workspaces, o.allBots), server: many, requests: requests(many.address)},
			{name: fmt.Sprintf("botyard, 1 workspace, %d bots", o.bots), server: alone, requests: requests(alone.address), compared: true},
		}
	}
	return b.runAll(ctx, []contest{
		{name: b.viewName(), connections: o.readers, sides: sides(b.identity.view)},
		{name: b.listName(), connections: o.readers, sides: sides(b.identity.list)},
	})
}

func (b *bed) viewName() string { return fmt.Sprintf("view a bot of %d bytes", b.options.definition) }

func (b *bed) listName() string { return fmt.Sprintf("list %d of %d bots", pageSize, b.options.bots) }

func createName(size int) string { return fmt.Sprintf("create a bot of %d bytes", size) }

// runAll runs the contests one after the other and stops the servers.
func (b *bed) runAll(ctx context.Context, contests []contest) ([]outcome, error) {
	var outcomes []outcome
	for _, contest := range contests {
		outcome, err := contest.run(ctx, b.options.pace)
		if err != nil {
			return nil, err
		}
		outcomes = append(outcomes, outcome)
	}
	return outcomes, b.stopAll()
}

// contests runs the same work on every server. Creating comes last, because it
// changes the data that the others are about.
func (b *bed) contests(ctx context.Context) ([]outcome, error) {
	o := b.options
	view := contest{name: b.viewName(), connections: o.readers}
	list := contest{name: b.listName(), connections: o.readers}
	small := contest{name: createName(o.created), connections: o.creators}
	large := contest{name: createName(o.definition), connections: o.creators}
	enter := func(c *contest, program program, server *server, requests load.Source, target float64) {
		c.sides = append(c.sides, side{
			name: program.name, server: server, requests: requests,
			compared: b.takesPart(serverBotyard), target: target,
		})
	}
	if b.takesPart(serverBotyard) {
		server, err := b.start(ctx, b.botyard, b.path("botyard-data"))
		if err != nil {
			return nil, err
		}
		enter(&view, b.botyard, server, b.identity.view(server.address), 0)
		enter(&list, b.botyard, server, b.identity.list(server.address), 0)
		enter(&small, b.botyard, server, b.identity.create(server.address, o.created), 0)
		enter(&large, b.botyard, server, b.identity.create(server.address, o.definition), 0)
	}
	if b.takesPart(serverBare) {
		server, err := b.start(ctx, b.bare, b.path("bare-data"))
		if err != nil {
			return nil, err
		}
		enter(&view, b.bare, server, b.identity.view(server.address), 0.7)
		enter(&list, b.bare, server, b.identity.list(server.address), 0.7)
		enter(&small, b.bare, server, b.identity.create(server.address, o.created), 0.5)
		enter(&large, b.bare, server, b.identity.create(server.address, o.definition), 0)
	}
	if b.takesPart(serverPocketBase) {
		server, err := b.start(ctx, b.pocketbase, b.path("pocketbase-data"))
		if err != nil {
			return nil, err
		}
		enter(&view, b.pocketbase, server, b.peer.view(server.address), 4)
		enter(&list, b.pocketbase, server, b.peer.list(server.address, nil), 10)
		for _, other := range otherLists {
			asked := b.pocketbase
			asked.name += ", " + other.name
			enter(&list, asked, server, b.peer.list(server.address, other.query), 0)
		}
		enter(&small, b.pocketbase, server, b.peer.create(server.address, o.created), 3)
		enter(&large, b.pocketbase, server, b.peer.create(server.address, o.definition), 0)

		durable, err := b.start(ctx, b.pocketbaseFull, b.path("pocketbase-full-data"))
		if err != nil {
			return nil, err
		}
		// Its users have another signing key, so it gives another token.
		other := *b.peer
		if err := other.signIn(ctx, durable.address); err != nil {
			return nil, err
		}
		enter(&small, b.pocketbaseFull, durable, other.create(durable.address, o.created), 0)
		enter(&large, b.pocketbaseFull, durable, other.create(durable.address, o.definition), 0)
	}
	return b.runAll(ctx, []contest{view, list, small, large})
}
