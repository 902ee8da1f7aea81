package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// pinLoad moves this process to the last processor it may use and returns the
// others, as a list for taskset, for the servers. So the cost of sending the
// load does not blur the difference between the servers.
func pinLoad(ctx context.Context) (servers string, err error) {
	allowed, err := allowedProcessors()
	if err != nil {
		return "", err
	}
	if len(allowed) < 2 {
		return "", errors.New("one processor cannot be shared out: run with -pin=false")
	}
	last := len(allowed) - 1
	output, err := exec.CommandContext(ctx, "taskset", "--all-tasks", "--cpu-list", "--pid",
		allowed[last], strconv.Itoa(os.Getpid())).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("pin the load to processor %s (or run with -pin=false): %w\n%s", allowed[last], err, output)
	}
	return strings.Join(allowed[:last], ","), nil
}

// allowedProcessors are the numbers of the processors this process may use.
func allowedProcessors() ([]string, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, fmt.Errorf("read which processors may be used (Linux only, or run with -pin=false): %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if list, found := strings.CutPrefix(line, "Cpus_allowed_list:"); found {
			return expand(strings.TrimSpace(list))
		}
	}
	return nil, errors.New("/proc/self/status has no Cpus_allowed_list line")
}

// expand writes out a list such as 0-2,5.
func expand(list string) ([]string, error) {
	var all []string
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		if err != nil {
			return nil, fmt.Errorf("read the processor list %q: %w", list, err)
		}
		to, err := strconv.Atoi(last)
		if err != nil {
			return nil, fmt.Errorf("read the processor list %q: %w", list, err)
		}
		for n := from; n <= to; n++ {
			all = append(all, strconv.Itoa(n))
		}
	}
	return all, nil
}
