package pages

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
)

// A dictionary numbers distinct texts in the order in which they first come.
type dictionary struct {
	entries []byte   // the distinct texts, each behind its length in 4 bytes: a dictionary page
	at      []uint32 // where each entry begins
	ids     []uint32 // of the texts that were added
	slots   []uint32 // a hash table of ids + 1
	size    int      // of the texts that were added, behind lengths, in bytes
}

// slotsAtFirst is a power of two, and enough for the stations of a network.
const slotsAtFirst = 1 << 8

func (d *dictionary) reset() {
	d.entries, d.at, d.ids, d.size = d.entries[:0], d.at[:0], d.ids[:0], 0
	clear(d.slots)
}

func (d *dictionary) entry(id uint32) []byte {
	at := d.at[id]
	size := binary.LittleEndian.Uint32(d.entries[at:])
	return d.entries[at+4:][:size]
}

func (d *dictionary) add(text []byte) {
	if 2*len(d.at) >= len(d.slots) {
		d.grow()
	}
	d.size += 4 + len(text)
	slot := d.slot(text)
	if d.slots[slot] == 0 {
		d.at = append(d.at, uint32(len(d.entries)))
		d.entries = binary.LittleEndian.AppendUint32(d.entries, uint32(len(text)))
		d.entries = append(d.entries, text...)
		d.slots[slot] = uint32(len(d.at))
	}
	d.ids = append(d.ids, d.slots[slot]-1)
}

// slot returns where the text is in the table, or the free slot where it goes.
func (d *dictionary) slot(text []byte) uint64 {
	mask := uint64(len(d.slots) - 1)
	for slot := hash(text) & mask; ; slot = (slot + 1) & mask {
		if id := d.slots[slot]; id == 0 || bytes.Equal(d.entry(id-1), text) {
			return slot
		}
	}
}

func (d *dictionary) grow() {
	d.slots = make([]uint32, max(slotsAtFirst, 2*len(d.slots)))
	for id := range d.at {
		d.slots[d.slot(d.entry(uint32(id)))] = uint32(id) + 1
	}
}

// Nobody outside can know which values share a slot.
var (
	seed         = maphash.MakeSeed()
	seed1, seed2 = rand.Uint64(), rand.Uint64()
)

// hash is a hash of the text. A short one, which names of stations and the
// like are, is two words that may overlap, multiplied.
func hash(text []byte) uint64 {
	var a, b uint64
	switch n := len(text); {
	case n > 16:
		return maphash.Bytes(seed, text)
	case n >= 8:
		a, b = binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[n-8:])
	case n >= 4:
		a, b = uint64(binary.LittleEndian.Uint32(text)), uint64(binary.LittleEndian.Uint32(text[n-4:]))
	case n > 0:
		a, b = uint64(text[0])<<8|uint64(text[n/2]), uint64(text[n-1])
	}
	high, low := bits.Mul64(a^seed1, b^seed2^uint64(len(text)))
	return high ^ low
}

// bounds returns the least and the greatest text.
func (d *dictionary) bounds() (least, greatest []byte) {
	least, greatest = d.entry(0), d.entry(0)
	for id := range d.at {
		least, greatest = widen(least, greatest, d.entry(uint32(id)))
	}
	return least, greatest
}

// widen takes a text into the bounds. Most come in order: the greatest is
// compared first.
func widen(least, greatest, text []byte) (newLeast, newGreatest []byte) {
	if bytes.Compare(text, greatest) > 0 {
		return least, text
	}
	if bytes.Compare(text, least) < 0 {
		return text, greatest
	}
	return least, greatest
}

// A numbering numbers distinct numbers in the order in which they first come.
type numbering struct {
	ids      []uint32
	distinct []int64
	slots    []uint32 // a hash table of ids + 1
}

// maxDistinct is more than passengers in a train, minutes in a day or seconds
// in an hour.
const maxDistinct = 1 << 12

// number numbers the numbers, and reports whether that is worth its price: it
// takes less space.
func (n *numbering) number(numbers []int64) bool {
	if n.slots == nil {
		n.slots = make([]uint32, 2*maxDistinct)
	}
	clear(n.slots)
	n.ids, n.distinct = n.ids[:0], n.distinct[:0]
	most := min(len(numbers)/2, maxDistinct)
	for _, v := range numbers {
		slot := hashNumber(v)
		for n.slots[slot] != 0 && n.distinct[n.slots[slot]-1] != v {
			slot = (slot + 1) % (2 * maxDistinct)
		}
		if n.slots[slot] == 0 {
			if len(n.distinct) == most {
				return false
			}
			n.distinct = append(n.distinct, v)
			n.slots[slot] = uint32(len(n.distinct))
		}
		n.ids = append(n.ids, n.slots[slot]-1)
	}
	return true
}

func hashNumber(v int64) uint64 {
	high, low := bits.Mul64(uint64(v)^seed1, seed2|1)
	return (high ^ low) % (2 * maxDistinct)
}
