// Command botyard is Botpress Cloud's control plane as a server of your own.
package main

import (
	"os"

	"github.com/botyard/botyard/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr))
}
