package warehouse

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// condition bounds a column: its value lies in one of the ranges.
type condition struct {
	of     string // the source's alias, or ""
	column string // lower case
	day    bool   // the column is inside of date(…)
	ranges []span
}

// span is a range of microseconds or of whole numbers: from ≤ value < to.
type span struct{ from, to int64 }

// conditions are those that hold for every row of a WHERE clause. Only constants count, as in BigQuery.
func conditions(where []token) []condition {
	var found []condition
	if len(splitAt(where, "OR")) > 1 {
		return nil
	}
	parts := splitAt(where, "AND")
	for i := 0; i < len(parts); i++ {
		part := parts[i]
		for isGroup(part) {
			part = part[1 : len(part)-1]
		}
		if between := splitAt(part, "BETWEEN"); len(between) == 2 && i+1 < len(parts) {
			c, known := columnOf(between[0])
			low, fine := constant(between[1])
			high, well := constant(parts[i+1])
			if i++; known && fine && well {
				c.ranges = []span{{low.value, upTo(high, c.day)}}
				found = append(found, c)
			}
			continue
		}
		if len(splitAt(part, "AND")) > 1 || len(splitAt(part, "OR")) > 1 {
			found = append(found, conditions(part)...)
			continue
		}
		if c, ok := comparison(part); ok {
			found = append(found, c)
		}
	}
	return found
}

// comparison reads column = constant, the reverse, and column IN (constants).
func comparison(tokens []token) (condition, bool) {
	if in := splitAt(tokens, "IN"); len(in) == 2 && isGroup(in[1]) {
		c, ok := columnOf(in[0])
		for _, item := range splitAt(in[1][1:len(in[1])-1], ",") {
			v, fine := constant(item)
			if !fine {
				return c, false
			}
			c.ranges = append(c.ranges, span{v.value, upTo(v, c.day)})
		}
		return c, ok
	}
	for i, t := range tokens {
		if t.text == "(" || i == 0 || t.kind != punctuation || !strings.Contains("<>=", t.text) {
			continue
		}
		sign, right := t.text, i+1
		if right < len(tokens) && strings.Contains("<>=", tokens[right].text) && tokens[right].start == t.end {
			sign, right = sign+tokens[right].text, right+1
		}
		c, ok := columnOf(tokens[:i])
		v, fine := constant(tokens[right:])
		if !ok || !fine {
			c, ok = columnOf(tokens[right:])
			v, fine = constant(tokens[:i])
			sign = strings.NewReplacer("<", ">", ">", "<").Replace(sign)
		}
		if !ok || !fine {
			return c, false
		}
		bound := span{math.MinInt64, math.MaxInt64}
		switch sign {
		case "=":
			bound.from, bound.to = v.value, upTo(v, c.day)
		case "<":
			bound.to = v.value
		case "<=":
			bound.to = upTo(v, c.day)
		case ">":
			v.maybe = false
			bound.from = upTo(v, c.day)
		case ">=":
			bound.from = v.value
		default:
			return c, false
		}
		c.ranges = []span{bound}
		return c, true
	}
	return condition{}, false
}

// upTo is the first value beyond a constant: beyond the day when days are compared.
func upTo(v value, day bool) int64 {
	if day || v.day || v.maybe {
		return v.value + (24 * time.Hour).Microseconds()
	}
	return v.value + 1
}

// columnOf reads a column, or date(column).
func columnOf(tokens []token) (condition, bool) {
	var c condition
	if len(tokens) > 3 && tokens[0].keyword() == "DATE" && isGroup(tokens[1:]) {
		c.day, tokens = true, tokens[2:len(tokens)-1]
	}
	if c.column = plainColumn(tokens); c.column == "" || constantName(c.column) {
		return c, false
	}
	if first := c.column[0]; first >= '0' && first <= '9' {
		return c, false
	}
	if len(tokens) == 3 {
		c.of = strings.Trim(tokens[0].text, "`")
	}
	return c, true
}

func constantName(name string) bool { return strings.HasPrefix(name, "current_") || name == "null" }

// keeps says whether a partition that begins and ends so may have rows that meet the condition.
func (c condition) keeps(from, to int64) bool {
	for _, s := range c.ranges {
		if s.from < to && s.to > from {
			return true
		}
	}
	return false
}

// covers says whether the condition holds for all rows of a partition that begins and ends so.
func (c condition) covers(from, to int64) bool {
	return slices.ContainsFunc(c.ranges, func(s span) bool { return s.from <= from && to <= s.to })
}

// value is a constant: microseconds since 1970, of a date those of its midnight, or a whole number.
type value struct {
	value int64
	day   bool // a date
	maybe bool // a text that is a date if it is compared with one
}

