package script

import (
	"testing"
	"testing/fstest"
)

func TestGroupMemory(t *testing.T) {
	group := func(limit, current, stat string) fstest.MapFS {
		files := fstest.MapFS{}
		for name, text := range map[string]string{"memory.max": limit, "memory.current": current, "memory.stat": stat} {
			if text != "" {
				files[name] = &fstest.MapFile{Data: []byte(text)}
			}
		}
		return files
	}
	for name, test := range map[string]struct {
		group   fstest.MapFS
		left    int64
		limited bool
	}{
		"a limit":                   {group("1000\n", "300\n", "anon 100\nactive_file 20\n"), 700, true},
		"cached files are given up": {group("1000\n", "990\n", "anon 100\ninactive_file 800\nactive_file 90\n"), 810, true},
		"no statistics":             {group("1000\n", "300\n", ""), 700, true},
		"no limit":                  {group("max\n", "300\n", "inactive_file 1\n"), 0, false},
		"no control group":          {group("", "", ""), 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			if left, limited := groupMemory(test.group); left != test.left || limited != test.limited {
				t.Errorf("%d bytes are left, limited %v; want %d, %v", left, limited, test.left, test.limited)
			}
		})
	}
}
