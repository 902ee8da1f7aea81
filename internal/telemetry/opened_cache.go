package telemetry

import (
	"container/list"
	"sync"
)

// openedBlocks keeps the unpacked heads of the blocks that were read last, since
// first pages are read again and again. What it has may be merged or erased
// meanwhile: who uses it finds that out when it reads the text. The zero value is
// ready for use.
type openedBlocks struct {
	mu     sync.Mutex
	places map[blockName]*list.Element
	recent list.List // of *keptBlock, those used last first
	size   int
}

// maxOpened bounds the memory of the heads, in bytes: about a hundred full blocks.
const maxOpened = 32 << 20

// blockName is a block of one volume.
type blockName struct {
	volume *volume
	identity
}

type keptBlock struct {
	name   blockName
	opened *opened
}

func nameOf(v *volume, b *block) blockName {
	return blockName{v, b.identity()}
}

// get answers the head of a block, or nil. It is shared: nobody changes it.
func (k *openedBlocks) get(v *volume, b *block) *opened {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.places[nameOf(v, b)]
	if e == nil {
		return nil
	}
	k.recent.MoveToFront(e)
	return e.Value.(*keptBlock).opened
}

// put keeps a head. Fresh blocks are not kept: they are merged soon.
func (k *openedBlocks) put(v *volume, o *opened) {
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
	// The block's own bytes are not needed any more.
	o.block.head, o.block.ids, o.block.words = nil, nil, nil
	k.places[name] = k.recent.PushFront(&keptBlock{name, o})
	for k.size += o.size; k.size > maxOpened; {
		last := k.recent.Remove(k.recent.Back()).(*keptBlock)
		delete(k.places, last.name)
		k.size -= last.opened.size
	}
}
