package telemetry

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/botyard/botyard/internal/fault"
)

// class is the class of the wanted kinds. It is an error when neither a bot nor an
// integration is set.
func (f *Filter) class() (Class, error) {
	if f.Bot == "" && f.Integration == "" {
		return "", errors.New("a filter of telemetry names neither a bot nor an integration")
	}
	if len(f.Kinds) == 0 {
		return "", errors.New("a filter of telemetry names no kinds")
	}
	class := classOf(f.Kinds[0])
	for _, k := range f.Kinds {
		if classOf(k) != class {
			return "", errors.New("a filter of telemetry names kinds of two classes")
		}
	}
	return class, nil
}

// until is Until in milliseconds, or the end of time.
func (f *Filter) until() int64 {
	if f.Until.IsZero() {
		return math.MaxInt64
	}
	return f.Until.UnixMilli()
}

// position is the place of a record in a list, which has the newest first.
type position struct{ at, sequence int64 }

func (p position) newer(q position) bool {
	return p.at > q.at || p.at == q.at && p.sequence > q.sequence
}

// before is the position that only older records follow.
func (f *Filter) before() (position, error) {
	if f.Before == nil {
		return position{math.MaxInt64, math.MaxInt64}, nil
	}
	sequence, err := strconv.ParseInt(f.Before.ID, 10, 64)
	if err != nil {
		return position{}, fault.New(fault.InvalidQuery, "nextToken was not issued by this list. Start again without it.")
	}
	return position{f.Before.At, sequence}, nil
}

// mayHold says whether, by its summary, a block may contain a record that passes.
func (f *Filter) mayHold(b *block) bool {
	kinds := uint64(0)
	for _, k := range f.Kinds {
		kinds |= 1 << k
	}
	return b.kinds&kinds != 0 &&
		(f.Level == 0 || b.levels&(1<<f.Level) != 0) &&
		b.firstAt <= f.until() &&
		(f.Bot == "" || b.bot == f.Bot) && (f.Integration == "" || b.integration == f.Integration) &&
		f.mayHoldIDs(b) && b.words.may(f.Contains)
}

func (f *Filter) mayHoldIDs(b *block) bool {
	for _, column := range idColumns {
		if id := column.wanted(f); id != "" && !b.ids.has(idHash(column.letter, id)) {
			return false
		}
	}
	return true
}

// fits says whether a record passes, apart from Before, and from Contains and Match, which
// need its text.
func (f *Filter) fits(r *Record) bool {
	return slices.Contains(f.Kinds, r.Kind) &&
		(f.From.IsZero() || r.At >= f.From.UnixMilli()) && r.At <= f.until() &&
		(f.Level == 0 || r.Level == f.Level) &&
		(f.Bot == "" || r.Bot == f.Bot && !r.HiddenFromBot) &&
		(f.Bot != "" || !r.HiddenFromIntegration) &&
		(f.Integration == "" || r.Integration == f.Integration) &&
		(f.User == "" || r.User == f.User) &&
		(f.Conversation == "" || r.Conversation == f.Conversation) &&
		(f.Workflow == "" || r.Workflow == f.Workflow)
}

// passes is fits and Contains, for a record with its text.
func (f *Filter) passes(r *Record) bool {
	return f.fits(r) && (f.Contains == "" || strings.Contains(r.Message, f.Contains))
}

// source is where records come from, with an upper bound of their positions. It is one of
// four things: a volume with blocks still to be listed, a block, a block that is opened
// with the positions of the records that are wanted, or records. The last two are in
// ascending order, so the newest is at the end.
type source struct {
	position
	volume  *volume
	listed  bound
	known   []identity // of the blocks that are listed and have records older than listed
	block   *block
	opened  *openedBlock
	packed  []excerpt // of the block's text, in their order
	places  []int
	records []Record
}

// sources is a heap with the newest source on top.
type sources []source

func (s sources) Len() int           { return len(s) }
func (s sources) Less(i, j int) bool { return s[i].newer(s[j].position) }
func (s sources) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *sources) Push(x any)        { *s = append(*s, x.(source)) }
func (s *sources) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}

// errMerged says that a block disappeared while it was being read, since it was merged into
// another one.
var errMerged = errors.New("a block was merged while it was read")

const (
	// maxListed is how many blocks are listed at once.
	maxListed = 64
	// maxAhead is how many blocks are opened at once.
	maxAhead = 16
)

