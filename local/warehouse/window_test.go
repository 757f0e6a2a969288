package warehouse

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cloud.google.com/go/bigquery"
)

// orderedTypes are BigQuery's types that have an order, with values that stand
// in this order: among them those whose encoded texts are ordered otherwise,
// such as negative numbers, times before 1970 and numbers of other lengths.
var orderedTypes = []struct {
	name   string
	values []string
}{
	{"int64", []string{"-9223372036854775807", "-20", "-3", "0", "7", "10", "9223372036854775807"}},
	{"float64", []string{"-1e300", "-10.0", "-2.5", "0.0", "0.25", "1.5", "1e10"}},
	{"bool", []string{"false", "true"}},
	{"string", []string{"''", "'A'", "'Zebra'", "'a'", "'ab'", "'b'", "'é'", "'\U0001F600'"}},
	{"bytes", []string{"b''", "b'A'", "b'ab'", "b'b'", `b'\x7f'`, `b'\x80'`, `b'\xff\x00'`}},
	{"numeric", []string{
		"numeric '-99999999999999999999'", "numeric '-10'", "numeric '-9.5'", "numeric '0'", "numeric '0.000000001'", "numeric '9'", "numeric '10.25'",
	}},
	{"bignumeric", []string{
		"bignumeric '-100'", "bignumeric '-20'", "bignumeric '0'", "bignumeric '1e-30'", "bignumeric '3'", "bignumeric '20'",
	}},
	{"date", []string{"date '0001-01-01'", "date '1969-12-31'", "date '1970-01-01'", "date '2026-02-28'", "date '2026-11-28'", "date '9999-12-31'"}},
	{"datetime", []string{
		"datetime '0987-01-01 00:00:00'", "datetime '1969-12-31 23:59:59.5'", "datetime '2026-02-28 09:00:00'", "datetime '2026-02-28 09:00:00.000001'",
		"datetime '2026-02-28 10:00:00'",
	}},
	{"time", []string{"time '00:00:00'", "time '09:59:59.999999'", "time '10:00:00'", "time '10:00:00.5'", "time '23:00:00'"}},
	{"timestamp", []string{
		"timestamp '0001-01-01 00:00:00+00'", "timestamp '1938-01-01 00:00:00+00'", "timestamp '1969-12-31 23:59:59.999999+00'",
		"timestamp '1970-01-01 00:00:00+00'", "timestamp '1970-01-01 00:00:00.00001+00'", "timestamp '2001-09-09 01:46:39+00'",
		"timestamp '2001-09-09 01:46:40+00'", "timestamp '2026-11-28 12:00:00+02'",
	}},
}

// placed is a row of a table of one type: the value is its place in the type's
// list, or -1 for NULL.
type placed struct{ id, part, value int }

// placedRows makes rows with NULLs, and with values that several rows have.
func placedRows(random *rand.Rand, values int) []placed {
	rows := make([]placed, 36)
	for i := range rows {
		rows[i] = placed{i, random.IntN(3) - 1, random.IntN(values+1) - 1}
	}
	return rows
}

// bounds say which rows of a sorted partition are in the frame of the row at i.
type bounds func(rows []placed, i int) (from, to int) // half open

// rowFrames are over rows by value and id, so that no two are alike.
var rowFrames = map[string]bounds{
	"rows between unbounded preceding and current row":         func(_ []placed, i int) (int, int) { return 0, i + 1 },
	"rows between 2 preceding and 1 following":                 func(_ []placed, i int) (int, int) { return i - 2, i + 2 },
	"rows between 3 preceding and 2 preceding":                 func(_ []placed, i int) (int, int) { return i - 3, i - 1 },
	"rows between 1 following and 3 following":                 func(_ []placed, i int) (int, int) { return i + 1, i + 4 },
	"rows between current row and unbounded following":         func(rows []placed, i int) (int, int) { return i, len(rows) },
	"rows between unbounded preceding and unbounded following": func(rows []placed, _ int) (int, int) { return 0, len(rows) },
}

