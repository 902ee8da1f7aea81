package clients

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// oldestNode is the first major version of node whose test runner and language
// the scenarios use.
const oldestNode = 20

// installClients puts the pinned clients into node_modules, unless they are there.
func installClients(ctx context.Context) error {
	if err := checkNode(ctx); err != nil {
		return err
	}
	wanted, err := pinned()
	if err != nil {
		return err
	}
	stamp := filepath.Join("node_modules", ".pinned")
	if have, err := os.ReadFile(stamp); err == nil && string(have) == wanted {
		return nil
	}
	if output, err := exec.CommandContext(ctx, "npm", "ci").CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci could not install the official clients: %w\n%s", err, output)
	}
	return os.WriteFile(stamp, []byte(wanted), 0o644)
}

func checkNode(ctx context.Context) error {
	const need = "the official clients are tested with node %d or newer and npm; install them"
	output, err := exec.CommandContext(ctx, "node", "--version").Output()
	if err != nil {
		return fmt.Errorf(need+": node: %w", oldestNode, err)
	}
	version := strings.TrimSpace(string(output))
	major, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldestNode {
		return fmt.Errorf(need+": node is %s", oldestNode, version)
	}
	if _, err := exec.LookPath("npm"); err != nil {
		return fmt.Errorf(need+": %w", oldestNode, err)
	}
	return nil
}

// pinned names the state of the files that say what is to be installed.
func pinned() (string, error) {
	var failures []error
	hash := sha256.New()
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc"} {
		text, err := os.ReadFile(name)
		failures = append(failures, err)
		fmt.Fprintf(hash, "%s %d\n%s", name, len(text), text)
	}
	return hex.EncodeToString(hash.Sum(nil)), errors.Join(failures...)
}