// Scan calls visit with the records that pass the filter until visit answers false: the
// newest first, those of one millisecond by descending Sequence. It sees every record
// whose Append returned before Scan began, and opens volumes and blocks only as far as
// visit goes on: a heap of sources has the one with the newest record on top.
func (s *blockStore) Scan(ctx context.Context, f Filter, visit func(*Record) bool) error {
	class, err := f.class()
	if err != nil {
		return err
	}
	start, err := f.before()
	if err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		// After a merge the scan continues after the record that was visited last.
		err := s.scan(ctx, class, &f, &start, visit)
		if !errors.Is(err, errMerged) {
			return err
		}
		if attempt == 20 {
			return fault.New(fault.ResourceLockedConflict, "The records were merged again and again while they were read. Repeat the request.").Because(err)
		}
	}
}

func (s *blockStore) scan(ctx context.Context, class Class, f *Filter, start *position, visit func(*Record) bool) error {
	days, err := s.archive.days(ctx, class)
	if err != nil {
		return err
	}
	var heapOf sources
	for _, day := range days {
		v := &volume{class: class, day: day}
		if v.latest() < f.From.UnixMilli() {
			continue
		}
		heapOf = append(heapOf, source{position: position{v.latest(), math.MaxInt64}, volume: v, listed: bound{math.MaxInt64, math.MaxInt64}})
	}
	heap.Init(&heapOf)
	// Most pages need one block. Those that need many should not wait for the database for
	// each, so every step opens twice as many blocks as the one before.
	ahead := 1
	for heapOf.Len() > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		top := heap.Pop(&heapOf).(source)
		switch {
		case top.records != nil:
			r := &top.records[len(top.records)-1]
			*start = position{r.At, r.Sequence}
			if !visit(r) {
				return nil
			}
			if top.records = top.records[:len(top.records)-1]; len(top.records) > 0 {
				heap.Push(&heapOf, of(top.records))
			}
		case top.opened != nil:
			records := s.read(ctx, f, &top)
			if len(records) > 0 {
				heap.Push(&heapOf, of(records))
			}
			if len(top.places) > 0 {
				heap.Push(&heapOf, top)
			}
		case top.block != nil:
			group := heapOf.blocksAfter(top, ahead)
			ahead = min(2*ahead, maxAhead)
			err := s.open(ctx, f, *start, group)
			if errors.Is(err, errDropped) {
				continue
			}
			if err != nil {
				return err
			}
			for _, opened := range group {
				if len(opened.places) > 0 {
					heap.Push(&heapOf, opened)
				}
			}
		default:
			if err := s.list(ctx, f, *start, top, &heapOf); err != nil && !errors.Is(err, errDropped) {
				return err
			}
		}
	}
	return nil
}

func of(records []Record) source {
	r := &records[len(records)-1]
	return source{position: position{r.At, r.Sequence}, records: records}
}

// list pushes the next blocks of a volume on the heap, and the volume itself when it has
// more.
func (s *blockStore) list(ctx context.Context, f *Filter, start position, from source, to *sources) error {
	var v *volume
	var blocks []*block
	err := s.withVolume(ctx, from.volume.class, from.volume.day, func(of *volume) (err error) {
		v = of
		if blocks, err = selectCandidates(ctx, v.reader(ctx), v, f, from.listed, maxListed); err != nil || from.listed.at == math.MaxInt64 {
			return err
		}
		spanning, err := selectSpanning(ctx, v.reader(ctx), v, f, from.listed)
		if err != nil {
			return err
		}
		return from.check(spanning)
	})
	if err != nil {
		return err
	}
	for _, b := range blocks {
		if b.firstAt <= start.at && f.mayHold(b) {
			heap.Push(to, source{position: position{b.lastAt, math.MaxInt64}, volume: v, block: b})
		}
	}
	if len(blocks) == maxListed {
		last := blocks[len(blocks)-1]
		next := source{position: position{last.lastAt, math.MaxInt64}, volume: v, listed: bound{last.lastAt, last.sequence}}
		for _, b := range blocks {
			from.known = append(from.known, b.identity())
		}
		for _, b := range from.known {
			if b.firstAt <= last.lastAt {
				next.known = append(next.known, b)
			}
		}
		heap.Push(to, next)
	}
	return nil
}

// check answers errMerged when a merge has carried records across the bound of a list:
// out of the part that is still to be listed, so that they would be missed, or into it, so
// that they would come twice. fresh are the blocks that span the bound now; a new one
// that is fresh was appended after the scan began.
func (s *source) check(fresh map[identity]bool) error {
	for _, b := range s.known {
		if _, there := fresh[b]; !there {
			return errMerged
		}
		delete(fresh, b)
	}
	for _, isFresh := range fresh {
		if !isFresh {
			return errMerged
		}
	}
	return nil
}

