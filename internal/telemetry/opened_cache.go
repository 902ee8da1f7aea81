package telemetry

import (
	"container/list"
	"sync"
)

// openedBlocks caches the decoded heads of the blocks that were read last, since first
// pages are read again and again. A cached block may have been merged or erased in the
// meantime: readers find out when they read its text. The zero value is ready for use.
type openedBlocks struct {
	mu     sync.Mutex
	places map[blockName]*list.Element
	recent list.List // of *keptBlock, the most recently used first
	size   int
}

// maxOpened bounds the memory of the cache, in bytes: about a hundred full blocks.
const maxOpened = 32 << 20

// blockName identifies a block among all volumes.
type blockName struct {
	volume *volume
	identity
}

type keptBlock struct {
	name   blockName
	opened *openedBlock
}

func nameOf(v *volume, b *block) blockName {
	return blockName{v, b.identity()}
}

// get answers the decoded head of a block, or nil. It is shared and must not be changed.
func (k *openedBlocks) get(v *volume, b *block) *openedBlock {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.places[nameOf(v, b)]
	if e == nil {
		return nil
	}
	k.recent.MoveToFront(e)
	return e.Value.(*keptBlock).opened
}

// put caches a head. Fresh blocks are not cached: they will soon be merged.
func (k *openedBlocks) put(v *volume, o *openedBlock) {
	if o.fresh || o.size > maxOpened/16 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	name := nameOf(v, o.block)
	if k.places[name] != nil {
		return
	}
	if k.places == nil {
		k.places = map[blockName]*list.Element{}
	}
	// The encoded parts are not needed any more.
	o.block.head, o.block.ids, o.block.words = nil, nil, nil
	k.places[name] = k.recent.PushFront(&keptBlock{name, o})
	for k.size += o.size; k.size > maxOpened; {
		last := k.recent.Remove(k.recent.Back()).(*keptBlock)
		delete(k.places, last.name)
		k.size -= last.opened.size
	}
}
