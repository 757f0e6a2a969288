package vectors

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"slices"

	"github.com/stationflow/stationflow/event"
)

// A Dictionary numbers distinct texts in the order in which they first come.
type Dictionary struct {
	Entries []byte   // the distinct texts, each behind its length in four bytes: a dictionary page in Parquet
	IDs     []uint32 // of the texts that were added
	Size    int      // of the texts that were added, behind lengths, in bytes
	at      []uint32 // where each entry begins
	slots   []uint32 // a hash table of ids + 1
	picked  []uint32 // ids + 1 by those of another dictionary; 0 for none
}

// slotsAtFirst is a power of two, and enough for the stations of a network.
const slotsAtFirst = 1 << 8

// Distinct returns how many entries there are.
func (d *Dictionary) Distinct() int { return len(d.at) }

func (d *Dictionary) reset() {
	d.Entries, d.at, d.IDs, d.Size = d.Entries[:0], d.at[:0], d.IDs[:0], 0
	clear(d.slots)
}

func (d *Dictionary) entry(id uint32) []byte { return textAt(d.Entries, d.at[id]) }

// pick adds the texts of rows to a dictionary that is empty, and that gets no
// others.
func (d *Dictionary) pick(from *Vector, rows []int32) {
	d.picked = slices.Grow(d.picked[:0], from.Words.Distinct())[:from.Words.Distinct()]
	clear(d.picked)
	for _, row := range rows {
		if from.Null(row) {
			d.IDs = append(d.IDs, 0)
			continue
		}
		other := from.Words.IDs[row]
		text := from.Words.entry(other)
		if d.picked[other] == 0 {
			d.enter(text)
			d.picked[other] = uint32(len(d.at))
		}
		d.Size += 4 + len(text)
		d.IDs = append(d.IDs, d.picked[other]-1)
	}
}

// AppendAll adds the texts of the ids, each behind its length in four bytes.
func (d *Dictionary) AppendAll(dst []byte, ids []uint32) []byte {
	for _, id := range ids {
		dst = appendText(dst, d.entry(id))
	}
	return dst
}

func (d *Dictionary) appendAll(values []event.Value, of int) (nulls int) {
	for i := 0; i < len(values); i += of {
		if values[i].Null() {
			nulls++
			d.IDs = append(d.IDs, 0)
		} else {
			d.add(values[i].Text())
		}
	}
	return nulls
}

func (d *Dictionary) add(text []byte) {
	if 2*len(d.at) >= len(d.slots) {
		d.grow()
	}
	d.Size += 4 + len(text)
	slot := d.slot(text)
	if d.slots[slot] == 0 {
		d.enter(text)
		d.slots[slot] = uint32(len(d.at))
	}
	d.IDs = append(d.IDs, d.slots[slot]-1)
}

func (d *Dictionary) enter(text []byte) {
	d.at = append(d.at, uint32(len(d.Entries)))
	d.Entries = appendText(d.Entries, text)
}

// slot returns where the text is in the table, or the free slot where it goes.
func (d *Dictionary) slot(text []byte) uint64 {
	mask := uint64(len(d.slots) - 1)
	for slot := hash(text) & mask; ; slot = (slot + 1) & mask {
		if id := d.slots[slot]; id == 0 || bytes.Equal(d.entry(id-1), text) {
			return slot
		}
	}
}

func (d *Dictionary) grow() {
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
