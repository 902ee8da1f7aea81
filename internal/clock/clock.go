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

// Clock tells the time. Now is UTC, cut to milliseconds: that is the precision
// of every timestamp on the wire and in the database, so what was written
// compares equal to what is read back.
type Clock interface{ Now() time.Time }

type system struct{}

func (system) Now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// System is the clock of the machine.
func System() Clock { return system{} }

// offsetFile is where a development data directory keeps its offset, in
// nanoseconds, as decimal text.
const offsetFile = "clock-offset"

// ReloadEvery bounds how often Development looks at its file, and so how long a
// running server takes to see an advance made by another process.
const ReloadEvery = 50 * time.Millisecond

// Development is a clock that runs ahead of the system's. It only moves forward:
// going back would break the order of ids and the meaning of expiry.
type Development struct {
	path   string
	mu     sync.Mutex
	offset time.Duration
	looked time.Time
}

// NewDevelopment opens the development clock of a data directory. A directory
// that has none yet starts without an offset; a damaged offset is an error.
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
		// A file that cannot be read now (it is being replaced) keeps the
		// offset we know: a clock never fails.
		if offset, err := d.load(); err == nil {
			d.offset = offset
		}
		d.looked = now
	}
	now = now.Add(d.offset)
	d.mu.Unlock()
	return now.UTC().Truncate(time.Millisecond)
}

// MaxAhead is how far a development clock can run ahead of the system's: a hundred
// years, which a duration holds twice.
const MaxAhead = 100 * 365 * 24 * time.Hour

// ErrStep says that a clock cannot be moved so far, or not in that direction.
var ErrStep = errors.New("the clock cannot be moved")

// Advance moves the clock forward by by and answers the new time. A step that is not
// positive, or would bring the clock further ahead than MaxAhead, is ErrStep.
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
		return time.Time{}, fmt.Errorf("%w by %s: it is %s ahead already, and may be %s, which is a hundred years", ErrStep, by, offset, MaxAhead)
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
		return 0, fmt.Errorf("%s must hold a number of nanoseconds, it holds %.40q", d.path, text)
	}
	return time.Duration(offset), nil
}

// Started is a moment of the machine's monotonic clock, for measuring.
type Started struct{ at time.Time }

// Start begins a measurement.
func Start() Started { return Started{time.Now()} }

// Elapsed is the time since the start. It is not moved by a clock that is set.
func (s Started) Elapsed() time.Duration { return time.Since(s.at) }

// Deadline is the machine's time after d, for sockets, which know no other clock.
func Deadline(d time.Duration) time.Time { return time.Now().Add(d) }
