package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/test/bench/load"
)

// pageSize is how many bots every list asks for.
const pageSize = 20

// viewed is how many different bots the view contest asks for in turn.
const viewed = 1000

// identity is who calls botyard, and where: it holds for every server that
// runs on a copy of the same data directory.
type identity struct {
	token     string
	workspace string
	bots      []string
}

// newToken is a personal access token for the first start to take.
func newToken() string { return "bp_pat_" + (rand.Text() + rand.Text())[:36] }

// botyardProgram starts botyard so that its first account has the token. It runs
// without rate limits: they are what a load must not meet. All else is default.
func botyardProgram(binary, token string, environment []string) program {
	return program{
		name:   "botyard",
		binary: binary,
		arguments: func(address, dir string) []string {
			return []string{"serve", "--listen", address, "--data", dir}
		},
		environment: append([]string{
			"BOTYARD_BOOTSTRAP_EMAIL=bench@example.com",
			"BOTYARD_BOOTSTRAP_TOKEN=" + token,
			"BOTYARD_RATE_LIMIT_WORKSPACE=0",
			"BOTYARD_RATE_LIMIT_TOKEN=0",
		}, environment...),
		readiness: "/readyz",
	}
}

func (i identity) header(workspace string) []string {
	return []string{"Authorization: Bearer " + i.token, "x-workspace-id: " + workspace}
}

// botBody is a createBot body with about size bytes of definition.
func botBody(size int) []byte {
	return []byte(`{"name":"Bot ` + load.Number + `","tags":{"team":"support","stage":"production"},` + definition(size) + `}`)
}

// createWorkspace makes a workspace and returns its id.
func createWorkspace(ctx context.Context, address, token, name string) (string, error) {
	ids, err := createWorkspaces(ctx, address, token, name, 1)
	if err != nil {
		return "", err
	}
	return ids[0], nil
}

// createWorkspaces makes n workspaces and returns their ids.
func createWorkspaces(ctx context.Context, address, token, name string, n int) ([]string, error) {
	ids := make([]string, n)
	err := load.Each(ctx, address, fillers, n,
		func(i int) []byte {
			return load.Request{
				Method: "POST", Path: "/v1/admin/workspaces",
				Header: []string{"Authorization: Bearer " + token},
				Body:   fmt.Appendf(nil, `{"name":"%s %d"}`, name, i+1),
			}.Bytes(address)
		},
		func(i int, body []byte) error {
			var workspace struct {
				ID string `json:"id"`
			}
			err := json.Unmarshal(body, &workspace)
			ids[i] = workspace.ID
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("create %d workspaces: %w", n, err)
	}
	return ids, nil
}

// fill creates n bots, in the given workspaces by turns, and returns their ids.
func (i identity) fill(ctx context.Context, address string, workspaces []string, n, size int) ([]string, error) {
	templates := make([]string, len(workspaces))
	for w, workspace := range workspaces {
		templates[w] = string(load.Request{
			Method: "POST", Path: "/v1/admin/bots", Header: i.header(workspace), Body: botBody(size),
		}.Bytes(address))
	}
	ids := make([]string, n)
	err := load.Each(ctx, address, fillers, n,
		func(b int) []byte {
			return []byte(strings.Replace(templates[b%len(templates)], load.Number, fmt.Sprintf("%010d", b), 1))
		},
		func(b int, body []byte) error {
			var answer struct {
				Bot struct {
					ID string `json:"id"`
				} `json:"bot"`
			}
			err := json.Unmarshal(body, &answer)
			ids[b] = answer.Bot.ID
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("create %d bots: %w", n, err)
	}
	return ids, nil
}

func (i identity) view(address string) load.Source {
	requests := make([][]byte, 0, viewed)
	for _, id := range spread(i.bots, viewed) {
		requests = append(requests, load.Request{
			Method: "GET", Path: "/v1/admin/bots/" + id, Header: i.header(i.workspace),
		}.Bytes(address))
	}
	return load.Cycle(requests)
}

func (i identity) list(address string) load.Source {
	return load.Cycle([][]byte{load.Request{
		Method: "GET", Path: fmt.Sprintf("/v1/admin/bots?pageSize=%d&sortField=createdAt&sortDirection=desc", pageSize),
		Header: i.header(i.workspace),
	}.Bytes(address)})
}

func (i identity) create(address string, size int) load.Source {
	return load.Numbered(load.Request{
		Method: "POST", Path: "/v1/admin/bots", Header: i.header(i.workspace), Body: botBody(size),
	}.Bytes(address))
}

// spread is up to n of the ids, evenly taken, so that neither only old nor only
// new ones are asked for.
func spread(ids []string, n int) []string {
	if len(ids) <= n {
		return ids
	}
	taken := make([]string, n)
	for i := range taken {
		taken[i] = ids[i*len(ids)/n]
	}
	return taken
}
