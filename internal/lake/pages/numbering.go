package pages

import (
	"math/bits"
	"math/rand/v2"
)

// A numbering numbers distinct numbers in the order in which they first come.
type numbering struct {
	ids      []uint32
	distinct []int64
	slots    []uint32 // a hash table of ids + 1
}

// maxDistinct is more than passengers in a train, minutes in a day or seconds
// in an hour.
const maxDistinct = 1 << 12

// mostDistinct is up to how many distinct ones among so many numbers a
// dictionary is tried.
func mostDistinct(numbers int) int { return min(numbers/2, maxDistinct) }

// number numbers the numbers, and reports whether that is worth its price: it
// takes less space.
func (n *numbering) number(numbers []int64) bool {
	if n.slots == nil {
		n.slots = make([]uint32, 2*maxDistinct)
	}
	clear(n.slots)
	n.ids, n.distinct = n.ids[:0], n.distinct[:0]
	most := mostDistinct(len(numbers))
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

// Nobody outside can know which values share a slot.
var seed, factor = rand.Uint64(), rand.Uint64() | 1

func hashNumber(v int64) uint64 {
	high, low := bits.Mul64(uint64(v)^seed, factor)
	return (high ^ low) % (2 * maxDistinct)
}
