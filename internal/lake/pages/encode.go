package pages

import (
	"encoding/binary"
	"math/bits"
)

// The hybrid of runs and bit-packed groups that Parquet has for levels and
// ids: https://parquet.apache.org/docs/file-format/data-pages/encodings/

// appendRun adds one run of a value that fits into a byte.
func appendRun(dst []byte, value byte, length int) []byte {
	return append(binary.AppendUvarint(dst, uint64(length)<<1), value)
}

// appendPacked adds the values, each of so many bits, in groups of eight; the
// last group is filled up with zeros.
func appendPacked[T uint8 | uint32](dst []byte, values []T, width int) []byte {
	groups := (len(values) + 7) / 8
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	end := len(dst) + groups*width
	var pending uint64
	held := 0
	for _, v := range values {
		pending |= uint64(v) << held
		held += width
		if held >= 32 {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(pending))
			pending >>= 32
			held -= 32
		}
	}
	for ; held > 0; held -= 8 {
		dst = append(dst, byte(pending))
		pending >>= 8
	}
	for len(dst) < end {
		dst = append(dst, 0)
	}
	return dst
}

// appendLevels adds the definition levels of a page, behind their length.
func appendLevels(dst []byte, levels []byte) []byte {
	begin := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	if same(levels) {
		dst = appendRun(dst, levels[0], len(levels))
	} else {
		dst = appendPacked(dst, levels, 1)
	}
	binary.LittleEndian.PutUint32(dst[begin:], uint32(len(dst)-begin-4))
	return dst
}

func same(levels []byte) bool {
	for _, l := range levels {
		if l != levels[0] {
			return false
		}
	}
	return true
}

// appendIDs adds the ids of values in a dictionary of so many entries, behind
// the width of an id.
func appendIDs(dst []byte, ids []uint32, entries int) []byte {
	width := max(1, bits.Len(uint(entries-1)))
	return appendPacked(append(dst, byte(width)), ids, width)
}

func appendNumbers(dst []byte, numbers []int64) []byte {
	for _, n := range numbers {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(n))
	}
	return dst
}
