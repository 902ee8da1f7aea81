package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is an amount of bytes. As text it is a whole number with an optional
// unit: B, KiB, MiB, GiB (1024) or kB, MB, GB (1000).
type Bytes int64

var byteUnits = []struct {
	suffix string
	size   int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
	{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9},
	{"B", 1},
}

// UnmarshalText reads "64MiB" or "67108864".
func (b *Bytes) UnmarshalText(text []byte) error {
	number, size := strings.TrimSpace(string(text)), int64(1)
	for _, unit := range byteUnits {
		if rest, found := strings.CutSuffix(number, unit.suffix); found {
			number, size = strings.TrimSpace(rest), unit.size
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/size {
		return fmt.Errorf("%.40q is not an amount of bytes; write it as 1048576, 512KiB, 64MiB or 2GiB", text)
	}
	*b = Bytes(n * size)
	return nil
}

// MarshalText is the shortest text that UnmarshalText reads as b.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// String is the amount in the largest binary unit that divides it.
func (b Bytes) String() string {
	for _, unit := range []int{2, 1, 0} {
		if u := byteUnits[unit]; b != 0 && int64(b)%u.size == 0 {
			return strconv.FormatInt(int64(b)/u.size, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(b), 10)
}
