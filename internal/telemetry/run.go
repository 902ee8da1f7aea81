package telemetry

import (
	"context"
	"fmt"

	"github.com/botyard/botyard/internal/db"
)

// keySource iterates over sorted keys.
type keySource interface {
	// peek is the next key; false at the end.
	peek() (key, bool)
	advance(ctx context.Context) error
	// size is an upper bound of how many there are.
	size() int
}

type keySlice struct{ keys []key }

func (s *keySlice) peek() (key, bool) {
	if len(s.keys) == 0 {
		return key{}, false
	}
	return s.keys[0], true
}

func (s *keySlice) advance(context.Context) error {
	s.keys = s.keys[1:]
	return nil
}

func (s *keySlice) size() int { return len(s.keys) }

// runSource iterates over a run on disk, bucket by bucket.
type runSource struct {
	keySlice
	q    db.Querier
	v    *volume
	run  run
	next uint64 // bucket
}

func openRun(ctx context.Context, q db.Querier, v *volume, id int64) (*runSource, error) {
	header, found, err := selectBucket(ctx, q, v, id, headerBucket)
	if err != nil {
		return nil, err
	}
	r, ok := runOf(id, header)
	if !found || !ok {
		return nil, fmt.Errorf("%w: run %d of the keys of %s", errBlock, id, v.name())
	}
	s := &runSource{q: q, v: v, run: r}
	return s, s.fill(ctx)
}

func (s *runSource) advance(ctx context.Context) error {
	s.keys = s.keys[1:]
	return s.fill(ctx)
}

// fill reads on to the next bucket that is not empty.
func (s *runSource) fill(ctx context.Context) error {
	for len(s.keys) == 0 && s.next < s.run.buckets {
		hashes, found, err := selectBucket(ctx, s.q, s.v, s.run.id, int64(s.next))
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("%w: run %d of the keys of %s has no bucket %d", errBlock, s.run.id, s.v.name(), s.next)
		}
		s.keys = keysOf(hashes)
		s.next++
	}
	return nil
}

func (s *runSource) size() int { return len(s.run.filter) / bloomBytes }

// writeRun merges the keys of all sources into one run.
func writeRun(ctx context.Context, tx *db.Tx, v *volume, id int64, sources []keySource) error {
	total := 0
	for _, s := range sources {
		total += s.size()
	}
	r := run{id: id, buckets: uint64(total/keysPerBucket + 1), filter: newBloom(total)}
	var bucket []byte
	at := uint64(0)
	var last key
	first := true
	for {
		from := least(sources)
		if from == nil {
			break
		}
		k, _ := from.peek()
		if err := from.advance(ctx); err != nil {
			return err
		}
		if !first && k == last {
			continue
		}
		first, last = false, k
		for own := bucketOf(k, r.buckets); at < own; at++ {
			if err := insertBucket(ctx, tx, v, id, int64(at), bucket); err != nil {
				return err
			}
			bucket = bucket[:0]
		}
		bucket = append(bucket, k[:]...)
		r.filter.add(k.low())
	}
	for ; at < r.buckets; at++ {
		if err := insertBucket(ctx, tx, v, id, int64(at), bucket); err != nil {
			return err
		}
		bucket = bucket[:0]
	}
	return insertBucket(ctx, tx, v, id, headerBucket, r.header())
}

// least is the source with the smallest key; nil when all are exhausted.
func least(sources []keySource) (from keySource) {
	var k key
	for _, s := range sources {
		if one, ok := s.peek(); ok && (from == nil || compareKeys(one, k) < 0) {
			from, k = s, one
		}
	}
	return from
}
