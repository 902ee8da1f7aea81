package clock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Clock tells the time. Now is in UTC, truncated to milliseconds: the precision of every
// timestamp on the wire and in the database, so that a stored time compares equal to the
// one read back.
type Clock interface{ Now() time.Time }

type system struct{}

func (system) Now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// System is the clock of the machine.
func System() Clock { return system{} }

// offsetFile holds the offset in a development data directory: nanoseconds, as decimal
// text.
const offsetFile = "clock-offset"

// ReloadEvery bounds how often Development reads its file, and thus how long a running server
// takes to notice that another process has moved the clock.
const ReloadEvery = 50 * time.Millisecond

// Development is a clock that runs ahead of the system's. It only moves forward: going back
// would break the order of ids and the expiry of things.
type Development struct {
	path   string
	mu     sync.Mutex
	offset time.Duration
	looked time.Time
}

// NewDevelopment opens the development clock of a data directory. Without a file, the offset
// is zero; a damaged file is an error.
func NewDevelopment(dir string) (*Development, error) {
	d := &Development{path: filepath.Join(dir, offsetFile)}
	offset, err := d.load()
	if err != nil {
		return nil, err
	}
	d.offset = offset
	return d, nil
}

// Now is the system's time plus the offset.
func (d *Development) Now() time.Time {
	now := time.Now()
	d.mu.Lock()
	if now.Sub(d.looked) >= ReloadEvery {
		// If the file cannot be read, because it is being replaced, the known offset
		// stays: a clock never fails.
		if offset, err := d.load(); err == nil {
			d.offset = offset
		}
		d.looked = now
	}
	now = now.Add(d.offset)
	d.mu.Unlock()
	return now.UTC().Truncate(time.Millisecond)
}

// MaxAhead is how far a development clock can run ahead of the system's: a hundred years. A
// duration holds more than twice that, so that sums do not overflow.
const MaxAhead = 100 * 365 * 24 * time.Hour

// ErrStep is the error for a step that is too long or goes backwards.
var ErrStep = errors.New("the clock cannot be moved")

// Advance moves the clock forward and returns the new time. A step that is not positive, or
// would exceed MaxAhead, is ErrStep.
func (d *Development) Advance(by time.Duration) (time.Time, error) {
	if by <= 0 {
		return time.Time{}, fmt.Errorf("%w by %s: it only moves forward", ErrStep, by)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	offset, err := d.load()
	if err != nil {
		return time.Time{}, err
	}
	if by > MaxAhead-offset {
		return time.Time{}, fmt.Errorf("%w by %s: it is %s ahead already, and can be at most %s ahead, which is a hundred years", ErrStep, by, offset, MaxAhead)
	}
	offset += by
	temporary := d.path + ".new"
	if err := os.WriteFile(temporary, []byte(strconv.FormatInt(int64(offset), 10)+"\n"), 0o600); err != nil {
		return time.Time{}, err
	}
	if err := os.Rename(temporary, d.path); err != nil {
		return time.Time{}, err
	}
	d.offset = offset
	return time.Now().Add(offset).UTC().Truncate(time.Millisecond), nil
}

func (d *Development) load() (time.Duration, error) {
	text, err := os.ReadFile(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	offset, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || offset < 0 {
		return 0, fmt.Errorf("%s must contain a number of nanoseconds, and it contains %.40q", d.path, text)
	}
	return time.Duration(offset), nil
}

// Started is a moment of the machine's monotonic clock, for measuring.
type Started struct{ at time.Time }

// Start starts a measurement.
func Start() Started { return Started{time.Now()} }

// Elapsed is the time since the start, whatever happens to the system's clock.
func (s Started) Elapsed() time.Duration { return time.Since(s.at) }

// Deadline is the system's time after d, for sockets, which know no other clock.
func Deadline(d time.Duration) time.Time { return time.Now().Add(d) }