// rangeFrames are over rows by value alone.
var rangeFrames = map[string]bounds{
	"": func(rows []placed, i int) (int, int) { return 0, lastPeer(rows, i) + 1 },
	"range between current row and unbounded following": func(rows []placed, i int) (int, int) { return firstPeer(rows, i), len(rows) },
	"range between current row and current row":         func(rows []placed, i int) (int, int) { return firstPeer(rows, i), lastPeer(rows, i) + 1 },
}

func firstPeer(rows []placed, i int) int {
	for i > 0 && rows[i-1].value == rows[i].value {
		i--
	}
	return i
}

func lastPeer(rows []placed, i int) int {
	for i+1 < len(rows) && rows[i+1].value == rows[i].value {
		i++
	}
	return i
}

// framed is a frame's values: places, or -1 for NULL.
type framed []int

func (f framed) known() framed {
	return slices.DeleteFunc(slices.Clone(f), func(v int) bool { return v < 0 })
}

func (f framed) distinct() framed {
	known := f.known()
	slices.Sort(known)
	return slices.Compact(known)
}

// at is the value at i as the table shows it, or NULL outside of the frame.
func (f framed) at(i int, shown []string) string {
	if i < 0 || i >= len(f) || f[i] < 0 {
		return "NULL"
	}
	return shown[f[i]]
}

// ofAny says of a frame that has no rows NULL.
func (f framed) ofAny(value any) string {
	if len(f) == 0 {
		return "NULL"
	}
	return fmt.Sprint(value)
}

// overFrames are functions whose result the frame decides. The window is in
// place of OVER, or at the end.
var overFrames = map[string]func(f framed, shown []string) string{
	"max(v)":   func(f framed, shown []string) string { return f.distinct().at(len(f.distinct())-1, shown) },
	"min(v)":   func(f framed, shown []string) string { return f.distinct().at(0, shown) },
	"count(v)": func(f framed, _ []string) string { return strconv.Itoa(len(f.known())) },
	"count(*)": func(f framed, _ []string) string { return strconv.Itoa(len(f)) },
	"countif(v is null)": func(f framed, _ []string) string {
		return strconv.Itoa(len(f) - len(f.known()))
	},
	"logical_or(v is null)": func(f framed, _ []string) string { return f.ofAny(len(f.known()) < len(f)) },
	"logical_and(nullif(v is null, true))": func(f framed, _ []string) string {
		return f.known().ofAny(false)
	},
	"bit_xor(if(v is null, null, 1))": func(f framed, _ []string) string { return f.known().ofAny(len(f.known()) % 2) },
	"sum(if(v is null, null, 3))":     func(f framed, _ []string) string { return f.known().ofAny(3 * len(f.known())) },
	"sum(if(v is null, null, numeric '0.5'))": func(f framed, _ []string) string {
		return f.known().ofAny(float64(len(f.known())) / 2)
	},
	"string_agg(if(v is null, null, 'x'), '')": func(f framed, _ []string) string { return f.known().ofAny(strings.Repeat("x", len(f.known()))) },
	"array_length(array_agg(v) OVER)":          func(f framed, _ []string) string { return f.ofAny(len(f)) },
	"array_to_string(array_agg(if(v is null, 'n', 'v')) OVER, '')": func(f framed, _ []string) string {
		texts := make([]string, len(f))
		for i, v := range f {
			texts[i] = map[bool]string{true: "n", false: "v"}[v < 0]
		}
		return f.ofAny(strings.Join(texts, ""))
	},
}

// overParts are functions of a partition without an order.
var overParts = map[string]func(f framed, shown []string) string{
	"max(distinct v)":   func(f framed, shown []string) string { return f.distinct().at(len(f.distinct())-1, shown) },
	"min(v)":            func(f framed, shown []string) string { return f.distinct().at(0, shown) },
	"count(distinct v)": func(f framed, _ []string) string { return strconv.Itoa(len(f.distinct())) },
	"array_length(array_agg(distinct v ignore nulls) OVER)": func(f framed, _ []string) string {
		return f.known().ofAny(len(f.distinct()))
	},
	"percentile_disc(v, 0)":     func(f framed, shown []string) string { return f.distinct().at(0, shown) },
	"percentile_disc(v, 1)":     func(f framed, shown []string) string { return f.distinct().at(len(f.distinct())-1, shown) },
	"any_value(v) OVER is null": func(f framed, _ []string) string { return strconv.FormatBool(len(f.known()) == 0) },
}

