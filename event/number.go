package event

import "strconv"

// maxExponent bounds an exponent while it is read. No value of a record is
// long enough to bring a number with a larger one back into a type's range.
const maxExponent = 1 << 40

// parseInt returns the exact value of a JSON number. It is whole when the
// number has no fractional part, however it is written, and fits when it is
// also within int64; n is valid only if both hold. The time it takes depends
// on the length of the text, not on the number's size.
func parseInt(text []byte) (n int64, whole, fits bool) {
	digits := text
	negative := digits[0] == '-'
	if negative {
		digits = digits[1:]
	}
	if len(digits) <= 18 {
		n = 0
		for _, c := range digits {
			if !isDigit(c) {
				return parseScaled(digits, negative)
			}
			n = n*10 + int64(c-'0')
		}
		if negative {
			n = -n
		}
		return n, true, true
	}
	return parseScaled(digits, negative)
}

// parseScaled is parseInt for a number with a fraction, an exponent or many
// digits. It strips the zeros at both ends of the digits, so that the number
// is mantissa · 10^exponent with a mantissa that is not a multiple of ten.
func parseScaled(text []byte, negative bool) (n int64, whole, fits bool) {
	var mantissa uint64
	var count, exponent, zeros int64 // digits in mantissa; zeros seen since its last digit
	large, fraction := false, false
	for i, c := range text {
		if c == '.' {
			fraction = true
			continue
		}
		if !isDigit(c) {
			exponent += parseExponent(text[i+1:])
			break
		}
		if fraction {
			exponent--
		}
		if c == '0' {
			if count > 0 {
				zeros++
			}
			continue
		}
		count += zeros + 1
		if large = large || count > 19; !large {
			mantissa = mantissa*tens[zeros+1] + uint64(c-'0')
		}
		zeros = 0
	}
	if count == 0 {
		return 0, true, true
	}
	exponent += zeros
	if exponent < 0 {
		return 0, false, false
	}
	if large || count+exponent > 19 {
		return 0, true, false
	}
	magnitude := mantissa * tens[exponent]
	switch {
	case negative && magnitude <= 1<<63:
		return -int64(magnitude), true, true
	case !negative && magnitude < 1<<63:
		return int64(magnitude), true, true
	}
	return 0, true, false
}

// parseExponent reads what follows a number's e, bounded by maxExponent.
func parseExponent(text []byte) int64 {
	negative := text[0] == '-'
	if negative || text[0] == '+' {
		text = text[1:]
	}
	var n int64
	for _, c := range text {
		n = min(n*10+int64(c-'0'), maxExponent)
	}
	if negative {
		return -n
	}
	return n
}

// tens[n] is 10^n.
var tens = func() (t [20]uint64) {
	t[0] = 1
	for i := range t[1:] {
		t[i+1] = 10 * t[i]
	}
	return t
}()

// parseFloat returns the float64 nearest to a JSON number; fits is false for
// a number beyond the largest of them.
func parseFloat(text []byte) (f float64, fits bool) {
	if f, ok := parseShortFloat(text); ok {
		return f, true
	}
	f, err := strconv.ParseFloat(string(text), 64)
	return f, err == nil
}

// parseShortFloat reads a number of at most 16 digits, or 15 and a point,
// without an exponent. 15 digits and the powers of ten up to 10^22 are exact in
// a float64, so that their quotient is the nearest one too (Clinger, How to
// read floating point numbers accurately, 1990).
func parseShortFloat(text []byte) (float64, bool) {
	digits := text
	if digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) > 16 {
		return 0, false
	}
	var mantissa, divisor uint64
	for i, c := range digits {
		switch {
		case isDigit(c):
			mantissa = mantissa*10 + uint64(c-'0')
		case c == '.':
			divisor = tens[len(digits)-1-i]
		default:
			return 0, false
		}
	}
	f := float64(mantissa)
	if divisor > 0 {
		f /= float64(divisor)
	}
	if text[0] == '-' {
		f = -f
	}
	return f, true
}
