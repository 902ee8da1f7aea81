// Package cli is the command line: it parses, calls package app, and prints.
//
// It owns the commands, their output and the exit codes. It does not own settings
// (package config) or any rule of the product. Results go to stdout, messages to stderr;
// with --json, a result is one line of JSON, and a list one line per item.
package cli
