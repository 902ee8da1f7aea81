package telemetry

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
)

// appender is this server's only writer of a class. All requests that wait while a commit
// runs share the next one, and so one wait for the disk.
type appender struct {
	class   Class
	archive archive
	clock   clock.Clock
	index   index
	queue   chan *appendRequest
	stop    chan struct{}
	once    sync.Once
	ended   chan struct{}
	// committed is called after each commit.
	committed func()
}

// The limits of one commit.
const (
	maxTogether     = 256     // requests
	maxTogetherSize = 8 << 20 // bytes of blocks
	// maxWrites is how often a commit is tried when volumes turn out to be damaged or
	// dropped, one at a time.
	maxWrites = 8
)

// appendRequest is the records of one class in one request.
type appendRequest struct {
	parts      []*prepared
	size       int
	duplicates int
	err        error
	done       chan struct{}
}

// prepared is a block that is to be appended.
type prepared struct {
	block *block
	keys  []key // of records with an id, in their order
	keyed []int // the positions of these records in the block
	// keep and left are the block and keys without duplicates, which each run of the
	// transaction determines anew. keep is nil when nothing is left.
	keep *block
	left []key
}

func newAppender(class Class, a archive, c clock.Clock, committed func()) *appender {
	l := &appender{
		class: class, archive: a, clock: c, committed: committed,
		index: index{archive: a, class: class, volumes: map[int64]*volumeKeys{}},
		queue: make(chan *appendRequest, maxTogether), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	go l.serve()
	return l
}

// size is roughly the memory it takes while it waits for the disk.
func (p *prepared) size() int {
	return len(p.block.head) + len(p.block.text) + len(p.block.ids) + len(p.keys)*(keySize+8)
}

// prepare encodes records of one class, in the caller's goroutine. The result does not
// refer to them.
func prepare(records []Record) (*appendRequest, error) {
	a := &appendRequest{done: make(chan struct{})}
	for len(records) > 0 {
		n, length := 1, len(records[0].Message)
		for n < len(records) && n < maxRecords && length < maxBlockText && ownerOf(&records[n]) == ownerOf(&records[0]) {
			length += len(records[n].Message)
			n++
		}
		p, own := &prepared{}, records[:n]
		records = records[n:]
		for i := range own {
			if own[i].ID != "" && !own[i].made {
				if p.keys == nil {
					p.keys, p.keyed = make([]key, 0, n), make([]int, 0, n)
				}
				p.keys, p.keyed = append(p.keys, keyOf(&own[i])), append(p.keyed, i)
			}
		}
		var err error
		if p.block, err = encodeFresh(own); err != nil {
			return nil, err
		}
		a.size += p.size()
		a.parts = append(a.parts, p)
	}
	return a, nil
}

var errEnding = fault.New(fault.Internal, "This server is shutting down. Nothing was kept; send the records again.")

// append waits until the records are durable or have been refused.
func (l *appender) append(ctx context.Context, a *appendRequest) error {
	select {
	case l.queue <- a:
	case <-ctx.Done():
		return db.Convert(ctx.Err())
	case <-l.stop:
		return errEnding
	}
	select {
	case <-a.done:
		return a.err
	case <-l.ended:
	}
	select {
	case <-a.done:
		return a.err
	default:
		return errEnding
	}
}

func (l *appender) close() {
	l.once.Do(func() { close(l.stop) })
	<-l.ended
}

func (l *appender) serve() {
	defer close(l.ended)
	for {
		select {
		case first := <-l.queue:
			l.commit(l.together(first))
		case <-l.stop:
			return
		}
	}
}

// together adds the requests that wait already.
func (l *appender) together(first *appendRequest) []*appendRequest {
	group, size := []*appendRequest{first}, first.size
	for len(group) < maxTogether && size < maxTogetherSize {
		select {
		case a := <-l.queue:
			group, size = append(group, a), size+a.size
		default:
			return group
		}
	}
	return group
}

func (l *appender) commit(group []*appendRequest) {
	ctx := context.Background() // a request is stored even when its client has gone
	err := l.write(ctx, group)
	for n := 1; n < maxWrites && (db.Damaged(err) || errors.Is(err, errDropped) || errors.Is(err, errDayOver)); n++ {
		err = l.write(ctx, group) // now without the volume that was set aside or dropped, or has ended
	}
	err = db.Convert(err)
	for _, a := range group {
		a.err = err
		close(a.done)
	}
	if err == nil {
		l.committed()
	}
}

func (l *appender) write(ctx context.Context, group []*appendRequest) error {
	v, err := l.current(ctx)
	if err != nil {
		return err
	}
	keyed := slices.ContainsFunc(group, func(a *appendRequest) bool {
		return slices.ContainsFunc(a.parts, func(p *prepared) bool { return len(p.keys) > 0 })
	})
	var next int64
	err = v.exclusive(ctx, func(ctx context.Context, tx *db.Tx) error {
		// While this one waited, another server may have begun the next day. What is appended
		// now must come after what that server has appended.
		if l.nearEnd(v.day) {
			if day, err := l.today(ctx); err != nil || day > v.day {
				return errors.Join(err, errDayOver)
			}
		}
		if keyed {
			if err := l.index.refresh(ctx, v); err != nil {
				return err
			}
			if err := l.dedupe(ctx, group); err != nil {
				return err
			}
		}
		var err error
		next, err = l.insert(ctx, tx, v, group)
		return err
	})
	if err != nil {
		var keys *keysError
		if errors.As(err, &keys) {
			v = keys.volume
		}
		return l.archive.failed(ctx, v, err)
	}
	v.reopened()
	if known := l.index.volumes[v.day]; keyed && known != nil {
		for _, a := range group {
			for _, p := range a.parts {
				for _, k := range p.left {
					known.recent.add(k)
				}
			}
		}
		known.seen = next
		if known.recent.len() >= maxFresh {
			// If this fails, the keys stay where they are until the next attempt.
			_ = known.compact(ctx, false)
		}
	}
	return nil
}

// errDayOver says that the day that was to be appended to has ended in the meantime.
var errDayOver = errors.New("another server has begun the next day")

// current is the volume that is appended to.
func (l *appender) current(ctx context.Context) (*volume, error) {
	day, err := l.today(ctx)
	if err != nil {
		return nil, err
	}
	return l.archive.create(ctx, l.class, day)
}

// today is the current day, or the next one when the clock of another server is ahead and
// it has begun that one.
func (l *appender) today(ctx context.Context) (int64, error) {
	day := dayOf(l.clock.Now())
	days, err := l.archive.days(ctx, l.class)
	if n := len(days); n > 0 && days[n-1] > day && days[n-1] <= day+1 {
		day = days[n-1]
	}
	return day, err
}

// nearEnd says whether another server may have begun the day after.
func (l *appender) nearEnd(day int64) bool { return dayOf(l.clock.Now().Add(maxSkew)) > day }

// dedupe determines which records are duplicates.
func (l *appender) dedupe(ctx context.Context, group []*appendRequest) error {
	var here keySet
	for _, a := range group {
		a.duplicates = 0
		for _, p := range a.parts {
			p.keep, p.left = p.block, nil
			known := map[int]bool{}
			for i, k := range p.keys {
				duplicate := !here.add(k)
				if !duplicate {
					var err error
					if duplicate, err = l.index.has(ctx, k); err != nil {
						return err
					}
				}
				if duplicate {
					known[p.keyed[i]] = true
				} else {
					p.left = append(p.left, k)
				}
			}
			if len(known) == 0 {
				continue
			}
			a.duplicates += len(known)
			var err error
			if p.keep, err = p.without(l.class, known); err != nil {
				return err
			}
		}
	}
	return nil
}

// without is the block without the records at some positions; nil when none are left. The
// records are decoded from the block: duplicates are rare, and keeping all records for
// them would take many times the memory.
func (p *prepared) without(class Class, places map[int]bool) (*block, error) {
	if len(places) == p.block.records {
		return nil, nil
	}
	o, err := p.block.open(class)
	if err != nil {
		return nil, err
	}
	records, err := o.whole(nil)
	if err != nil {
		return nil, err
	}
	rest := records[:0]
	for i := range records {
		if !places[i] {
			rest = append(rest, records[i])
		}
	}
	return encodeFresh(rest)
}

// insert writes the blocks and keys and answers the sequence of the next record.
func (l *appender) insert(ctx context.Context, tx *db.Tx, v *volume, group []*appendRequest) (next int64, err error) {
	marks, err := selectMarks(ctx, tx, v)
	if err != nil {
		return 0, err
	}
	if next = marks.next; next == 0 {
		next = firstSequence(v.day, l.clock.Now())
	}
	first := next
	var keys []key
	for _, a := range group {
		for _, p := range a.parts {
			b := p.block
			if len(p.keys) > 0 {
				b = p.keep
			}
			if b == nil {
				continue
			}
			b.sequence, b.lastSequence = next, next+int64(b.records)-1
			next += int64(b.records)
			if err := insertBlock(ctx, tx, v, b); err != nil {
				return 0, err
			}
			keys = append(keys, p.left...)
		}
	}
	if next == first {
		return next, nil
	}
	if len(keys) > 0 {
		if err := insertKeys(ctx, tx, v, first, keys); err != nil {
			return 0, err
		}
	}
	if marks.sealed { // the clock was set back: the day is open again
		if err := putMark(ctx, tx, v, markSealed, 0); err != nil {
			return 0, err
		}
	}
	return next, putMark(ctx, tx, v, markNext, next)
}
