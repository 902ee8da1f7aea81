package telemetry

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/botyard/botyard/internal/db"
)

// index knows the keys of all records of a class over the whole retention. The keys of
// the latest appends are in memory. The others are in runs on disk, each with a Bloom
// filter in memory: the disk is read only when the filter says that a key may be there.
//
// It belongs to the appender, and only its goroutine uses it. Before each use it reads
// what other servers have appended, under the lock of the class.
type index struct {
	archive archive
	class   Class
	volumes map[int64]*volumeKeys // by day
}

// volumeKeys are the keys of one volume.
type volumeKeys struct {
	*volume
	// seen is the mark "next" as it was read last. While it is unchanged, no other server
	// has written.
	seen   int64
	sealed bool
	recent keySet
	runs   []run // the oldest first
}

// maxFilters bounds the memory of the Bloom filters, in bytes: enough for 32 million keys.
// Beyond it the oldest runs have no filter, and each key is looked for on disk.
const maxFilters = 64 << 20

// refresh reads what other servers have written since the last refresh. current is the
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

// boundFilters drops the filters of the oldest runs when they take more than maxFilters.
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
		// The keys have moved from rows into a run: start over.
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

// has says whether a record with the key is stored.
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

// keysError says which volume's keys could not be read.
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
				stale = true // another server has merged the runs
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

// compact turns the keys that are in rows into a run, and merges all runs when there are
// many or the day is over. It moves the mark "next", so that other servers notice.
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
