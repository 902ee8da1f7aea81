package hub

import "embed"

// Files are the definitions, one file an interface, each the body of a
// createInterface request.
//
//go:embed *.json
var Files embed.FS
