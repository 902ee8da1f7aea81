package script

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// freeMemory is how many bytes the process can still take: what the machine has,
// or what its container or service is allowed, whichever is less.
func freeMemory() (free int64, known bool) {
	free, known = machineMemory()
	for _, dir := range []string{"/sys/fs/cgroup", path.Join("/sys/fs/cgroup", controlGroup())} {
		if left, limited := groupMemory(os.DirFS(dir)); limited && (!known || left < free) {
			free, known = left, true
		}
	}
	return free, known
}

func machineMemory() (int64, bool) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	kilobytes, found := field(text, "MemAvailable:")
	return kilobytes << 10, found
}

// controlGroup is the path of the process's control group, as version 2 of cgroups
// has it; "/" inside a container, and where there is none.
func controlGroup() string {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "/"
	}
	for line := range strings.Lines(string(text)) {
		if group, found := strings.CutPrefix(line, "0::"); found {
			return strings.TrimSpace(group)
		}
	}
	return "/"
}

// groupMemory is how many bytes the limit of a control group leaves. What the group
// has cached of files counts as used but is given up as soon as memory is short, so
// it counts as free here: beside a busy database it grows up to the limit.
func groupMemory(group fs.FS) (left int64, limited bool) {
	limit, limited := number(group, "memory.max")
	used, counted := number(group, "memory.current")
	if !limited || !counted {
		return 0, false
	}
	var cached int64
	if text, err := fs.ReadFile(group, "memory.stat"); err == nil {
		cached, _ = field(text, "inactive_file")
	}
	return limit - used + cached, true
}

// number reads a file that holds a number. "max", which stands for no limit, is
// none.
func number(files fs.FS, name string) (int64, bool) {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}

// field is the number behind a name at the beginning of a line.
func field(text []byte, name string) (int64, bool) {
	for line := range bytes.Lines(text) {
		words := strings.Fields(string(line))
		if len(words) >= 2 && words[0] == name {
			n, err := strconv.ParseInt(words[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
