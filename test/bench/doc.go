// Command bench measures botyard beside others, in one run on one machine, and
// prints the ratios as Markdown.
//
// It owns the bed: it builds and starts the servers, fills them with the same
// data, sends them the same work in turns and compares the medians. The others
// are a bare net/http handler that runs the same SQL (folder bare), which shows
// what the layers above SQL cost, and PocketBase (folder peer), which shows what
// a general server on the same database engine does. Absolute figures belong to
// the machine; the ratios are what is promised. It also measures start-up, idle
// memory, the binary's size, and what a hundred thousand foreign bots cost; and, on
// SQLite and on PostgreSQL, a hub of a hundred thousand integration versions: its
// lists, searches and lookups, publishing, scripts, and the memory of large uploads; and the relay of webhooks.
//
// Run it from the repository, on Linux:
//
//	go run ./test/bench                              everything; about fifteen minutes
//	go run ./test/bench -sections footprint          one section
//	go run ./test/bench -sections usage              a minute; needs PostgreSQL's binaries
//	go run ./test/bench -sections hub                five minutes; needs PostgreSQL's binaries
//	go run ./test/bench -sections billing            a month of 10,000 workspaces is closed
//	go run ./test/bench -sections hub -hub-names 200 -hub-versions 5 -hub-others 200
//	                                                 a small hub; one minute
//	go run ./test/bench -sections webhooks           a minute
//	go run ./test/bench -servers botyard,pocketbase  without the bare handler
//	go run ./test/bench -check                       exit 1 when a target is missed
//	go run ./test/bench ask -header "…" URL          one request, a running server
//	go run ./test/bench relay ADDRESS URL            the yardstick of webhooks alone
//
// The section telemetry sends log lines to both engines and reads them, beside raw
// SQLite inserts and VictoriaLogs' storage engine (folder peer/victorialogs):
//
//	go run ./test/bench -sections telemetry -telemetry-records 1000000
//
// The section floods offers both engines more records than they can take, in every
// form, and tells the most memory that each takes; four minutes:
//
//	go run ./test/bench -sections floods
//
// It does not own how requests are sent and timed; package load does.
package main
