package warehouse

import (
	"fmt"
	"strings"
	"testing"
)

// Values of a type, each of another value: equal is which is the same, and NULL leaves it open.
func TestProperties_OfEquality(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, "create schema s")
	long := strings.Repeat("x", 300)
	for name, literals := range map[string][]string{
		"INT64":     {"0", "1", "-1", "9007199254740992", "9007199254740993"},
		"FLOAT64":   {"0.0", "1.5", "-1.5"},
		"BOOL":      {"true", "false"},
		"STRING":    {"''", "'a'", "'A'", "'ab'", "'ä'", "'a\\u0308'", `'a"b'`, `'a\\b'`, `'<'`, `'\n'`, `'\u2028'`, "'0'", "'2026-03-29'", "'eyJoZWFkZXIi'", "'" + long + "'", "'" + long + "y'"},
		"BYTES":     {"b''", "b'a'", `b'\xff'`, `b'\xff\x00'`},
		"DATE":      {"date '2026-03-29'", "date '2026-03-30'", "date '0001-01-01'", "date '9999-12-31'"},
		"DATETIME":  {"datetime '2026-03-29 02:30:00'", "datetime '2026-03-29T02:30:00.5'", "datetime '2026-03-29 02:30:00.000001'", "datetime '0001-01-01 00:00:00'"},
		"TIME":      {"time '02:30:00'", "time '02:30:00.5'", "time '02:30:00.000001'"},
		"TIMESTAMP": {"timestamp '2026-03-29 02:30:00+00'", "timestamp '2026-03-29 02:30:00+02'", "timestamp '1970-01-01 00:00:00+00'", "timestamp '1969-12-31 23:59:59.999999+00'", "timestamp '1970-01-01 00:00:00.000001+00'"},
		"NUMERIC":   {"numeric '0'", "numeric '1.5'", "numeric '1.05'"},
		"STRUCT":    {"struct('a' as x, 1 as y)", "struct('a' as x, 2 as y)", "struct('b' as x, 1 as y)"},
	} {
		t.Run(name, func(t *testing.T) {
			list := append(literals, "null")
			null := len(literals)
			type pair struct{ a, b int } // places in the list
			var pairs []pair
			for a := range list {
				for b := range list {
					pairs = append(pairs, pair{a, b})
				}
			}
			literal := func(p pair) string { return fmt.Sprintf("%s AS a, %s AS b", list[p.a], list[p.b]) }
			unlessNull := func(same bool) func(pair) any {
				return func(p pair) any {
					if p.a == null || p.b == null {
						return nil
					}
					return (p.a == p.b) == same
				}
			}
			holdProperties(t, client, pairs, literal, []property[pair]{
				{"a = b", unlessNull(true)},
				{"a != b", unlessNull(false)},
				{"a = " + list[0], func(p pair) any { return unlessNull(true)(pair{p.a, 0}) }},
				{"a in (b)", unlessNull(true)},
				{"a not in (b)", unlessNull(false)},
				{"a in (b, " + list[0] + ")", func(p pair) any {
					switch {
					case p.a == null:
						return nil
					case p.a == 0 || p.a == p.b:
						return true
					case p.b == null:
						return nil
					}
					return false
				}},
			})
		})
	}
}
