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
// the width of an id. Where an id comes many times in a row it is written once.
func appendIDs(dst []byte, ids []uint32, entries int) []byte {
	width := max(1, bits.Len(uint(entries-1)))
	dst = append(dst, byte(width))
	packed := 0 // up to there ids are in dst
	for at := 0; at+leastRun <= len(ids); at += 8 {
		end := at + 1
		for end < len(ids) && ids[end] == ids[at] {
			end++
		}
		if end-at < leastRun {
			continue
		}
		if at > packed {
			dst = appendPacked(dst, ids[packed:at], width)
		}
		dst = binary.AppendUvarint(dst, uint64(end-at)<<1)
		for value, size := ids[at], (width+7)/8; size > 0; size-- {
			dst = append(dst, byte(value))
			value >>= 8
		}
		packed, at = end, end-8
	}
	if packed < len(ids) {
		dst = appendPacked(dst, ids[packed:], width)
	}
	return dst
}

// leastRun is the least that is worth a run, in ids. Between runs they are
// packed in groups of eight.
const leastRun = 16

// inOrder reports whether most ids follow the one before, or repeat it: what
// is written of them repeats itself, so that compressing it pays.
func inOrder(ids []uint32) bool {
	count := 0
	for i := 1; i < len(ids); i++ {
		if ids[i]-ids[i-1] <= 1 {
			count++
		}
	}
	return 2*count > len(ids)
}

func appendNumbers(dst []byte, numbers []int64) []byte {
	for _, n := range numbers {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(n))
	}
	return dst
}
