package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/test/bench/load"
)

const (
	peerRecords   = "/api/collections/bots/records"
	peerWorkspace = "wkspace_01JQZ8W3E5T7Y9V2C4B6N8M0KA"
)

// peer is PocketBase, signed in and filled.
type peer struct {
	email, password string
	token           string
	bots            []string
}

func newPeer() *peer { return &peer{email: "bench@example.com", password: rand.Text()} }

// program starts PocketBase; durable makes it wait for the disk at each commit.
func (p *peer) program(binary string, durable bool) program {
	environment := []string{"PEER_EMAIL=" + p.email, "PEER_PASSWORD=" + p.password}
	name := "PocketBase"
	if durable {
		name += ", synchronous=FULL"
		environment = append(environment, "PEER_DURABLE=1")
	}
	return program{
		name:   name,
		binary: binary,
		arguments: func(address, dir string) []string {
			return []string{"serve", "--http", address, "--dir", dir}
		},
		environment: environment,
		readiness:   "/api/health",
	}
}

// signIn gets the token that the requests carry.
func (p *peer) signIn(ctx context.Context, address string) error {
	body, err := load.Once(ctx, address, load.Request{
		Method: "POST", Path: "/api/collections/users/auth-with-password",
		Body: fmt.Appendf(nil, `{"identity":%q,"password":%q}`, p.email, p.password),
	})
	if err != nil {
		return fmt.Errorf("sign in to PocketBase: %w", err)
	}
	var answer struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("sign in to PocketBase: %w", err)
	}
	p.token = answer.Token
	return nil
}

func (p *peer) template(address string, size int) []byte {
	return load.Request{
		Method: "POST", Path: peerRecords, Header: []string{"Authorization: " + p.token},
		Body: []byte(`{"name":"Bot ` + load.Number + `","workspace":"` + peerWorkspace +
			`","dev":false,"tags":{"team":"support","stage":"production"},"definition":{` + definition(size) + `}}`),
	}.Bytes(address)
}

// fill creates n records and keeps their ids.
func (p *peer) fill(ctx context.Context, address string, n, size int) error {
	template := string(p.template(address, size))
	p.bots = make([]string, n)
	err := load.Each(ctx, address, fillers, n,
		func(i int) []byte { return []byte(strings.Replace(template, load.Number, fmt.Sprintf("%010d", i), 1)) },
		func(i int, body []byte) error {
			var record struct {
				ID string `json:"id"`
			}
			err := json.Unmarshal(body, &record)
			p.bots[i] = record.ID
			return err
		})
	if err != nil {
		return fmt.Errorf("create %d records in PocketBase: %w", n, err)
	}
	return nil
}

func (p *peer) view(address string) load.Source {
	requests := make([][]byte, 0, viewed)
	for _, id := range spread(p.bots, viewed) {
		requests = append(requests, p.get(address, peerRecords+"/"+id))
	}
	return load.Cycle(requests)
}

// otherLists are what a careful client adds to a list. The client library's
// getList adds neither: skipTotal leaves out the count of all records, fields
// what listBots does not answer.
var otherLists = []struct {
	name  string
	query url.Values
}{
	{"skipTotal", url.Values{"skipTotal": {"1"}}},
	{"skipTotal and fields", url.Values{"skipTotal": {"1"}, "fields": {"id,created,updated,name,tags"}}},
}

// list asks as the client library's getList does, with extra parameters or none.
func (p *peer) list(address string, extra url.Values) load.Source {
	query := url.Values{
		"page": {"1"}, "perPage": {fmt.Sprint(pageSize)}, "sort": {"-created"},
		"filter": {"workspace='" + peerWorkspace + "'"},
	}
	for name, values := range extra {
		query[name] = values
	}
	return load.Cycle([][]byte{p.get(address, peerRecords+"?"+query.Encode())})
}

func (p *peer) create(address string, size int) load.Source {
	return load.Numbered(p.template(address, size))
}

func (p *peer) get(address, path string) []byte {
	return load.Request{Method: "GET", Path: path, Header: []string{"Authorization: " + p.token}}.Bytes(address)
}
