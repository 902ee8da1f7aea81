// Package cli is the command line: it parses, calls package app, and prints.
//
// It owns the sub-commands, what they print and the exit codes. It does not own
// settings (package config) nor any rule of the product. Results go to stdout,
// messages to stderr; with --json, results are one JSON object.
package cli
