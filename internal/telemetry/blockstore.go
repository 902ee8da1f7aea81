package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
)

// blockStore keeps records in the volumes of an archive, with an appender for each class.
// All methods are safe for concurrent use.
type blockStore struct {
	archive   archive
	main      *db.DB
	clock     clock.Clock
	log       *slog.Logger
	appenders map[Class]*appender
	opened    openedBlocks
	stalls    stalls

	mu       sync.Mutex
	wake     chan struct{} // closed at the next commit
	torn     map[string]bool
	unmerged map[Class]*atomic.Int64
}

var classes = []Class{Logs, Events}

func newBlockStore(a archive, main *db.DB, c clock.Clock, log *slog.Logger) *blockStore {
	s := &blockStore{archive: a, main: main, clock: c, log: log, appenders: map[Class]*appender{}, wake: make(chan struct{}), torn: map[string]bool{}, unmerged: map[Class]*atomic.Int64{}}
	for _, class := range classes {
		count := &atomic.Int64{}
		s.unmerged[class] = count
		s.appenders[class] = newAppender(class, a, c, func() { s.wakeUp() })
	}
	return s
}

func (s *blockStore) close() error {
	for _, l := range s.appenders {
		l.close()
	}
	return s.archive.close()
}

// appended answers a channel that is closed when this server next appends something.
func (s *blockStore) appended() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wake
}

func (s *blockStore) wakeUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.wake)
	s.wake = make(chan struct{})
}

// Append keeps the records of one request and returns when they are durable. Those of one
// class are kept as a whole or not at all. After an error the other class may have been
// kept: what is sent again is recognised by its ids. duplicates counts the records that
// were dropped because they were kept before, or are in records twice. The caller must
// not change records afterwards.
func (s *blockStore) Append(ctx context.Context, records []Record) (duplicates int, err error) {
	return s.appendAfter(ctx, records, func(int) {})
}

// appendAfter is Append. It calls encoded when the records are encoded and no longer
// needed, and only the wait for the disk is left; size is about what waits, in bytes.
func (s *blockStore) appendAfter(ctx context.Context, records []Record, encoded func(size int)) (duplicates int, err error) {
	// Records of one owner go into one block, in their order.
	if !slices.IsSortedFunc(records, byOwner) {
		first := firsts(records)
		duplicates, records = len(records)-len(first), first
		slices.SortStableFunc(records, byOwner)
	}
	at, _ := slices.BinarySearchFunc(records, Events, func(r Record, c Class) int {
		if classOf(r.Kind) == c {
			return 0
		}
		return -1
	})
	var pending []func() error
	size := 0
	for _, part := range []struct {
		class   Class
		records []Record
	}{{Logs, records[:at]}, {Events, records[at:]}} {
		if len(part.records) == 0 {
			continue
		}
		a, err := prepare(part.records)
		if err != nil {
			return 0, err
		}
		size += a.size
		class := part.class // the closure must not keep part.records alive
		pending = append(pending, func() error {
			err := s.appenders[class].append(ctx, a)
			if err == nil {
				duplicates += a.duplicates
				s.unmerged[class].Add(int64(len(a.parts)))
			}
			return err
		})
	}
	encoded(size)
	var errs []error
	for _, p := range pending {
		errs = append(errs, p())
	}
	return duplicates, errors.Join(errs...)
}

// firsts copies records without those whose key occurs earlier in the list: the sorting
// that follows must not decide which of them is kept.
func firsts(records []Record) []Record {
	var known keySet
	return slices.DeleteFunc(slices.Clone(records), func(r Record) bool {
		return r.ID != "" && !r.made && !known.add(keyOf(&r))
	})
}

// byOwner orders records by class and owner.
func byOwner(a, b Record) int {
	if x, y := classOf(a.Kind), classOf(b.Kind); x != y {
		if x == Logs {
			return -1
		}
		return 1
	}
	for _, pair := range [...][2]string{
		{string(a.Bot), string(b.Bot)}, {string(a.Integration), string(b.Integration)}, {string(a.Workspace), string(b.Workspace)},
	} {
		if pair[0] != pair[1] {
			if pair[0] < pair[1] {
				return -1
			}
			return 1
		}
	}
	return 0
}