// blocksAfter pops the unopened blocks of the same volume that directly follow one, and
// answers them with it, at most limit in all.
func (s *sources) blocksAfter(first source, limit int) []source {
	group := []source{first}
	for len(group) < limit && s.Len() > 0 {
		if next := (*s)[0]; next.block == nil || next.opened != nil || next.volume != first.volume {
			break
		}
		group = append(group, heap.Pop(s).(source))
	}
	return group
}

// open decodes the heads of blocks of one volume, determines which of their records are
// wanted, and reads the frames with the text of these. A block that cannot be decoded is
// noted as damaged and has none.
func (s *blockStore) open(ctx context.Context, f *Filter, start position, group []source) error {
	v := group[0].volume
	if err := s.openHeads(ctx, v, group); err != nil {
		return err
	}
	var ranges []textRange
	for i := range group {
		if o := group[i].opened; o != nil {
			group[i].places = o.wanted(f, start)
			ranges = append(ranges, o.ranges(group[i].places)...)
		}
	}
	if len(ranges) == 0 {
		return nil
	}
	texts, err := selectTexts(ctx, v.reader(ctx), v, ranges)
	if err != nil {
		return s.archive.failed(ctx, v, err)
	}
	for i := range group {
		from := &group[i]
		if len(from.places) == 0 {
			continue
		}
		for ; len(ranges) > 0 && ranges[0].block == from.opened.block; ranges = ranges[1:] {
			text, found := texts[ranges[0]]
			if !found {
				return errMerged
			}
			from.packed = append(from.packed, text)
		}
		from.position = from.opened.newest(from.places)
	}
	return nil
}

// openHeads decodes the heads of blocks of one volume, unless they are in the cache.
func (s *blockStore) openHeads(ctx context.Context, v *volume, group []source) error {
	var missing []*block
	for i := range group {
		from := &group[i]
		if from.opened = s.opened.get(v, from.block); from.opened == nil {
			missing = append(missing, from.block)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if err := selectHeads(ctx, v.reader(ctx), v, missing); err != nil {
		return s.archive.failed(ctx, v, err)
	}
	for i := range group {
		from := &group[i]
		if from.opened != nil {
			continue
		}
		if from.block.head == nil {
			return errMerged
		}
		o, err := from.block.open(v.class)
		if err != nil {
			s.tear(ctx, v, from.block, err)
			continue
		}
		s.opened.put(v, o)
		from.opened = o
	}
	return nil
}

// maxGap is how many bytes between two frames are read along with them: that costs less
// than reading each frame by itself.
const maxGap = 8 << 10

// ranges are the parts of the compressed text with the frames of some positions.
func (o *openedBlock) ranges(places []int) (all []textRange) {
	var f frame
	for _, i := range places {
		if i < f.end {
			continue
		}
		f = o.frameOf(i)
		if last := len(all) - 1; last >= 0 && f.from-all[last].to <= maxGap {
			all[last].to = f.to
		} else {
			all = append(all, textRange{o.block, f.from, f.to})
		}
	}
	return all
}

// newest is the newest position of some records.
func (o *openedBlock) newest(places []int) position {
	newest := o.position(places[len(places)-1])
	if o.fresh {
		for _, i := range places {
			if p := o.position(i); p.newer(newest) {
				newest = p
			}
		}
	}
	return newest
}

// read makes the wanted records of the newest frame of a source, which keeps those of the
// frames before.
func (s *blockStore) read(ctx context.Context, f *Filter, from *source) (records []Record) {
	o := from.opened
	frame := o.frameOf(from.places[len(from.places)-1])
	first, _ := slices.BinarySearch(from.places, frame.first)
	places := from.places[first:]
	if from.places = from.places[:first]; first > 0 {
		from.position = o.newest(from.places)
	}
	at, _ := slices.BinarySearchFunc(from.packed, frame.to, func(e excerpt, to int) int { return cmp.Compare(e.from+len(e.text), to) })
	var packed excerpt
	if at < len(from.packed) {
		packed = from.packed[at]
	}
	records, err := o.containing(frame, packed, f.Contains, places)
	if err != nil {
		s.tear(ctx, from.volume, from.block, err)
		return nil
	}
	if f.Match != nil {
		records = slices.DeleteFunc(records, func(r Record) bool { return !f.Match(&r) })
	}
	if o.fresh {
		slices.SortFunc(records, func(x, y Record) int { return older(&x, &y) })
	}
	return records
}
