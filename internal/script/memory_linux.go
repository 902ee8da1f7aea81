package script

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// freeMemory is how many bytes the process can still take: what the machine has,
// or what its container is allowed, whichever is less.
func freeMemory() (free int64, known bool) {
	free, known = machineMemory()
	limit, limited := number("/sys/fs/cgroup/memory.max")
	used, counted := number("/sys/fs/cgroup/memory.current")
	if limited && counted && (!known || limit-used < free) {
		free, known = limit-used, true
	}
	return free, known
}

func machineMemory() (int64, bool) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	for line := range bytes.Lines(text) {
		rest, found := strings.CutPrefix(string(line), "MemAvailable:")
		if !found {
			continue
		}
		kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		return kilobytes << 10, err == nil
	}
	return 0, false
}

// number reads a file that holds a number. "max", which stands for no limit, is
// none.
func number(path string) (int64, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}
