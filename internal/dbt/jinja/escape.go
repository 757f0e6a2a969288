package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// unescape reads the inside of a string as Python does: what no escape
// begins with keeps its backslash.
func unescape(text string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(text); {
		if text[i] != '\\' || i+1 == len(text) {
			_, size := utf8.DecodeRuneInString(text[i:])
			out.WriteString(text[i : i+size])
			i += size
			continue
		}
		n, err := escapeAt(text[i+1:], &out)
		if err != nil {
			return "", err
		}
		i += 1 + n
	}
	return out.String(), nil
}

var simpleEscapes = map[byte]string{
	'\n': "", '\\': `\`, '\'': "'", '"': `"`, 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

// escapeAt writes what the text behind a backslash means, and returns how much
// of it that is.
func escapeAt(rest string, out *strings.Builder) (int, error) {
	if simple, ok := simpleEscapes[rest[0]]; ok {
		out.WriteString(simple)
		return 1, nil
	}
	digits, base := map[byte]int{'x': 2, 'u': 4, 'U': 8}[rest[0]], 16
	from := 1
	switch {
	case rest[0] == 'N':
		return 0, fmt.Errorf(`\N{…} in a string is not supported: write the character`)
	case digits == 0 && rest[0] >= '0' && rest[0] <= '7':
		from, base = 0, 8
		for digits < 3 && digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '7' {
			digits++
		}
	case digits == 0:
		out.WriteByte('\\')
		return 0, nil
	}
	if len(rest) < from+digits {
		return 0, fmt.Errorf(`the escape \%s is cut off`, rest)
	}
	number, err := strconv.ParseUint(rest[from:from+digits], base, 32)
	if err != nil || number > unicode.MaxRune || number >= 0xd800 && number < 0xe000 {
		return 0, fmt.Errorf(`\%s is not a character`, rest[:from+digits])
	}
	out.WriteRune(rune(number))
	return from + digits, nil
}

// quoted is a string as Python shows it in a list.
func quoted(text string) string {
	quote := byte('\'')
	if strings.Contains(text, "'") && !strings.Contains(text, `"`) {
		quote = '"'
	}
	var out strings.Builder
	out.WriteByte(quote)
	for _, r := range text {
		switch {
		case r == rune(quote) || r == '\\':
			out.WriteByte('\\')
			out.WriteRune(r)
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\r':
			out.WriteString(`\r`)
		case r == '\t':
			out.WriteString(`\t`)
		case unicode.IsPrint(r):
			out.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&out, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			fmt.Fprintf(&out, `\U%08x`, r)
		}
	}
	out.WriteByte(quote)
	return out.String()
}

// floatText is a float as Python prints it.
func floatText(f float64) string {
	text := strconv.FormatFloat(f, 'e', -1, 64)
	switch text {
	case "NaN":
		return "nan"
	case "+Inf":
		return "inf"
	case "-Inf":
		return "-inf"
	}
	mantissa, power, _ := strings.Cut(text, "e")
	if n, _ := strconv.Atoi(power); n >= -4 && n < 16 {
		text = strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text
	}
	return mantissa + "e" + power
}
