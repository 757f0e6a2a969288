package event

import (
	"encoding/binary"
	"math/bits"
)

// Texts are looked at eight bytes at a time where that is possible.

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// wordAt returns the eight bytes at a position, the first one lowest, and zeros
// for those behind the end. The data has eight bytes at least.
func wordAt(data []byte, at int) uint64 {
	if at <= len(data)-8 {
		return binary.LittleEndian.Uint64(data[at:])
	}
	return binary.LittleEndian.Uint64(data[len(data)-8:]) >> (8 * (at + 8 - len(data)))
}

// wordOf returns the first eight bytes of a text, as wordAt does.
func wordOf(text []byte) uint64 {
	var data [8]byte
	copy(data[:], text)
	return binary.LittleEndian.Uint64(data[:])
}

// isASCII reports whether no byte is above 0x7f. Such a text is UTF-8.
func isASCII(text []byte) bool {
	for ; len(text) >= 32; text = text[32:] {
		if (binary.LittleEndian.Uint64(text)|binary.LittleEndian.Uint64(text[8:])|
			binary.LittleEndian.Uint64(text[16:])|binary.LittleEndian.Uint64(text[24:]))&highs != 0 {
			return false
		}
	}
	for ; len(text) >= 8; text = text[8:] {
		if binary.LittleEndian.Uint64(text)&highs != 0 {
			return false
		}
	}
	for _, c := range text {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// plainUntil returns a position up to which all bytes from start on stand for
// themselves within a string: the first that does not, or one with less than
// eight bytes behind it.
func plainUntil(data []byte, start int) int {
	for at := start; ; at += 8 {
		if at+8 > len(data) {
			return at
		}
		word := binary.LittleEndian.Uint64(data[at:])
		if found := special(word); found != 0 {
			return at + bits.TrailingZeros64(found)/8
		}
	}
}

// special returns a word of which the lowest bit that is set is in the first
// byte that is a quotation mark, a backslash or below a blank; 0 for none. The
// bits above it say nothing.
func special(word uint64) uint64 {
	quote, backslash := word^('"'*ones), word^('\\'*ones)
	// A byte is 0 where it borrows from above itself and was not above 0x7f.
	return ((quote-ones)&^quote | (backslash-ones)&^backslash | (word-' '*ones)&^word) & highs
}
