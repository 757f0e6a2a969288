package event

import (
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// This file reads values that are written in the usual way, a word at a time.
// All functions take the position of a value's first byte, in data of at least
// a word, and return the position after its last one. Other values, and bad
// ones, are left to the scanner and the judge: then the position returned is
// failed, which blames nobody.

// quickValue reads the value of a field. What it puts into v is what the judge
// accepts, whose rules it asks. data need not be UTF-8, but what is read is.
func (d *Decoder) quickValue(v *Value, f *field, data []byte, at int) int {
	end := failed
	switch f.Type {
	case String:
		var text []byte
		if f.OneOf != nil {
			text, end = f.wordAt(data, at)
		} else if text, end = textAt(data, at); end >= 0 {
			d.judge.checkText(f, text)
		}
		*v = StringValue(text)
	case Timestamp:
		var micros int64
		if micros, end = d.habit.moments.at(data, at, &d.judge.clock); !d.judge.plausible(micros) {
			return failed
		}
		*v = TimeValue(micros)
	case Int64:
		var n uint64
		if n, end = digitsAt(data, at); end >= 0 {
			d.judge.checkRange(f, float64(n), true, data[at:end])
		}
		*v = IntValue(int64(n))
	case Float64:
		var x float64
		if x, end = decimalAt(data, at); end >= 0 {
			d.judge.checkRange(f, x, true, data[at:end])
		}
		*v = FloatValue(x)
	}
	if d.judge.refused != nil {
		return failed
	}
	return end
}

// textAt reads a string without escapes.
func textAt(data []byte, at int) ([]byte, int) {
	if at >= len(data) || data[at] != '"' {
		return nil, failed
	}
	start := at + 1
	var all uint64 // the bits of all bytes
	for at = start; at < len(data); at += 8 {
		word := wordAt(data, at)
		found := special(word)
		if found == 0 {
			all |= word
			continue
		}
		first := bits.TrailingZeros64(found) &^ 7 // of the bits of the byte that ends the text
		if byte(word>>first) != '"' {
			break
		}
		all |= word & (1<<first - 1)
		at += first / 8
		text := data[start:at:at]
		if all&highs != 0 && !utf8.Valid(text) {
			break
		}
		return text, at + 1
	}
	return nil, failed
}

// A word is a string that a field allows, as JSON has it.
type word struct {
	bits, mask uint64
	length     int // without the quotation marks
}

// wordsOf returns those strings that the field allows and that fit a word.
func (j *Judge) wordsOf(f *field) []word {
	var words []word
	for _, text := range f.OneOf {
		j.refused = nil
		if j.checkText(f, []byte(text)); j.refused != nil {
			continue // by another rule
		}
		quoted := strconv.Quote(text)
		if n := len(text) + 2; len(quoted) == n && n <= 8 && isASCII([]byte(text)) {
			words = append(words, word{wordOf([]byte(quoted)), ^uint64(0) >> (64 - 8*n), len(text)})
		}
	}
	return words
}

// wordAt reads one of the strings that the field allows.
func (f *field) wordAt(data []byte, at int) ([]byte, int) {
	found := wordAt(data, at)
	for i := range f.words {
		if w := &f.words[i]; found&w.mask == w.bits {
			end := at + 1 + w.length
			return data[at+1 : end : end], end + 1
		}
	}
	return nil, failed
}

// maxQuickDigits is how many digits are read at once.
const maxQuickDigits = 7

// digitsAt reads a number that is up to seven digits. That none follows is for
// the caller to see: whatever does is no part of a number.
func digitsAt(data []byte, at int) (n uint64, end int) {
	word := wordAt(data, at)
	n, count := leadingDigits(word)
	if uint(count-1) >= maxQuickDigits || count > 1 && byte(word) == '0' {
		return 0, failed
	}
	return n, at + count
}

// leadingDigits returns the number that the digits are which a word begins
// with, and how many they are. Of eight it does not know whether they are all.
func leadingDigits(word uint64) (n uint64, count int) {
	digits := word ^ '0'*ones
	others := (digits | (digits + (0x80-10)*ones)) & highs // a sum's carry is in a byte behind one that is marked
	count = bits.TrailingZeros64(others) / 8
	digits <<= 64 - 8*count // zeros come to stand before the digits
	const pairs, fours = 0x00ff00ff00ff00ff, 0x0000ffff0000ffff
	n = (digits*10 + digits>>8) & pairs
	n = (n*100 + n>>16) & fours
	n = (n*10_000 + n>>32) & 0xffffffff
	return n, count
}

// powers[n] is 10^n.
var powers = [maxQuickDigits + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7}

// decimalAt reads a number that is up to seven digits and, behind a point, up
// to seven more. Their quotient is exact, as that of parseShortFloat is.
func decimalAt(data []byte, at int) (x float64, end int) {
	whole, end := digitsAt(data, at)
	if end < 0 || end >= len(data) || data[end] != '.' {
		return float64(whole), end
	}
	part, count := leadingDigits(wordAt(data, end+1))
	if uint(count-1) >= maxQuickDigits {
		return 0, failed
	}
	return float64(whole*tens[count]+part) / powers[count], end + 1 + count
}
