package event

import (
	"bytes"
	"time"
)

// parseZone reads what programs write after the time of day, other than the
// plain offsets of ISO 8601, as seconds east at a local second:
//
//   - suffixes in brackets (RFC 9557): …Z[UTC], …+01:00[Europe/Paris],
//     …[Europe/Paris][u-ca=iso8601]. The offset counts; where there is none the
//     zone does. A suffix that must be understood ([!…]) and is not is refused;
//   - where date and time are spaced, an offset spaced as well, with or without
//     its seconds and the zone's abbreviation: " UTC", " +0100",
//     " +00:00:00", " +0100 CET".
func (c *clock) parseZone(text []byte, local int64, spaced bool) (seconds int64, ok bool) {
	text, zone, ok := cutSuffixes(text)
	switch {
	case !ok:
		return 0, false
	case len(text) == 0:
		return c.offsetIn(zone, local)
	case text[0] != ' ':
		return parseOffset(text)
	case !spaced:
		return 0, false
	}
	text, abbreviation, named := bytes.Cut(text[1:], []byte(" "))
	if named && !isAbbreviation(abbreviation) {
		return 0, false
	}
	if string(text) == "UTC" {
		return 0, !named
	}
	if len(text) == 9 && text[3] == ':' && text[6] == ':' {
		extra := pair(text, 7)
		if seconds, ok = parseOffset(text[:6]); !ok || extra < 0 || extra > 59 {
			return 0, false
		}
		if text[0] == '-' {
			extra = -extra
		}
		return seconds + int64(extra), true
	}
	if len(text) < 3 {
		return 0, false
	}
	return parseOffset(text)
}

// isAbbreviation reports whether a text can stand for a zone: CET, or +0530
// where the zone has no letters.
func isAbbreviation(text []byte) bool {
	for _, c := range text {
		if !(c >= 'A' && c <= 'Z' || isDigit(c) || c == '+' || c == '-') {
			return false
		}
	}
	return len(text) >= 1 && len(text) <= 6
}

// cutSuffixes takes the suffixes in brackets from a text's end and returns the
// zone that the first of them names, if any.
func cutSuffixes(text []byte) (before, zone []byte, ok bool) {
	at := bytes.IndexByte(text, '[')
	if at < 0 {
		return text, nil, true
	}
	before, rest := text[:at], text[at:]
	for first := true; len(rest) > 0; first = false {
		end := bytes.IndexByte(rest, ']')
		if rest[0] != '[' || end < 2 {
			return nil, nil, false
		}
		tag := rest[1:end]
		rest = rest[end+1:]
		critical := tag[0] == '!'
		if critical {
			tag = tag[1:]
		}
		key, _, keyed := bytes.Cut(tag, []byte("="))
		switch {
		case !isTag(tag), critical && keyed && string(key) != "u-ca":
			return nil, nil, false
		case keyed:
		case first:
			zone = tag
		default:
			return nil, nil, false
		}
	}
	return before, zone, true
}

func isTag(text []byte) bool {
	for _, c := range text {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && !isDigit(c) && bytes.IndexByte([]byte("_-+/.:="), c) < 0 {
			return false
		}
	}
	return len(text) > 0
}

// offsetIn returns the offset at a local second in a zone that has a name in
// the IANA database, or that is an offset itself.
func (c *clock) offsetIn(zone []byte, local int64) (seconds int64, ok bool) {
	if len(zone) == 0 {
		return 0, false
	}
	if zone[0] == '+' || zone[0] == '-' {
		return parseOffset(zone)
	}
	other, known := c.others[string(zone)]
	if !known {
		name := string(zone)
		location, err := time.LoadLocation(name)
		if err != nil || name == "Local" {
			return 0, false
		}
		other = &clock{location: location}
		if c.others == nil {
			c.others = map[string]*clock{}
		}
		c.others[name] = other
	}
	return other.offsetAt(local), true
}
