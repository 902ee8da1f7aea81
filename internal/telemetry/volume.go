package telemetry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/botyard/botyard/internal/db"
)

// volume is where the records of one class and one day of arrival are kept: an
// SQLite file, or tables in PostgreSQL. It is dropped as a whole.
//
// Records are kept by the day they arrive, not the day they tell of: then one
// volume is written at a time, one commit makes a batch durable, and a record that
// comes weeks late needs no old volume. Blocks know the times of their records, so
// readers find those too.
type volume struct {
	class Class
	day   int64 // since 1970-01-01, UTC
	db    *db.DB
	names *strings.Replacer
	texts sync.Map // statements with the names of this volume
}

// sequenceBits are the low bits of a sequence, which count within a day.
const sequenceBits = 40

const millisPerDay = 24 * 60 * 60 * 1000

func dayOf(t time.Time) int64 { return t.UnixMilli() / millisPerDay }

func dayName(day int64) string {
	return time.UnixMilli(day * millisPerDay).UTC().Format(time.DateOnly)
}

// name is the volume's among all, and that of its cursor in the roll-ups.
func (v *volume) name() string { return volumeName(v.class, v.day) }

func volumeName(class Class, day int64) string { return string(class) + "-" + dayName(day) }

// placeOf reads what volumeName wrote.
func placeOf(name string) (Class, int64, error) {
	class, date, _ := strings.Cut(name, "-")
	t, err := time.Parse(time.DateOnly, date)
	if err != nil || !slices.Contains(classes, Class(class)) || volumeName(Class(class), dayOf(t)) != name {
		return "", 0, fmt.Errorf("%q names no day of telemetry", name)
	}
	return Class(class), dayOf(t), nil
}

// latest bounds the times of its records, in Unix milliseconds.
func (v *volume) latest() int64 {
	return (v.day+1)*millisPerDay + int64(maxFuture/time.Millisecond)
}

// firstSequence is where a volume begins to count. It moves with the time of the
// day, so that a volume which takes the place of a damaged one does not count again
// what readers have passed.
func firstSequence(day int64, now time.Time) int64 {
	inDay := min(max(now.UnixMilli()-day*millisPerDay, 0), millisPerDay-1)
	return day<<sequenceBits | inDay<<13
}

// text is a statement with this volume's tables in it.
func (v *volume) text(statement string) string {
	if v.names == nil {
		return statement
	}
	if text, known := v.texts.Load(statement); known {
		return text.(string)
	}
	text := v.names.Replace(statement)
	v.texts.Store(statement, text)
	return text
}

// exclusive runs fn in a transaction beside which nothing is appended to the class,
// by any server.
func (v *volume) exclusive(ctx context.Context, fn func(ctx context.Context, tx *db.Tx) error) error {
	return v.db.Exclusive(ctx, "telemetry "+string(v.class), fn)
}

// reader reads what was committed.
func (v *volume) reader(ctx context.Context) db.Querier { return v.db.Reader(ctx) }

// archive is where volumes are.
type archive interface {
	// days are those of the volumes that there are, the oldest first. One that another
	// server has made or dropped in the last seconds may be missing, or still listed.
	days(ctx context.Context, class Class) ([]int64, error)
	// open answers the volume of a day, errDropped when there is none.
	open(ctx context.Context, class Class, day int64) (*volume, error)
	// create is open, but makes the volume when there is none.
	create(ctx context.Context, class Class, day int64) (*volume, error)
	// drop deletes a volume with all that is in it.
	drop(ctx context.Context, class Class, day int64) error
	// failed looks at an error that a volume caused, and answers errDropped when the
	// reason is that the volume is gone, else the error. A volume that is damaged is set
	// aside, so that the next create makes a new one.
	failed(ctx context.Context, v *volume, err error) error
	// tidy gives back the space of what was deleted.
	tidy(ctx context.Context, v *volume) error
	// damaged names what was set aside.
	damaged() []string
	close() error
}

// errDropped says that a volume was dropped, by this server or another, or set aside:
// it has no records any more. Whoever goes through all volumes passes over it.
var errDropped = errors.New("the volume was dropped")

type place struct {
	class Class
	day   int64
}

// shelf is the open volumes of an archive.
type shelf struct {
	mu   sync.Mutex
	open map[place]*volume
}

// get answers the open volume of a place, or puts there what make answers.
func (s *shelf) get(class Class, day int64, make func() (*volume, error)) (*volume, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.open[place{class, day}]; v != nil {
		return v, nil
	}
	v, err := make()
	if err != nil {
		return nil, fmt.Errorf("the telemetry of %s cannot be opened: %w", volumeName(class, day), err)
	}
	s.open[place{class, day}] = v
	return v, nil
}
