package main

import (
	"log"
	"os"

	"github.com/pocketbase/dbx"
	"github.com/pocketbase/pocketbase"
	"github.com/pocketbase/pocketbase/core"
)

// The caller signs in with this account; the benchmark chooses it for each run.
const (
	emailVariable    = "PEER_EMAIL"
	passwordVariable = "PEER_PASSWORD"
)

// durableVariable, set to any value, makes PocketBase wait for the disk at each
// commit, as botyard does. PocketBase's own default is synchronous=NORMAL.
const durableVariable = "PEER_DURABLE"

func main() {
	var config pocketbase.Config
	config.HideStartBanner = true
	if os.Getenv(durableVariable) != "" {
		config.DBConnect = connectDurably
	}
	core.AppMigrations.Register(createBots, nil, "1_bots.go")
	if err := pocketbase.NewWithConfig(config).Start(); err != nil {
		log.Fatal(err)
	}
}

// connectDurably is PocketBase's own connection with synchronous=FULL.
func connectDurably(path string) (*dbx.DB, error) {
	return dbx.Open("sqlite", path+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)"+
		"&_pragma=journal_size_limit(200000000)&_pragma=synchronous(FULL)&_pragma=foreign_keys(ON)"+
		"&_pragma=temp_store(MEMORY)&_pragma=cache_size(-32000)")
}
