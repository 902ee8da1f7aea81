package telemetry

import (
	"bytes"
	"strings"
	"testing"

	"github.com/botyard/botyard/internal/fault"
)

// TestFillTakesRoom: every byte that is in memory has its room, the last ones too, and
// a body that is too large is told of however little it is.
func TestFillTakesRoom(t *testing.T) {
	for _, c := range []struct{ size, room, most, want int64 }{
		{size: 0, room: 4, most: 100, want: 4},
		{size: 3, room: 4, most: 100, want: 4},
		{size: 1_000, room: 0, most: 2_000, want: 1_000},
		{size: 200_000, room: 4_096, most: 1 << 20, want: 200_000},
		{size: 64 << 10, room: 0, most: 64 << 10, want: 64 << 10},
		{size: 1_001, room: 0, most: 1_000, want: -1},
		{size: 200_000, room: 0, most: 150_000, want: -1},
	} {
		p, err := newAdmission().enter("bot", c.room)
		if err != nil {
			t.Fatal(err)
		}
		var to bytes.Buffer
		err = fill(&to, strings.NewReader(strings.Repeat("x", int(c.size))), c.most, c.room, p, "")
		switch {
		case c.want < 0 && !fault.Is(err, fault.PayloadTooLarge):
			t.Errorf("%d bytes where %d are the most: %v", c.size, c.most, err)
		case c.want >= 0 && (err != nil || p.size != c.want || int64(to.Len()) != c.size):
			t.Errorf("%d bytes were read with room for %d, %v; want %d with room for %d", to.Len(), p.size, err, c.size, c.want)
		}
	}
}
