package warehouse

import (
	"regexp"
	"strconv"
	"strings"
)

// badCast is the analyzer's complaint about a NULL without a type, which it takes for an INT64: in a set operation or an
// INSERT from a query that other type is not one that it casts to.
var badCast = regexp.MustCompile(`Invalid cast from INT64 to (.+) \[at (\d+):(\d+)\]`)

// typedNull gives the NULL that such a complaint is about its type. ok is false where it is about something else.
func typedNull(sql, complaint string) (typed string, ok bool) {
	m := badCast.FindStringSubmatch(complaint)
	tokens := lex(sql)
	if m == nil || len(splitStatements(tokens)) != 1 {
		return "", false
	}
	line, _ := strconv.Atoi(m[2])
	column, _ := strconv.Atoi(m[3])
	at := offsetOf(sql, line, column)
	for _, t := range tokens {
		if t.start == at && t.keyword() == "NULL" {
			return sql[:at] + "CAST(NULL AS " + m[1] + ")" + sql[t.end:], true
		}
	}
	return "", false
}

// offsetOf is where a line and column are, both from 1, or -1. A tab goes on to the next column after a multiple of eight.
func offsetOf(sql string, line, column int) int {
	start := 0
	for ; line > 1; line-- {
		next := strings.IndexByte(sql[start:], '\n')
		if next < 0 {
			return -1
		}
		start += next + 1
	}
	at := 1
	for i, c := range sql[start:] {
		if at >= column || c == '\n' {
			return start + i
		}
		if at++; c == '\t' {
			at = (at+6)/8*8 + 1
		}
	}
	return -1
}
