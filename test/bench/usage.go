package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/bench/load"
	"github.com/botyard/botyard/test/postgres"
)

// What the usage section is filled with, and how long each work is measured.
const (
	usageWorkspaces = 10_000
	usageMonths     = 24
	usageOwn        = 10 // workspaces of the account that asks
	usageDuration   = 2 * time.Second
	usageTarget     = 2 * time.Millisecond
	// floodClients ask in the workspace of another account, far above its rate.
	floodClients = 8
	floodRate    = 100
	// floodPause keeps the clients of the flood from being what is measured: they are
	// on the machine of the server.
	floodPause = 4 * time.Millisecond
)

// usageFigures are those of one database engine.
type usageFigures struct {
	engine db.Engine
	times  []hubTime
	// refused is how many requests of the flood were, and passed how many were not.
	refused, passed int64
}

// usage measures the operations of usage on every database engine.
func (b *bed) usage(ctx context.Context) (all []usageFigures, err error) {
	for _, engine := range []db.Engine{db.SQLite, db.PostgreSQL} {
		// The hub knows how to run a server of either engine beside its database.
		h := &hub{
			bed: b, size: hubSize{duration: usageDuration}, program: b.botyard, dir: b.path("usage-" + string(engine)),
			figures: hubFigures{engine: engine},
		}
		h.database = db.Options{Dir: h.dir, Synchronous: "NORMAL"}
		if engine == db.PostgreSQL {
			address, err := postgres.Create(ctx)
			if err != nil {
				return nil, err
			}
			h.database = db.Options{URL: address}
			h.program.environment = append(slices.Clone(h.program.environment), "BOTYARD_DATABASE_URL="+address)
		}
		figures, err := b.usageOf(ctx, h)
		if err != nil {
			return nil, fmt.Errorf("usage on %s: %w", engine, err)
		}
		all = append(all, figures)
	}
	return all, nil
}

func (b *bed) usageOf(ctx context.Context, h *hub) (usageFigures, error) {
	f := usageFigures{engine: h.figures.engine}
	var own []string
	if err := h.serve(ctx, h.program, func(ctx context.Context, server *server) (err error) {
		own, err = createWorkspaces(ctx, server.address, b.identity.token, "Metered", usageOwn)
		return err
	}); err != nil {
		return f, err
	}
	progress("%s: filling %d workspaces with %d months", f.engine, usageWorkspaces, usageMonths)
	if err := h.open(ctx, func(d *db.DB) error { return fillUsage(ctx, d, own) }); err != nil {
		return f, err
	}
	err := h.serve(ctx, h.program, func(ctx context.Context, server *server) error {
		ask := func(path string) load.Source {
			return load.Cycle([][]byte{load.Request{Method: "GET", Path: path, Header: b.identity.header(own[0])}.Bytes(server.address)})
		}
		works := []work{
			{"getUsage, a counter", ask("/v1/admin/usages/" + own[0] + "?type=invocation_calls"), usageTarget},
			{"getUsage, a gauge", ask("/v1/admin/usages/" + own[0] + "?type=bot_count"), usageTarget},
			{"getUsage, of an old month", ask("/v1/admin/usages/" + own[0] + "?type=ai_spend&period=" + time.Now().AddDate(-1, 0, 0).Format("2006-01")), usageTarget},
			{fmt.Sprintf("getAllWorkspaceQuotaCompletion, of %d workspaces", usageOwn), ask("/v1/admin/workspaces/usages/quota-completion"), usageTarget},
			{"listUsageHistory", ask("/v1/admin/usages/" + own[0] + "/history?type=invocation_calls"), 0},
			{"breakDownWorkspaceUsageByBot", ask("/v1/admin/workspaces/" + own[0] + "/usages/by-bot?type=invocation_calls"), 0},
		}
		if err := h.note(ctx, server, works); err != nil {
			return err
		}
		var beside hubTime
		var err error
		f.passed, f.refused, err = b.flood(ctx, server, own[1], func() error {
			beside, err = h.time(ctx, server, work{"getUsage beside a flood", works[0].requests, usageTarget})
			return err
		})
		f.times = append(h.figures.times, beside)
		return err
	})
	return f, err
}