// constant computes an expression of literals, as far as conditions on partitions need them.
func constant(tokens []token) (value, bool) {
	for isGroup(tokens) {
		tokens = tokens[1 : len(tokens)-1]
	}
	if terms := splitAt(tokens, "-"); len(terms) == 2 && len(terms[0]) > 0 {
		return combined(terms, func(a, b int64) int64 { return a - b })
	}
	if terms := splitAt(tokens, "+"); len(terms) == 2 && len(terms[0]) > 0 {
		return combined(terms, func(a, b int64) int64 { return a + b })
	}
	if factors := splitAt(tokens, "*"); len(factors) == 2 {
		return combined(factors, func(a, b int64) int64 { return a * b })
	}
	switch {
	case len(tokens) == 1 && tokens[0].kind == literal:
		return moments(unquoted(tokens[0].text), "")
	case len(tokens) == 1 || len(tokens) == 3 && isGroup(tokens[1:]) && constantName(strings.ToLower(tokens[0].text)):
		switch name := tokens[0].keyword(); name {
		case "CURRENT_TIMESTAMP":
			return value{value: time.Now().UnixMicro()}, true
		case "CURRENT_DATE":
			return value{value: time.Now().UTC().Truncate(24 * time.Hour).UnixMicro(), day: true}, true
		default:
			n, err := strconv.ParseInt(name, 10, 64)
			return value{value: n}, err == nil
		}
	case len(tokens) == 2 && tokens[0].text == "-":
		n, ok := constant(tokens[1:])
		return value{value: -n.value}, ok
	case len(tokens) == 2 && tokens[1].kind == literal:
		return moments(unquoted(tokens[1].text), tokens[0].keyword())
	case len(tokens) > 2 && isGroup(tokens[1:]):
		return called(tokens[0].keyword(), splitAt(tokens[2:len(tokens)-1], ","))
	}
	return value{}, false
}

func combined(terms [][]token, of func(a, b int64) int64) (value, bool) {
	a, fine := constant(terms[0])
	b, well := constant(terms[1])
	return value{value: of(a.value, b.value)}, fine && well && !a.day && !b.day
}

// called computes a function of constants.
func called(name string, arguments [][]token) (value, bool) {
	if len(arguments) == 0 {
		return value{}, false
	}
	v, ok := constant(arguments[0])
	switch name {
	case "TIMESTAMP_MICROS":
		return v, ok
	case "TIMESTAMP_MILLIS":
		return value{value: v.value * 1e3}, ok
	case "TIMESTAMP_SECONDS":
		return value{value: v.value * 1e6}, ok
	case "TIMESTAMP", "DATETIME":
		return value{value: v.value}, ok && len(arguments) == 1
	case "DATE":
		return value{value: v.value - mod(v.value, (24*time.Hour).Microseconds()), day: true}, ok && len(arguments) == 1
	case "TIMESTAMP_ADD", "DATE_ADD", "DATETIME_ADD":
		d, fine := interval(arguments[1:])
		return value{v.value + d, v.day, v.maybe}, ok && fine
	case "TIMESTAMP_SUB", "DATE_SUB", "DATETIME_SUB":
		d, fine := interval(arguments[1:])
		return value{v.value - d, v.day, v.maybe}, ok && fine
	}
	return value{}, false
}

func mod(a, b int64) int64 { return (a%b + b) % b }

// interval reads INTERVAL n UNIT of a fixed length.
func interval(arguments [][]token) (int64, bool) {
	if len(arguments) != 1 || len(arguments[0]) < 3 || arguments[0][0].keyword() != "INTERVAL" {
		return 0, false
	}
	tokens := arguments[0]
	n, ok := constant(tokens[1 : len(tokens)-1])
	units := map[string]time.Duration{
		"MICROSECOND": time.Microsecond, "MILLISECOND": time.Millisecond, "SECOND": time.Second, "MINUTE": time.Minute,
		"HOUR": time.Hour, "DAY": 24 * time.Hour, "WEEK": 7 * 24 * time.Hour,
	}
	unit, known := units[tokens[len(tokens)-1].keyword()]
	return n.value * unit.Microseconds(), ok && known
}

// moments reads the text of a DATE, DATETIME or TIMESTAMP, which "" leaves open.
func moments(text, kind string) (value, bool) {
	m := moment.FindStringSubmatch(text)
	if m == nil || m[1] == "" || kind != "" && kind != "DATE" && kind != "DATETIME" && kind != "TIMESTAMP" {
		return value{}, false
	}
	normal, err := momentLiteral("TIMESTAMP", text)
	if err != nil {
		return value{}, false
	}
	at, err := time.Parse("2006-01-02 15:04:05.000000", strings.TrimSuffix(strings.TrimPrefix(normal, "TIMESTAMP '"), "+00'"))
	return value{at.UnixMicro(), kind == "DATE", kind == "" && m[4] == ""}, err == nil
}

// unquoted is the content of a string literal without escapes.
func unquoted(text string) string { return strings.Trim(text, `rRbB'"`) }
