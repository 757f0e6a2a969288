package pages

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
)

// A dictionary numbers distinct texts in the order in which they first come.
type dictionary struct {
	entries []byte   // the distinct texts, each behind its length in 4 bytes: a dictionary page
	at      []uint32 // where each entry begins
	ids     []uint32 // of the texts that were added
	slots   []uint32 // a hash table of ids + 1
	size    int      // of the texts that were added, behind lengths, in bytes
}

var seed = maphash.MakeSeed()

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
	for slot := maphash.Bytes(seed, text) & mask; ; slot = (slot + 1) & mask {
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

// bounds returns the least and the greatest text.
func (d *dictionary) bounds() (least, greatest []byte) {
	least, greatest = d.entry(0), d.entry(0)
	for id := range d.at {
		least, greatest = widen(least, greatest, d.entry(uint32(id)))
	}
	return least, greatest
}

func widen(least, greatest, text []byte) (newLeast, newGreatest []byte) {
	if bytes.Compare(text, least) < 0 {
		return text, greatest
	}
	if bytes.Compare(text, greatest) > 0 {
		return least, text
	}
	return least, greatest
}

// A numbering numbers distinct whole numbers that lie close together, in
// their order of appearance.
type numbering struct {
	ids      []uint32
	distinct []int64
	known    []uint32 // by the distance from the least: id + 1
}

// maxSpread is the greatest distance of two numbers in a numbering: more than
// passengers in a train, minutes in a day or seconds in an hour.
const maxSpread = 1 << 12

// number numbers the numbers, which are multiples of unit and not less than
// least, and reports whether that is worth its price: it takes less space.
func (n *numbering) number(numbers []int64, least, greatest, unit int64) bool {
	if (uint64(greatest)-uint64(least))/uint64(unit) >= maxSpread {
		return false
	}
	if n.known == nil {
		n.known = make([]uint32, maxSpread)
	}
	clear(n.known)
	n.ids, n.distinct = n.ids[:0], n.distinct[:0]
	for _, v := range numbers {
		place := &n.known[(uint64(v)-uint64(least))/uint64(unit)]
		if *place == 0 {
			n.distinct = append(n.distinct, v)
			*place = uint32(len(n.distinct))
		}
		if n.distinct[*place-1] != v {
			return false // it is not a multiple after all
		}
		n.ids = append(n.ids, *place-1)
	}
	return 2*len(n.distinct) <= len(numbers)
}

// unitOf returns the greatest of a second, a millisecond and a microsecond, in
// microseconds, in which all of the distances from the first are whole.
func unitOf(micros []int64) int64 {
	unit := int64(1_000_000)
	for _, v := range micros {
		for (v-micros[0])%unit != 0 {
			unit /= 1000
		}
	}
	return unit
}
