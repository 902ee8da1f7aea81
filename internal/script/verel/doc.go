// Command verel fetches the VRL engine that package script embeds.
//
// It owns the pinned npm package that the engine comes in (its lock file holds the
// version and the hash) and the way from that package to the packed file. It does
// not own what runs the engine, nor the engine's licences, which stand beside the
// packed file.
//
//	go run ./internal/script/verel
package main