// flood asks in a workspace, with hardly a pause, while do runs.
func (b *bed) flood(ctx context.Context, server *server, workspace string, do func() error) (passed, refused int64, err error) {
	ctx, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	var mu sync.Mutex
	header := b.identity.header(workspace)
	for range floodClients {
		all.Go(func() {
			for ctx.Err() == nil {
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+server.address+"/v1/admin/workspaces/"+workspace, nil)
				if err != nil {
					return
				}
				for _, line := range header {
					name, value, _ := strings.Cut(line, ": ")
					r.Header.Set(name, value)
				}
				answer, err := http.DefaultClient.Do(r)
				if err != nil {
					continue // the end of the flood
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
				mu.Lock()
				if answer.StatusCode == http.StatusTooManyRequests {
					refused++
				} else {
					passed++
				}
				mu.Unlock()
				time.Sleep(floodPause)
			}
		})
	}
	err = do()
	stop()
	all.Wait()
	return passed, refused, err
}

// fillUsage gives the account's own workspaces and many others two years of usage, and
// every workspace a plan that limits it.
func fillUsage(ctx context.Context, d *db.DB, own []string) error {
	workspaces := slices.Clone(own)
	for n := range usageWorkspaces {
		workspaces = append(workspaces, fmt.Sprintf("wkspace_%026d", n))
	}
	now := time.Now().UTC()
	for chunk := range slices.Chunk(workspaces, 200) {
		var spaces, members, gauges, months [][]any
		for _, w := range chunk {
			if !slices.Contains(own, w) {
				spaces = append(spaces, []any{w, "W", "nobody", "team", "v4", false, 0, "", "", "", "", "[]", false, 0, 0})
				members = append(members, []any{"m" + w, w, "nobody", "nobody@example.com", "nobody@example.com", "owner", 0})
			}
			for _, of := range []string{"bot_count", "workspace_member_count", "integrations_owned_count"} {
				gauges = append(gauges, []any{w, of, 2})
			}
			for n := range usageMonths {
				month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC).AddDate(0, -n, 0).UnixMilli()
				for _, of := range []string{"invocation_calls", "ai_spend"} {
					for _, bot := range []string{"", "bot-1-" + w} {
						months = append(months, []any{w, bot, of, month, n + 1})
					}
				}
			}
		}
		if err := d.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
			for _, table := range []struct {
				insert, conflict string
				rows             [][]any
			}{
				{`INSERT INTO workspaces (id, name, owner_id, plan, billing_version, blocked, spending_limit, about, profile_picture,
					contact_email, website, social_accounts, is_public, created_at, updated_at) VALUES `, ``, spaces},
				{`INSERT INTO members (id, workspace_id, account_id, email, email_key, role, created_at) VALUES `, ``, members},
				{`INSERT INTO gauges (workspace_id, type, value) VALUES `, ` ON CONFLICT (workspace_id, type) DO UPDATE SET value = excluded.value`, gauges},
				{`INSERT INTO usage_months (workspace_id, bot_id, type, month, value) VALUES `, ``, months},
			} {
				if err := db.InsertRows(ctx, tx, table.insert, table.conflict, table.rows); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return d.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE workspaces SET plan = 'team'`); err != nil {
			return err
		}
		// Those who are measured are not held to a rate, and the flood is.
		for i, w := range own {
			rate := 1_000_000
			if i == 1 {
				rate = floodRate
			}
			if _, err := tx.Exec(ctx, `INSERT INTO quotas (workspace_id, type, operator_value, added) VALUES ($1, 'workspace_ratelimit', $2, 0)`, w, rate); err != nil {
				return err
			}
		}
		return nil
	})
}

// writeUsage prints the figures of all engines side by side.
func (r *report) writeUsage(b *strings.Builder) {
	fmt.Fprintf(b, "%d workspaces with %d months of usage. One connection, %s of requests; the flood is %d clients with pauses of %s in a workspace that may ask %d times a second.\n\n",
		usageWorkspaces, usageMonths, usageDuration, floodClients, floodPause, floodRate)
	b.WriteString("| work | database | p50 | p99 | target |\n|---|---|--:|--:|--:|\n")
	for n := range r.usage[0].times {
		for _, f := range r.usage {
			t := f.times[n]
			target := ""
			if t.target > 0 {
				target = r.judge(t.p50 < t.target, "< "+t.target.String(), engineNames[f.engine]+", "+t.work+": "+milliseconds(t.p50))
			}
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", t.work, engineNames[f.engine], milliseconds(t.p50), milliseconds(t.p99), target)
		}
	}
	for _, f := range r.usage {
		fmt.Fprintf(b, "\nThe flood on %s: %d requests passed, %d were refused.\n", engineNames[f.engine], f.passed, f.refused)
	}
}
