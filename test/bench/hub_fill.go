package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/bench/load"
)

const (
	// integrationSize is the bytes of each integration's definition.
	integrationSize = 10_000
	// topics is how many names there are to one that has a topic's word.
	topics = 100
)

func product(n int) string { return fmt.Sprintf("quill%05d", n) }

func (h *hub) publisherOf(n int) publisher { return h.publishers[n%len(h.publishers)] }

func (h *hub) name(n int) string { return h.publisherOf(n).handle + "/" + product(n) }

// fill makes the hub: the first version of every name through the API, so that all
// that belongs to it is there, and the other versions as copies of its rows.
func (h *hub) fill(ctx context.Context) error {
	versions := h.size.names * h.size.versions
	progress("%s: filling the hub with %d versions of %d names", h.figures.engine, versions, h.size.names)
	if err := h.serve(ctx, h.program, h.publish); err != nil {
		return err
	}
	return h.open(ctx, func(d *db.DB) error {
		if err := d.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
			if _, err := tx.Exec(ctx, `UPDATE integrations SET installs = created_at * 7919 % 1009, views = created_at * 7907 % 997`); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `UPDATE integration_words SET installs = (SELECT i.installs FROM integrations i WHERE i.id = integration_id)`)
			return err
		}); err != nil {
			return err
		}
		for n := 1; n < h.size.versions; n++ {
			if err := d.Tx(ctx, func(ctx context.Context, tx *db.Tx) error { return copyVersions(ctx, tx, n) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// publish makes the publishers and the first version of every name.
func (h *hub) publish(ctx context.Context, server *server) error {
	identity := h.bed.identity
	workspaces, err := createWorkspaces(ctx, server.address, identity.token, "Publisher", h.size.publishers)
	if err != nil {
		return err
	}
	h.publishers = make([]publisher, len(workspaces))
	for n, workspace := range workspaces {
		h.publishers[n] = publisher{workspace, fmt.Sprintf("studio-%03d", n)}
	}
	if err := load.Each(ctx, server.address, fillers, len(workspaces),
		func(n int) []byte {
			return load.Request{
				Method: "PUT", Path: "/v1/admin/workspaces/" + workspaces[n], Header: identity.header(workspaces[n]),
				Body: []byte(`{"handle":"` + h.publishers[n].handle + `"}`),
			}.Bytes(server.address)
		},
		func(int, []byte) error { return nil }); err != nil {
		return fmt.Errorf("give handles: %w", err)
	}
	parts := definition(integrationSize)
	_, err = h.create(ctx, server.address, h.size.names, func(n int) (publisher, string) {
		return h.publisherOf(n), fmt.Sprintf(`{"name":"%s","version":"1.0.0","title":"%s","visibility":"public",`+
			`"description":"Sends messages and files between your bot and %s, and tells it what happens there. Made for topic%03d.",%s}`,
			h.name(n), product(n), product(n), n%topics, parts)
	})
	return err
}

// create makes integrations and returns their ids.
func (h *hub) create(ctx context.Context, address string, n int, body func(n int) (publisher, string)) ([]string, error) {
	ids := make([]string, n)
	err := load.Each(ctx, address, fillers, n,
		func(i int) []byte {
			by, text := body(i)
			return load.Request{
				Method: "POST", Path: "/v1/admin/integrations", Header: h.bed.identity.header(by.workspace), Body: []byte(text),
			}.Bytes(address)
		},
		func(i int, body []byte) error {
			var answer struct {
				Integration struct {
					ID string `json:"id"`
				} `json:"integration"`
			}
			err := json.Unmarshal(body, &answer)
			ids[i] = answer.Integration.ID
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("create %d integrations: %w", n, err)
	}
	return ids, nil
}

// fillOthers adds workspaces that have one private integration each.
func (h *hub) fillOthers(ctx context.Context) error {
	progress("%s: adding %d workspaces", h.figures.engine, h.size.others)
	if err := h.serve(ctx, h.program, func(ctx context.Context, server *server) error {
		_, err := createWorkspaces(ctx, server.address, h.bed.identity.token, "Other", h.size.others)
		return err
	}); err != nil {
		return err
	}
	return h.open(ctx, func(d *db.DB) error {
		return d.Tx(ctx, func(ctx context.Context, tx *db.Tx) error { return copyToOthers(ctx, tx, d.Engine()) })
	})
}

// open opens the database of the stopped installation, and settles it afterwards.
func (h *hub) open(ctx context.Context, do func(*db.DB) error) error {
	d, err := db.Open(ctx, h.database)
	if err != nil {
		return err
	}
	if err := errors.Join(do(d), d.Close()); err != nil {
		return err
	}
	return h.settle(ctx)
}

// settle does at once what PostgreSQL itself does some minutes after it was filled,
// so that it does not do it while something else is timed. SQLite keeps no
// statistics unless it is told to, and botyard does not tell it.
func (h *hub) settle(ctx context.Context) (err error) {
	if h.database.URL == "" {
		return nil
	}
	d, err := sql.Open("pgx", h.database.URL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	for _, statement := range []string{"VACUUM (ANALYZE)", "CHECKPOINT"} {
		if _, err := d.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// copyVersions adds the next version of every name, as version 1.n.0. Its id is
// older than those made since, and newer than that of the version before.
func copyVersions(ctx context.Context, tx *db.Tx, n int) error {
	const day = 86_400_000 // milliseconds
	const first = " WHERE t.integration_id IN (SELECT id FROM integrations WHERE version = '1.0.0')"
	id := func(of string) string { return fmt.Sprintf("'intver_00%d' || substr(%s, 12)", 9+n, of) }
	part := map[string]string{"integration_id": id("t.integration_id")}
	return errors.Join(
		copyRows(ctx, tx, "integrations", map[string]string{
			"id": id("t.id"), "version": fmt.Sprintf("'1.%d.0'", n),
			"created_at": fmt.Sprintf("t.created_at - %d", (maxHubVersions-n)*day), "updated_at": fmt.Sprintf("t.updated_at - %d", n*7919%maxHubVersions*day),
			"installs": fmt.Sprintf("(t.created_at + %d) * 7919 %% 1009", n), "views": fmt.Sprintf("(t.created_at + %d) * 7907 %% 997", n),
		}, " WHERE t.version = '1.0.0'"),
		copyRows(ctx, tx, "integration_definitions", part, first),
		copyRows(ctx, tx, "integration_words", map[string]string{
			"integration_id": id("t.integration_id"), "installs": "(SELECT i.installs FROM integrations i WHERE i.id = " + id("t.integration_id") + ")",
		}, first),
	)
}

// copyToOthers gives every workspace without a handle a private integration.
func copyToOthers(ctx context.Context, tx *db.Tx, engine db.Engine) error {
	var template string
	if err := tx.QueryRow(ctx, `SELECT id FROM integrations WHERE visibility = 'public' AND version = '1.0.0' LIMIT 1`).Scan(&template); err != nil {
		return err
	}
	const id, name = "'intver_' || substr(w.id, 9)", "'own/' || substr(w.id, 9)"
	key := "CAST(" + name + " AS BLOB)"
	if engine == db.PostgreSQL {
		key = "convert_to(" + name + ", 'UTF8')"
	}
	of := func(column string) string {
		return fmt.Sprintf(" CROSS JOIN workspaces w WHERE w.handle IS NULL AND t.%s = '%s'", column, template)
	}
	return errors.Join(
		copyRows(ctx, tx, "integrations", map[string]string{
			"id": id, "workspace_id": "w.id", "name": name, "name_key": key, "visibility": "'private'", "installs": "1", "views": "0",
		}, of("id")),
		copyRows(ctx, tx, "integration_definitions", map[string]string{"integration_id": id}, of("integration_id")),
		copyRows(ctx, tx, "integration_words", map[string]string{"integration_id": id, "listed": "FALSE", "installs": "0"}, of("integration_id")),
	)
}

// copyRows copies the rows t of a table, with some columns made anew.
func copyRows(ctx context.Context, tx *db.Tx, table string, made map[string]string, where string) error {
	rows, err := tx.Query(ctx, "SELECT * FROM "+table+" WHERE 1 = 0")
	if err != nil {
		return err
	}
	columns, err := rows.Columns()
	if err = errors.Join(err, rows.Close()); err != nil {
		return err
	}
	values := make([]string, len(columns))
	for n, column := range columns {
		values[n] = "t." + column
		if expression, found := made[column]; found {
			values[n] = expression
		}
	}
	_, err = tx.Exec(ctx, "INSERT INTO "+table+" ("+strings.Join(columns, ", ")+") SELECT "+strings.Join(values, ", ")+" FROM "+table+" t"+where)
	return err
}
