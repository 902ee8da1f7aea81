// Package notice holds the licences of the Go modules that are linked into botyard.
//
// It owns their text, which stands in modules.txt and is written anew by
//
//	go run ./internal/notice/collect
//
// when a dependency changes; a test tells when that was forgotten. It does not own
// the notices of what else is built in: the VRL engine's are package script's, the
// reference page's stand beside it in package wire, the licence of the font of
// invoices in package billing.
package notice

import (
	_ "embed"
)

// Modules is the licence of every linked module, each text once, after the names and
// versions of the modules that it is of. Who hands on a binary hands this on.
//
//go:embed modules.txt
var Modules string
