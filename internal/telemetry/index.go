package telemetry

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/botyard/botyard/internal/db"
)

// index knows the keys of all records of a class that have one, over the whole
// retention: those of the last appends in memory, the others by a filter in memory
// and a look at the disk when it says that a key may be there.
//
// It belongs to the appender, whose goroutine is the only one that touches it. What
// other servers append is read before each use, under the lock of the class.
type index struct {
	archive archive
	class   Class
	volumes map[int64]*volumeKeys // by day
}

// volumeKeys are the keys of one volume.
type volumeKeys struct {
	*volume
	// seen is the volume's mark "next" when it was read last: as long as it stays,
	// nobody else wrote.
	seen   int64
	sealed bool
	recent keySet
	runs   []run // the oldest first
}

// maxFilters bounds the filters in memory, in bytes: enough for 32 million keys.
// The keys of the oldest runs beyond it cost a look at the disk each.
const maxFilters = 64 << 20

// refresh reads what others have written since the refresh before. current is the
// volume that is appended to.
func (x *index) refresh(ctx context.Context, current *volume) error {
	days, err := x.archive.days(ctx, x.class)
	if err != nil {
		return err
	}
	for day := range x.volumes {
		if !slices.Contains(days, day) {
			delete(x.volumes, day)
		}
	}
	for _, day := range days {
		known := x.volumes[day]
		if known != nil && known.sealed && day != current.day {
			continue
		}
		v := current
		if day != current.day {
			if v, err = x.archive.open(ctx, x.class, day); errors.Is(err, errDropped) {
				delete(x.volumes, day)
				continue
			} else if err != nil {
				return err
			}
		}
		if known == nil || known.volume != v {
			known = &volumeKeys{volume: v}
			x.volumes[day] = known
		}
		if err := known.refresh(ctx); err != nil {
			return &keysError{v, err}
		}
	}
	x.boundFilters(days)
	return nil
}

// boundFilters forgets the filters of the oldest runs when all are too many.
func (x *index) boundFilters(days []int64) {
	room := maxFilters
	for i := len(days) - 1; i >= 0; i-- {
		known := x.volumes[days[i]]
		if known == nil {
			continue
		}
		for j := len(known.runs) - 1; j >= 0; j-- {
			if room -= len(known.runs[j].filter); room < 0 {
				known.runs[j].filter = nil
			}
		}
	}
}

func (k *volumeKeys) refresh(ctx context.Context) error {
	q := k.reader(ctx)
	marks, err := selectMarks(ctx, q, k.volume)
	if err != nil || marks.next == k.seen {
		return err
	}
	ids, err := selectRuns(ctx, q, k.volume)
	if err != nil {
		return err
	}
	after := k.seen - 1
	if !slices.EqualFunc(ids, k.runs, func(id int64, r run) bool { return id == r.id }) {
		// Keys went from rows into a run: begin anew.
		if err := k.loadRuns(ctx, q, ids); err != nil {
			return err
		}
		k.recent, after = keySet{}, -1
	}
	if err := selectKeys(ctx, q, k.volume, after, func(keys []key) {
		for _, one := range keys {
			k.recent.add(one)
		}
	}); err != nil {
		return err
	}
	k.seen, k.sealed = marks.next, marks.sealed
	return nil
}

func (k *volumeKeys) loadRuns(ctx context.Context, q db.Querier, ids []int64) error {
	runs := make([]run, 0, len(ids))
	for _, id := range ids {
		header, found, err := selectBucket(ctx, q, k.volume, id, headerBucket)
		if err != nil {
			return err
		}
		r, ok := runOf(id, header)
		if !found || !ok {
			return fmt.Errorf("%w: run %d of the keys", errBlock, id)
		}
		runs = append(runs, r)
	}
	k.runs = runs
	return nil
}

// has says whether a record of the key is kept.
func (x *index) has(ctx context.Context, k key) (bool, error) {
	for _, v := range x.volumes {
		if v.recent.has(k) {
			return true, nil
		}
	}
	for _, v := range x.volumes {
		found, err := v.inRuns(ctx, k)
		if err != nil {
			return false, &keysError{v.volume, err}
		}
		if found {
			return true, nil
		}
	}
	return false, nil
}

// keysError says of which volume the keys could not be read.
type keysError struct {
	volume *volume
	err    error
}

func (e *keysError) Error() string { return fmt.Sprintf("the keys of %s: %v", e.volume.name(), e.err) }
func (e *keysError) Unwrap() error { return e.err }

func (k *volumeKeys) inRuns(ctx context.Context, one key) (bool, error) {
	for attempt := 0; ; attempt++ {
		stale := false
		for _, r := range k.runs {
			if !r.filter.has(one.low()) {
				continue
			}
			bucket, found, err := selectBucket(ctx, k.reader(ctx), k.volume, r.id, int64(bucketOf(one, r.buckets)))
			if err != nil {
				return false, err
			}
			if !found {
				stale = true // another server has made one run of several
				break
			}
			if inBucket(bucket, one) {
				return true, nil
			}
		}
		if !stale {
			return false, nil
		}
		if attempt == 3 {
			return false, fmt.Errorf("%w: the keys of %s keep changing", errBlock, k.name())
		}
		k.seen = 0
		if err := k.refresh(ctx); err != nil {
			return false, err
		}
	}
}

// compact makes a run of the keys that are in rows, and one run of all when there
// are many or the volume is done with. The mark moves, so that other servers see it.
func (k *volumeKeys) compact(ctx context.Context, done bool) error {
	err := k.exclusive(ctx, func(ctx context.Context, tx *db.Tx) error {
		marks, err := selectMarks(ctx, tx, k.volume)
		if err != nil || marks.next == 0 {
			return err
		}
		var fresh []key
		if err := selectKeys(ctx, tx, k.volume, -1, func(keys []key) { fresh = append(fresh, keys...) }); err != nil {
			return err
		}
		ids, err := selectRuns(ctx, tx, k.volume)
		if err != nil {
			return err
		}
		together := len(ids) >= maxRuns || done && len(ids) > 1
		if len(fresh) == 0 && !together {
			return nil
		}
		slices.SortFunc(fresh, compareKeys)
		sources := []keySource{&keySlice{keys: slices.Compact(fresh)}}
		if together {
			for _, id := range ids {
				source, err := openRun(ctx, tx, k.volume, id)
				if err != nil {
					return err
				}
				sources = append(sources, source)
			}
		}
		if err := writeRun(ctx, tx, k.volume, marks.next, sources); err != nil {
			return err
		}
		if together {
			for _, id := range ids {
				if err := deleteRun(ctx, tx, k.volume, id); err != nil {
					return err
				}
			}
		}
		if err := deleteKeyRows(ctx, tx, k.volume); err != nil {
			return err
		}
		return putMark(ctx, tx, k.volume, markNext, marks.next+1)
	})
	if err != nil {
		return err
	}
	return k.refresh(ctx)
}
