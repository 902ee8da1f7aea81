// Command bench measures botyard beside others, in one run on one machine, and
// prints the ratios as Markdown.
//
// It owns the bed: it builds and starts the servers, fills them with the same
// data, sends them the same work in turns and compares the medians. The others
// are a bare net/http handler that runs the same SQL (folder bare), which shows
// what the layers above SQL cost, and PocketBase (folder peer), which shows what
// a general server on the same database engine does. Absolute figures belong to
// the machine; the ratios are what is promised. It also measures start-up, idle
// memory, the binary's size, and what a hundred thousand foreign bots cost.
//
// Run it from the repository, on Linux:
//
//	go run ./test/bench                              everything; about ten minutes
//	go run ./test/bench -sections footprint          one section
//	go run ./test/bench -servers botyard,pocketbase  without the bare handler
//	go run ./test/bench -check                       exit 1 when a target is missed
//	go run ./test/bench ask -header "…" URL          one request, a running server
//
// It does not own how requests are sent and timed; package load does.
package main
