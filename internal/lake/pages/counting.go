package pages

import (
	"encoding/binary"
	"slices"

	"github.com/parquet-go/parquet-go/format"
)

// Offsets of records count up: of eight bytes, the lowest changes from one to
// the next, and the others do once in 256 numbers. A general compressor looks
// for that, at a fifth of the price of a whole file. Here it is known, and the
// blocks need no work: one byte as it is, and seven copied from the number
// before. They take up to 0.1 bytes a number more than what that compressor finds.
// https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1.3

const (
	// leastCounting is how many numbers there are, at the least, for each that
	// does not count up. With fewer the general compressor makes less of them.
	leastCounting = 64
	// mostInBlock is how many numbers a block has, but for those that do not
	// count up. Together they take less than the 128 KiB that it may have.
	mostInBlock = 8 << 10
)

// writeCounting writes numbers as one page if they count up, and reports whether
// they do.
func (k *chunk) writeCounting(c *column, numbers []int64) bool {
	if 8*len(numbers) >= pageBytes {
		return false
	}
	blocks, counts := appendCounting(k.blocks[:0], numbers)
	if k.blocks = blocks; counts {
		k.meta.Encoding = []format.Encoding{format.Plain, format.RLE}
		k.choose(true)
		k.plain = appendNumbers(k.plain[:0], numbers)
		k.writeBlocks(c, k.plain, blocks)
	}
	return counts
}

// appendCounting adds the blocks of a frame that hold the numbers, 8 bytes each,
// or returns false where they do not count up.
func appendCounting(dst []byte, numbers []int64) ([]byte, bool) {
	if !counting(numbers) {
		return dst, false
	}
	first := 0
	for !follows(numbers, first+1) || !follows(numbers, first+2) {
		first++
	}
	dst = appendRaw(dst, appendNumbers(nil, numbers[:first+1]), false)
	// Twice a distance of 8, as code 3 with the bits 011: from then on it is the last one.
	literals := []byte{byte(numbers[first+1]), byte(numbers[first+2])}
	dst = appendSequences(dst, literals, sequences{count: 2, literals: 1, distance: 3, extra: 0b1_011_011}, first+3 == len(numbers))
	for at := first + 3; at < len(numbers); {
		begin, count := at, 0
		literals = literals[:0]
		for count < mostInBlock && at < len(numbers) && follows(numbers, at) {
			literals = append(literals, byte(numbers[at]))
			at, count = at+1, count+1
		}
		for at < len(numbers) && !follows(numbers, at) {
			literals = appendNumbers(literals, numbers[at:at+1]) // what is left of them ends the block
			at++
		}
		if count < 2 { // compressed, they would take no less
			dst = appendRaw(dst, appendNumbers(nil, numbers[begin:at]), at == len(numbers))
			continue
		}
		dst = appendSequences(dst, literals, sequences{count: count, literals: 1, extra: 1}, at == len(numbers))
	}
	return dst, true
}

// counting reports whether the numbers count up, but for a few.
func counting(numbers []int64) bool {
	if len(numbers) <= leastCounting {
		return false
	}
	others := 0
	for i := range numbers {
		if !follows(numbers, i) || numbers[i] <= numbers[i-1] { // numbers below 256 have the same seven bytes in any order
			if others++; others*leastCounting >= len(numbers) {
				return false
			}
		}
	}
	// Where partitions have the same offsets, a dictionary has each once.
	return uint64(slices.Max(numbers)-slices.Min(numbers)) >= uint64(mostDistinct(len(numbers)))
}

// follows reports whether only the lowest byte is another than that of the
// number before.
func follows(numbers []int64, i int) bool {
	return i > 0 && i < len(numbers) && numbers[i]>>8 == numbers[i-1]>>8
}

// sequences are the instructions of a block, all alike: so many bytes of the
// literals, then 7 from a distance before.
type sequences struct {
	count, literals int
	distance        byte // its code: 0 is the last one again
	extra           byte // the bits that follow the codes, and the one that ends them
}

// appendSequences adds a compressed block.
func appendSequences(dst, literals []byte, s sequences, last bool) []byte {
	const copied = 7 - 3 // the code of 7 bytes
	begin := len(dst)
	dst = append(dst, 0, 0, 0)
	switch n := len(literals); {
	case n < 1<<5:
		dst = append(dst, byte(n)<<3)
	case n < 1<<12:
		dst = binary.LittleEndian.AppendUint16(dst, uint16(n)<<4|1<<2)
	default:
		dst = append(dst, byte(n<<4|3<<2), byte(n>>4), byte(n>>12))
	}
	dst = append(dst, literals...)
	if s.count < 1<<7 {
		dst = append(dst, byte(s.count))
	} else {
		dst = append(dst, byte(s.count>>8|1<<7), byte(s.count))
	}
	const same = 1<<6 | 1<<4 | 1<<2 // each of the three codes stands once, for all
	dst = append(dst, same, byte(s.literals), s.distance, copied, s.extra)
	header := uint32(len(dst)-begin-3)<<3 | 2<<1
	if last {
		header |= 1
	}
	dst[begin], dst[begin+1], dst[begin+2] = byte(header), byte(header>>8), byte(header>>16)
	return dst
}