// After answers the records that were appended after a sequence number, in the order of
// Sequence; live tails read them. There are at most limit of them, and fewer when their
// texts are long. None means that there are no more.
func (s *blockStore) After(ctx context.Context, f Filter, after int64, limit int) ([]Record, error) {
	class, err := f.class()
	if err != nil {
		return nil, err
	}
	days, err := s.archive.days(ctx, class)
	if err != nil {
		return nil, err
	}
	var found []Record
	for _, day := range days {
		if (day+1)<<sequenceBits <= after {
			continue
		}
		enough := false
		err := s.withVolume(ctx, class, day, func(v *volume) (err error) {
			found, enough, err = s.afterIn(ctx, v, &f, after, limit, found)
			return err
		})
		if err != nil && !errors.Is(err, errDropped) {
			return nil, err
		}
		if enough {
			break
		}
	}
	slices.SortFunc(found, func(a, b Record) int {
		if a.Sequence < b.Sequence {
			return -1
		}
		return 1
	})
	return found[:min(limit, len(found))], nil
}

const (
	// stepAfter is how many compressed blocks eachAfter holds in memory at once.
	stepAfter = 16
	// maxAfter is after how many bytes of text After stops, at the end of a block: a reader
	// of long lines gets fewer of them at once.
	maxAfter = 1 << 20
)

// afterIn adds to found the records of one volume after a sequence. A merged block may
// have records of a wide range of sequences, so it goes on until enough records come
// before the first block that it has not read, and drops those that come after.
func (s *blockStore) afterIn(ctx context.Context, v *volume, f *Filter, after int64, most int, found []Record) (_ []Record, enough bool, err error) {
	err = v.eachAfter(ctx, f, after, func(b *block) bool {
		if n, size := before(found, b.sequence); n >= most || size >= maxAfter {
			found = slices.DeleteFunc(found, func(r Record) bool { return r.Sequence >= b.sequence })
			enough = true
			return false
		}
		records, err := b.all(v.class)
		if err != nil {
			s.tear(ctx, v, b, err)
			return true
		}
		for i := range records {
			if r := &records[i]; r.Sequence > after && f.passes(r) && (f.Match == nil || f.Match(r)) {
				found = append(found, *r)
			}
		}
		return true
	})
	return found, enough || len(found) >= most, err
}

// eachAfter calls visit with the blocks of an owner that have records after a sequence, in
// the order of their first sequence, until it answers false. All of them are as of one
// moment: a merge between two queries could move records past the place where the second
// one continues.
func (v *volume) eachAfter(ctx context.Context, f *Filter, after int64, visit func(*block) bool) error {
	blocks, err := selectAfter(ctx, v.reader(ctx), v, f, after, -1, stepAfter)
	if err != nil {
		return err
	}
	if len(blocks) < stepAfter { // as for most tails
		for _, b := range blocks {
			if !visit(b) {
				break
			}
		}
		return nil
	}
	return v.db.Snapshot(ctx, func(ctx context.Context, q db.Querier) error {
		for past := int64(-1); ; {
			blocks, err := selectAfter(ctx, q, v, f, after, past, stepAfter)
			if err != nil {
				return err
			}
			for _, b := range blocks {
				if past = b.sequence; !visit(b) {
					return nil
				}
			}
			if len(blocks) < stepAfter {
				return nil
			}
		}
	})
}

// before counts the records with a lower sequence, and the bytes of their texts.
func before(records []Record, sequence int64) (n, size int) {
	for i := range records {
		if records[i].Sequence < sequence {
			n++
			size += textLength(&records[i])
		}
	}
	return n, size
}

// Latest answers a sequence that no record of a class exceeds so far; 0 when it has no
// records.
func (s *blockStore) Latest(ctx context.Context, class Class) (int64, error) {
	days, err := s.archive.days(ctx, class)
	if err != nil {
		return 0, err
	}
	for _, day := range slices.Backward(days) {
		var m marks
		err := s.withVolume(ctx, class, day, func(v *volume) (err error) {
			m, err = selectMarks(ctx, v.reader(ctx), v)
			return err
		})
		if err != nil && !errors.Is(err, errDropped) {
			return 0, err
		}
		if m.next > 0 {
			return m.next - 1, nil
		}
	}
	return 0, nil
}

