package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/botyard/botyard/test/bench/load"
)

const (
	// readyLimit is how long a server may take to start; a new data directory
	// takes longer than an existing one.
	readyLimit = 60 * time.Second
	// stopLimit is how long a server may take to end after SIGTERM.
	stopLimit = 30 * time.Second
	// quotedLog is how many bytes of its log an error about a server holds.
	quotedLog = 2000
)

// program is a server that can be started on a data directory.
type program struct {
	// name is what the report calls it.
	name   string
	binary string
	// arguments make it listen on address (host:port) and keep its data in dir.
	arguments func(address, dir string) []string
	// environment is added to that of the benchmark, as NAME=value.
	environment []string
	// readiness is the path that answers 200 once it serves.
	readiness string
	// processors is a list for taskset, such as "0,1"; empty leaves them all.
	processors string
}

// server is a started program.
type server struct {
	program program
	address string
	command *exec.Cmd
	log     string
	exited  chan struct{}
	failure error // why it exited; to be read after exited is closed
}

// start runs the program on dir, waits until it is ready and returns how long
// that took from the start of the process.
func start(ctx context.Context, program program, dir string) (*server, time.Duration, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, 0, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, 0, err
	}
	log, err := os.OpenFile(filepath.Clean(dir)+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, 0, err
	}
	defer log.Close()

	words := append([]string{program.binary}, program.arguments(address, dir)...)
	if program.processors != "" {
		words = append([]string{"taskset", "-c", program.processors}, words...)
	}
	command := exec.Command(words[0], words[1:]...)
	command.Env = append(os.Environ(), program.environment...)
	command.Stdout, command.Stderr = log, log
	s := &server{program: program, address: address, command: command, log: log.Name(), exited: make(chan struct{})}

	began := time.Now()
	if err := command.Start(); err != nil {
		return nil, 0, fmt.Errorf("start %s: %w", program.name, err)
	}
	go func() {
		s.failure = command.Wait()
		close(s.exited)
	}()
	if err := s.awaitReady(ctx); err != nil {
		return nil, 0, errors.Join(err, s.stop())
	}
	return s, time.Since(began), nil
}

// awaitReady asks every millisecond, so that it adds no more than that.
func (s *server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for {
		_, err := load.Once(ctx, s.address, load.Request{Method: "GET", Path: s.program.readiness})
		if err == nil {
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("%s ended before it was ready: %w\n%s", s.program.name, s.failure, s.lastOfLog())
		case <-ctx.Done():
			return fmt.Errorf("%s was not ready within %s: %w\n%s", s.program.name, readyLimit, err, s.lastOfLog())
		case <-again.C:
		}
	}
}

// stop ends the server as its operator would and waits until it has ended.
func (s *server) stop() error {
	select {
	case <-s.exited:
		return nil
	default:
	}
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", s.program.name, err)
	}
	select {
	case <-s.exited:
		return nil
	case <-time.After(stopLimit):
		_ = s.command.Process.Kill()
		<-s.exited
		return fmt.Errorf("%s did not end within %s of SIGTERM and was killed", s.program.name, stopLimit)
	}
}

// residentBytes is the memory the process holds now.
func (s *server) residentBytes() (int64, error) { return s.memory("VmRSS") }

// peakBytes is the most memory the process ever held.
func (s *server) peakBytes() (int64, error) { return s.memory("VmHWM") }

// forgetPeak begins anew with what peakBytes tells.
func (s *server) forgetPeak() error {
	const peak = "5" // proc_pid_clear_refs(5): reset the peak resident set size
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.command.Process.Pid), []byte(peak), 0o200)
}

func (s *server) memory(field string) (int64, error) {
	path := fmt.Sprintf("/proc/%d/status", s.command.Process.Pid)
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("read the memory of %s (Linux only): %w", s.program.name, err)
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, field+":"); found {
			kibibytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kibibytes << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no %s line", path, field)
}

// tick is the unit of the kernel's processor times.
const tick = 10 * time.Millisecond

// processorTime is what the process has used of all processors so far.
func (s *server) processorTime() (time.Duration, error) {
	path := fmt.Sprintf("/proc/%d/stat", s.command.Process.Pid)
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("read the processor time of %s (Linux only): %w", s.program.name, err)
	}
	// The name, in parentheses, may hold spaces; the two times are fields 12 and
	// 13 of what follows it.
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("%s has too few fields: %q", path, text)
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", path, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

func (s *server) lastOfLog() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	if len(text) > quotedLog {
		text = text[len(text)-quotedLog:]
	}
	return string(bytes.TrimSpace(text))
}

// freeAddress is a loopback address that nothing listens on now.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
