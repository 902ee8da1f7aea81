package telemetry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
)

// volume holds the records of one class that arrived on one day: an SQLite file, or a set
// of tables in PostgreSQL. It is dropped as a whole.
//
// Records are stored by the day of their arrival and not by that of their timestamp. So
// only one volume is written at a time, one commit makes a batch durable, and a record
// that is weeks late does not need an old volume. Blocks know the range of their
// timestamps, so readers find late records too.
type volume struct {
	class Class
	day   int64 // since 1970-01-01, UTC
	db    *db.DB
	names *strings.Replacer
	texts sync.Map // statements with this volume's table names, by their template

	sealedMu sync.Mutex
	sealed   bool          // as it was read last
	readAt   clock.Started // when that was
}

// sealedFor is how long a volume that was found sealed is taken to be: background work
// asks for every day of the retention, many times a second.
const sealedFor = time.Minute

// isSealed says whether the volume is finished, so that there is no work to do in it.
func (v *volume) isSealed(ctx context.Context) (bool, error) {
	v.sealedMu.Lock()
	defer v.sealedMu.Unlock()
	if v.sealed && v.readAt.Elapsed() < sealedFor {
		return true, nil
	}
	marks, err := selectMarks(ctx, v.reader(ctx), v)
	v.sealed, v.readAt = marks.sealed, clock.Start()
	return v.sealed, err
}

// reopened notes that something was appended to the volume.
func (v *volume) reopened() {
	v.sealedMu.Lock()
	defer v.sealedMu.Unlock()
	v.sealed = false
}

// sequenceBits are the low bits of a sequence, which count within a day. The day is above.
const sequenceBits = 40

const millisPerDay = 24 * 60 * 60 * 1000

func dayOf(t time.Time) int64 { return t.UnixMilli() / millisPerDay }

func dayName(day int64) string {
	return time.UnixMilli(day * millisPerDay).UTC().Format(time.DateOnly)
}

// name identifies the volume among all, such as logs-2026-11-21.
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

// latest is an upper bound of the timestamps in it, in Unix milliseconds.
func (v *volume) latest() int64 {
	return (v.day+1)*millisPerDay + int64(maxFuture/time.Millisecond)
}

// firstSequence is the first sequence of a volume. It depends on the time of day, so that
// a volume that replaces a damaged one does not reuse sequences that readers have passed.
func firstSequence(day int64, now time.Time) int64 {
	inDay := min(max(now.UnixMilli()-day*millisPerDay, 0), millisPerDay-1)
	return day<<sequenceBits | inDay<<13
}

// text puts the names of this volume's tables into a statement.
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

// exclusive runs fn in a transaction that holds the lock of the class: no server appends
// to the class meanwhile.
func (v *volume) exclusive(ctx context.Context, fn func(ctx context.Context, tx *db.Tx) error) error {
	return v.db.Exclusive(ctx, "telemetry "+string(v.class), fn)
}

// reader reads committed data.
func (v *volume) reader(ctx context.Context) db.Querier { return v.db.Reader(ctx) }

// archive is the set of all volumes.
type archive interface {
	// days lists the days of a class that have a volume, oldest first. It may be some
	// seconds behind what other servers have created and dropped.
	days(ctx context.Context, class Class) ([]int64, error)
	// open answers the volume of a day; errDropped when there is none.
	open(ctx context.Context, class Class, day int64) (*volume, error)
	// create answers the volume of a day, and creates it when there is none.
	create(ctx context.Context, class Class, day int64) (*volume, error)
	// drop deletes a volume and everything in it.
	drop(ctx context.Context, class Class, day int64) error
	// failed examines an error of a statement on a volume. It answers errDropped when the
	// cause is that the volume no longer exists, and the error itself otherwise. A damaged
	// volume is set aside, so that the next create makes a new one.
	failed(ctx context.Context, v *volume, err error) error
	// tidy returns the space of deleted rows to the file system.
	tidy(ctx context.Context, v *volume) error
	// damaged names the volumes that were set aside.
	damaged() []string
	close() error
}

// errDropped says that a volume no longer exists: it was dropped, by this server or
// another, or set aside as damaged. Whoever iterates over volumes skips it.
var errDropped = errors.New("the volume was dropped")

type place struct {
	class Class
	day   int64
}

// shelf holds the open volumes of an archive.
type shelf struct {
	mu   sync.Mutex
	open map[place]*volume
	// retiring has a channel for each volume that is being dropped or set aside, which is
	// closed when it is gone.
	retiring map[place]chan struct{}
}

func newShelf() shelf {
	return shelf{open: map[place]*volume{}, retiring: map[place]chan struct{}{}}
}

// lock locks mu when the volume of a place is not retiring.
func (s *shelf) lock(at place) {
	s.mu.Lock()
	for gone := s.retiring[at]; gone != nil; gone = s.retiring[at] {
		s.mu.Unlock()
		<-gone
		s.mu.Lock()
	}
}

// get answers the open volume of a place, or the one that make opens.
func (s *shelf) get(class Class, day int64, make func() (*volume, error)) (*volume, error) {
	s.lock(place{class, day})
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

// retire calls remove with the volume of a place, nil when it is not open. Until remove
// returns, whoever wants the volume waits: opened again in between, it would be written to
// after it is gone. When only is not nil, nothing happens unless it is the volume that is
// open.
func (s *shelf) retire(class Class, day int64, only *volume, remove func(v *volume)) (retired bool) {
	at, gone := place{class, day}, make(chan struct{})
	s.lock(at)
	v := s.open[at]
	if only != nil && v != only {
		s.mu.Unlock()
		return false
	}
	delete(s.open, at)
	s.retiring[at] = gone
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.retiring, at)
		close(gone)
	}()
	remove(v)
	return true
}
