package telemetry

import (
	"container/heap"
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/botyard/botyard/internal/fault"
)

// class is that of the wanted kinds. It is an error when nobody is named whose
// records they are.
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

// until is Until in milliseconds; without one, for ever.
func (f *Filter) until() int64 {
	if f.Until.IsZero() {
		return math.MaxInt64
	}
	return f.Until.UnixMilli()
}

// position is a place in the order of a list: newest first.
type position struct{ at, sequence int64 }

func (p position) newer(q position) bool {
	return p.at > q.at || p.at == q.at && p.sequence > q.sequence
}

// before is where the list goes on: only what is older.
func (f *Filter) before() (position, error) {
	if f.Before == nil {
		return position{math.MaxInt64, math.MaxInt64}, nil
	}
	sequence, err := strconv.ParseInt(f.Before.ID, 10, 64)
	if err != nil {
		return position{}, fault.New(fault.InvalidQuery, "nextToken is not one that this list gave. Start again without it.")
	}
	return position{f.Before.At, sequence}, nil
}

// mayHold says whether a block's summary leaves it possible that a record passes.
func (f *Filter) mayHold(b *block) bool {
	kinds := uint64(0)
	for _, k := range f.Kinds {
		kinds |= 1 << k
	}
	return b.kinds&kinds != 0 &&
		(f.Level == 0 || b.levels&(1<<f.Level) != 0) &&
		b.firstAt <= f.until() &&
		(f.Bot == "" || b.bot == f.Bot) && (f.Integration == "" || b.integration == f.Integration) &&
		(f.User == "" || b.ids.has(idHash(ofUser, f.User))) &&
		(f.Conversation == "" || b.ids.has(idHash(ofConversation, f.Conversation))) &&
		(f.Workflow == "" || b.ids.has(idHash(ofWorkflow, f.Workflow))) &&
		b.words.may(f.Contains)
}

// fits says whether a record passes all but Contains and Match, which need more
// than its head, and Before.
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

// passes is fits and Contains, for a record that is read.
func (f *Filter) passes(r *Record) bool {
	return f.fits(r) && (f.Contains == "" || strings.Contains(r.Message, f.Contains))
}

// source is something that records come from, with a bound of their positions: a
// volume whose blocks are not listed (to the end), a block that is not opened, or
// records, the oldest first.
type source struct {
	position
	volume  *volume
	listed  bound
	block   *block
	records []Record
}

// sources is a heap, the source with the newest records first.
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

// errMerged says that a block went away while it was being read: others hold its
// records now.
var errMerged = errors.New("a block was merged while it was read")

// mostListed is how many blocks are listed at once.
const mostListed = 64

// Scan is storage's. It opens volumes and blocks only as far as visit goes on: the
// newest record of a heap of sources is always at its top.
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
		// After a merge the list goes on behind what was visited last.
		err := s.scan(ctx, class, &f, &start, visit)
		if !errors.Is(err, errMerged) {
			return err
		}
		if attempt == 20 {
			return fault.New(fault.ResourceLockedConflict, "The records were rearranged while they were read, again and again. Repeat the request.").Because(err)
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
		case top.block != nil:
			records, err := s.matching(ctx, class, f, *start, top)
			if err != nil {
				return err
			}
			if len(records) > 0 {
				heap.Push(&heapOf, of(records))
			}
		default:
			if err := s.list(ctx, f, *start, top, &heapOf); err != nil {
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

// list puts the next blocks of a volume on the heap, and the volume again when it
// has more.
func (s *blockStore) list(ctx context.Context, f *Filter, start position, from source, to *sources) error {
	v, err := s.archive.open(ctx, from.volume.class, from.volume.day)
	if err != nil {
		return err
	}
	blocks, err := selectCandidates(ctx, v.reader(ctx), v, f, from.listed, mostListed)
	if err != nil {
		s.archive.failed(ctx, v, err)
		return err
	}
	for _, b := range blocks {
		if b.firstAt <= start.at && f.mayHold(b) {
			heap.Push(to, source{position: position{b.lastAt, math.MaxInt64}, volume: v, block: b})
		}
	}
	if len(blocks) == mostListed {
		last := blocks[len(blocks)-1]
		heap.Push(to, source{position: position{last.lastAt, math.MaxInt64}, volume: v, listed: bound{last.lastAt, last.sequence}})
	}
	return nil
}

// matching reads what passes of a block, the oldest first. A block that cannot be
// decoded is noted and has nothing.
func (s *blockStore) matching(ctx context.Context, class Class, f *Filter, start position, from source) ([]Record, error) {
	v, b := from.volume, from.block
	q := v.reader(ctx)
	found, err := selectHead(ctx, q, v, b)
	if err != nil {
		s.archive.failed(ctx, v, err)
		return nil, err
	}
	if !found {
		return nil, errMerged
	}
	o, err := b.open(class)
	if err != nil {
		s.tear(ctx, v, b, err)
		return nil, nil
	}
	var wanted []int
	for i := range o.records {
		if r := &o.records[i]; f.fits(r) && start.newer(position{r.At, r.Sequence}) {
			wanted = append(wanted, i)
		}
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	found, err = selectText(ctx, q, v, b)
	if err != nil {
		s.archive.failed(ctx, v, err)
		return nil, err
	}
	if !found {
		return nil, errMerged
	}
	if wanted, err = o.containing(f.Contains, wanted); err != nil {
		s.tear(ctx, v, b, err)
		return nil, nil
	}
	records := make([]Record, 0, len(wanted))
	for _, i := range wanted {
		if r := o.records[i]; f.Match == nil || f.Match(&r) {
			records = append(records, r)
		}
	}
	if b.fresh {
		slices.SortFunc(records, func(x, y Record) int { return older(&x, &y) })
	}
	return records, nil
}

// containing reads the wanted records and answers those whose message holds the
// needle. It looks through the text as a whole, which is many times faster than
// message by message when the needle is rare.
func (o *opened) containing(needle string, wanted []int) ([]int, error) {
	text, err := o.decodeText()
	if err != nil {
		return nil, err
	}
	kept := wanted
	if needle != "" {
		kept = nil
		at := 0
		for _, i := range wanted {
			start, end := o.start(i), o.ends[i]
			if start < at {
				if at >= end {
					continue // the next occurrence lies behind this message
				}
				start = at
			}
			found := strings.Index(text[start:], needle)
			if found < 0 {
				break
			}
			if at = start + found; at+len(needle) <= end {
				kept = append(kept, i)
			} else if at < end {
				// It begins here and ends in the next message: no match for this one.
				at = end
			}
		}
	}
	for _, i := range kept {
		if err := o.fill(text, i); err != nil {
			return nil, err
		}
	}
	return kept, nil
}