// Erase deletes the records of a bot, an integration or a workspace.
func (s *blockStore) Erase(ctx context.Context, of Owner) error {
	if of == (Owner{}) {
		return errors.New("nobody was named whose telemetry is to be erased")
	}
	return s.each(ctx, func(v *volume) error {
		err := v.exclusive(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := deleteOwned(ctx, tx, v, of)
			return err
		})
		if err != nil {
			return err
		}
		return s.archive.tidy(ctx, v)
	})
}

// each calls fn with every volume, also when it has failed for one of them.
func (s *blockStore) each(ctx context.Context, fn func(*volume) error) error {
	var errs []error
	for _, class := range classes {
		errs = append(errs, s.eachInClass(ctx, class, fn))
	}
	return errors.Join(errs...)
}

// eachInClass is each for one class.
func (s *blockStore) eachInClass(ctx context.Context, class Class, fn func(*volume) error) error {
	days, err := s.archive.days(ctx, class)
	if err != nil {
		return err
	}
	var errs []error
	for _, day := range days {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err := s.withVolume(ctx, class, day, fn)
		if err != nil && !errors.Is(err, errDropped) {
			errs = append(errs, fmt.Errorf("%s: %w", volumeName(class, day), err))
		}
	}
	return errors.Join(errs...)
}

// withVolume calls fn with the volume of a day. The error is errDropped when there is
// none, or it is dropped meanwhile.
func (s *blockStore) withVolume(ctx context.Context, class Class, day int64, fn func(*volume) error) error {
	v, err := s.archive.open(ctx, class, day)
	if err != nil {
		return err
	}
	err = fn(v)
	var ofMain *mainError
	if err == nil || errors.As(err, &ofMain) {
		return err
	}
	return s.archive.failed(ctx, v, err)
}

// mainError is an error of the main database, for which a volume is not to blame.
type mainError struct{ error }

// Unwrap is the error itself.
func (e *mainError) Unwrap() error { return e.error }

// tear notes that a block cannot be decoded. The other blocks of its volume are still read.
func (s *blockStore) tear(ctx context.Context, v *volume, b *block, err error) {
	name := fmt.Sprintf("%s, block %d", v.name(), b.sequence)
	s.mu.Lock()
	known := s.torn[name]
	s.torn[name] = true
	s.mu.Unlock()
	if !known {
		s.log.ErrorContext(ctx, "a block of telemetry is damaged; its records are not served", "block", name, "records", b.records, "error", err)
	}
}

// Damaged names the days that were set aside, and the blocks that are skipped, because
// they cannot be read.
func (s *blockStore) Damaged() []string {
	names := s.archive.damaged()
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.torn {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Check opens every volume, so that damage is found before a request runs into it.
func (s *blockStore) Check(ctx context.Context) error {
	return s.each(ctx, func(v *volume) error {
		_, err := countFresh(ctx, v.reader(ctx), v)
		return err
	})
}

// cursorName names the cursor of a volume's roll-up.
func cursorName(v *volume) string { return "rollup " + v.name() }

// rolled is the sequence up to which fresh blocks may be merged. Events must be rolled up
// first, since the roll-up reads them in the order in which they were appended.
func (s *blockStore) rolled(ctx context.Context, v *volume) (int64, error) {
	if v.class == Logs {
		return 1<<63 - 1, nil
	}
	sequence, err := selectCursor(ctx, s.main.Reader(ctx), cursorName(v))
	if err != nil {
		return 0, &mainError{err}
	}
	return sequence, nil
}

// today is the current day, as days since 1970.
func (s *blockStore) today() int64 { return dayOf(s.clock.Now()) }

// maxSkew is by how much the clocks of two servers may differ.
const maxSkew = time.Hour

// sealAfter is how long a day stays open after its end, for servers whose clock is slow.
const sealAfter = maxSkew
