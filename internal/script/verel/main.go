package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"github.com/klauspost/compress/zstd"
)

const (
	directory = "internal/script/verel"
	library   = directory + "/node_modules/@bpinternal/verel/dist/node/index.js"
	target    = "internal/script/engine/vrl.wasm.zst"
)

func main() {
	if err := fetch(); err != nil {
		fmt.Fprintln(os.Stderr, "verel: "+err.Error())
		os.Exit(1)
	}
}

// fetch installs the package, as its lock file says, and packs the engine in it.
func fetch() error {
	if _, err := os.Stat(directory); err != nil {
		return fmt.Errorf("run this in the root of the repository: %w", err)
	}
	install := exec.Command("npm", "ci", "--loglevel=error")
	install.Dir, install.Stderr = directory, os.Stderr
	if err := install.Run(); err != nil {
		return fmt.Errorf("npm ci in %s: %w", directory, err)
	}
	source, err := os.ReadFile(library)
	if err != nil {
		return err
	}
	wasm, err := extract(source)
	if err != nil {
		return fmt.Errorf("%s: %w", library, err)
	}
	packer, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		return err
	}
	// A build beside this one sees the old file or the new one.
	part := target + ".part"
	if err := os.WriteFile(part, packer.EncodeAll(wasm, nil), 0o644); err != nil {
		return err
	}
	return os.Rename(part, filepath.Clean(target))
}

var (
	literal = regexp.MustCompile(`(?s)var bin = \[(.*?)\]`)
	magic   = []byte("\x00asm\x01\x00\x00\x00")
)

// extract gives the WebAssembly that the package's JavaScript holds as base64, in
// an array of strings.
func extract(source []byte) ([]byte, error) {
	found := literal.FindSubmatch(source)
	if found == nil {
		return nil, errors.New("the engine is not where it was in the pinned version")
	}
	text := bytes.Map(func(r rune) rune {
		if r == '"' || r == ',' || r == ' ' || r == '\n' {
			return -1
		}
		return r
	}, found[1])
	wasm, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(wasm, magic) {
		return nil, errors.New("what it holds is no WebAssembly")
	}
	return wasm, nil
}