// overRows are functions that look at certain rows: at those of the frame, or
// of the partition.
var overRows = map[string]func(f framed, shown []string) string{
	"first_value(v)":  func(f framed, shown []string) string { return f.at(0, shown) },
	"last_value(v)":   func(f framed, shown []string) string { return f.at(len(f)-1, shown) },
	"nth_value(v, 2)": func(f framed, shown []string) string { return f.at(1, shown) },
}

// overPartitions are functions of the row at i of a partition by value and id.
var overPartitions = map[string]func(all framed, i int, shown []string) string{
	"lag(v)":       func(all framed, i int, shown []string) string { return all.at(i-1, shown) },
	"lead(v, 2)":   func(all framed, i int, shown []string) string { return all.at(i+2, shown) },
	"row_number()": func(_ framed, i int, _ []string) string { return strconv.Itoa(i + 1) },
	"ntile(2)": func(all framed, i int, _ []string) string {
		if i < (len(all)+1)/2 {
			return "1"
		}
		return "2"
	},
}

// overPeers are functions of the row at i of a partition by value.
var overPeers = map[string]func(rows []placed, i int) string{
	"rank()": func(rows []placed, i int) string { return strconv.Itoa(firstPeer(rows, i) + 1) },
	"dense_rank()": func(rows []placed, i int) string {
		rank := 1
		for at := range i {
			if rows[at].value != rows[at+1].value {
				rank++
			}
		}
		return strconv.Itoa(rank)
	},
	"percent_rank()": func(rows []placed, i int) string {
		if len(rows) == 1 {
			return "0"
		}
		return showFloat(float64(firstPeer(rows, i)) / float64(len(rows)-1))
	},
	"cume_dist()": func(rows []placed, i int) string { return showFloat(float64(lastPeer(rows, i)+1) / float64(len(rows))) },
}

// ofOneType are functions over frames that do not look at the values' type.
func ofOneType(call string) bool {
	return !strings.Contains(call, "(v)") && !strings.Contains(call, "(v,") && !strings.Contains(call, "rank()")
}

// windowed are the functions over a table, and for each row what they must be.
type windowed struct {
	typ   string
	rows  []placed
	shown []string // what each value is in a result
	calls []string
	want  []map[int]string // by id
}

// add takes a call over a window.
func (w *windowed) add(call, over string, parted, byID, descending bool, want func(rows []placed, i int) string) {
	if ofOneType(call) && w.typ != "timestamp" {
		return
	}
	key := "v"
	if descending {
		key += " desc"
	}
	if byID {
		key += ", id"
	}
	partition := ""
	if parted {
		partition = "partition by part "
	}
	answers := map[int]string{}
	for part := range 4 {
		rows := slices.DeleteFunc(slices.Clone(w.rows), func(r placed) bool { return parted != (part < 3) || parted && r.part != part-1 })
		slices.SortFunc(rows, func(a, b placed) int {
			order := a.value - b.value
			if descending {
				order = -order
			}
			if order == 0 {
				order = a.id - b.id
			}
			return order
		})
		for i, row := range rows {
			answers[row.id] = want(rows, i)
		}
	}
	w.calls = append(w.calls, overWindow(call, partition+"order by "+key+" "+over))
	w.want = append(w.want, answers)
}

// overWindow puts a window where the call has it.
func overWindow(call, window string) string {
	if !strings.Contains(call, "OVER") {
		call += " OVER"
	}
	return strings.Replace(call, "OVER", "over ("+window+")", 1)
}

func valuesOf(rows []placed) framed {
	values := make(framed, len(rows))
	for i, row := range rows {
		values[i] = row.value
	}
	return values
}

func within(rows []placed, i int, b bounds) framed {
	from, to := b(rows, i)
	from, to = max(from, 0), min(to, len(rows))
	if from >= to {
		return nil
	}
	return valuesOf(rows[from:to])
}

// addParts takes the functions of partitions without an order.
func (w *windowed) addParts() {
	for call, want := range overParts {
		answers := map[int]string{}
		for part := -1; part < 2; part++ {
			rows := slices.DeleteFunc(slices.Clone(w.rows), func(r placed) bool { return r.part != part })
			for _, row := range rows {
				answers[row.id] = want(valuesOf(rows), w.shown)
			}
		}
		w.calls = append(w.calls, overWindow(call, "partition by part"))
		w.want = append(w.want, answers)
	}
}

// fill adds all functions over all frames.
func (w *windowed) fill() {
	w.addParts()
	for _, variant := range []struct{ parted, descending bool }{{false, false}, {true, true}} {
		for over, b := range rowFrames {
			for call, want := range overFrames {
				w.add(call, over, variant.parted, true, variant.descending, func(rows []placed, i int) string { return want(within(rows, i, b), w.shown) })
			}
			for call, want := range overRows {
				w.add(call, over, variant.parted, true, variant.descending, func(rows []placed, i int) string { return want(within(rows, i, b), w.shown) })
			}
		}
		for over, b := range rangeFrames {
			for call, want := range overFrames {
				w.add(call, over, variant.parted, false, variant.descending, func(rows []placed, i int) string { return want(within(rows, i, b), w.shown) })
			}
		}
		for call, want := range overPartitions {
			w.add(call, "", variant.parted, true, variant.descending, func(rows []placed, i int) string { return want(valuesOf(rows), i, w.shown) })
		}
		for call, want := range overPeers {
			w.add(call, "", variant.parted, false, variant.descending, want)
		}
	}
}

// TestProperties_OfWindows holds each function with OVER, over values of each
// type and frames of each kind, to what this test counts itself.
func TestProperties_OfWindows(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, "create schema s")
	random := rand.New(rand.NewPCG(7, 8))
	for _, typ := range orderedTypes {
		t.Run(typ.name, func(t *testing.T) {
			tested := windowed{typ: typ.name, rows: placedRows(random, len(typ.values)), shown: showAll(run(t, client, "select "+strings.Join(typ.values, ", "))[0])}
			literals := make([]string, len(tested.rows))
			for i, row := range tested.rows {
				literal := "null"
				if row.value >= 0 {
					literal = typ.values[row.value]
				}
				part := "null"
				if row.part >= 0 {
					part = typ.values[row.part]
				}
				parted := typ.name
				if parted == "float64" { // which partitions nothing
					parted = "bignumeric"
				}
				literals[i] = fmt.Sprintf("struct(%d as id, cast(%s as %s) as part, cast(%s as %s) as v)", row.id, part, parted, literal, typ.name)
			}
			run(t, client, "create table s."+typ.name+"_rows as select * from unnest(["+strings.Join(literals, ", ")+"])")
			tested.fill()
			tested.hold(t, client, "s."+typ.name+"_rows")
		})
	}
}

// hold compares the answers.
func (w *windowed) hold(t *testing.T, client *bigquery.Client, table string) {
	t.Helper()
	const most = 60 // in one statement
	for from := 0; from < len(w.calls); from += most {
		calls := w.calls[from:min(from+most, len(w.calls))]
		list := make([]string, len(calls))
		for i, call := range calls {
			list[i] = fmt.Sprintf("%s as r%d", call, i)
		}
		rows, err := tryRun(t.Context(), client, "select id, "+strings.Join(list, ", ")+" from "+table)
		if err != nil {
			w.alone(t, client, table, calls)
			continue
		}
		for _, got := range rows {
			id := int(got[0].(int64))
			for i, call := range calls {
				if want := w.want[from+i][id]; show(got[i+1]) != want {
					t.Errorf("row %d: %s is %s, want %s", id, call, show(got[i+1]), want)
				}
			}
		}
	}
}

// alone runs calls of which one failed, to name it.
func (w *windowed) alone(t *testing.T, client *bigquery.Client, table string, calls []string) {
	t.Helper()
	for _, call := range calls {
		if _, err := tryRun(t.Context(), client, "select "+call+" from "+table); err != nil {
			t.Errorf("%s: %v", call, err)
		}
	}
}
