package warehouse

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
)

// property is an expression over the columns of a row, and what it must be, computed by this test alone.
type property[T any] struct {
	expression string
	want       func(T) any // nil is NULL; compared as show writes it
}

// holdProperties runs the expressions over the rows, which literal writes as a struct's fields.
func holdProperties[T any](t *testing.T, client *bigquery.Client, rows []T, literal func(T) string, properties []property[T]) {
	t.Helper()
	structs := make([]string, len(rows))
	for i, row := range rows {
		structs[i] = fmt.Sprintf("STRUCT(%d AS i, %s)", i, literal(row))
	}
	table := "s." + strings.ToLower(strings.NewReplacer("/", "_", "#", "_").Replace(t.Name()))
	run(t, client, "CREATE TABLE "+table+" AS SELECT * FROM UNNEST(["+strings.Join(structs, ", ")+"])")
	list := []string{"i"}
	for n, p := range properties {
		list = append(list, fmt.Sprintf("%s AS p%d", p.expression, n))
	}
	for _, got := range run(t, client, "SELECT "+strings.Join(list, ", ")+" FROM "+table+" ORDER BY i") {
		row := rows[got[0].(int64)]
		for n, p := range properties {
			if want := p.want(row); show(got[n+1]) != show(want) {
				t.Errorf("%s of %s is %s, want %s", p.expression, literal(row), show(got[n+1]), show(want))
			}
		}
	}
}

func whole(n *big.Int) any {
	if n.IsInt64() {
		return n.Int64()
	}
	return nil
}

func TestProperties_OfWholeNumbers(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, "create schema s")
	random := rand.New(rand.NewPCG(1, 2))
	edges := []int64{0, 1, -1, 2, 63, 64, math.MaxInt64, math.MinInt64, math.MinInt64 + 1, 1 << 53, 1<<53 + 1, 3037000500}
	pick := func() int64 {
		if random.IntN(2) == 0 {
			return edges[random.IntN(len(edges))]
		}
		return int64(random.Uint64()) >> random.IntN(64)
	}
	type pair struct{ a, b int64 }
	var pairs []pair
	for range 150 {
		pairs = append(pairs, pair{pick(), pick()})
	}
	literal := func(p pair) string {
		return fmt.Sprintf("CAST('%d' AS INT64) AS a, CAST('%d' AS INT64) AS b", p.a, p.b)
	}
	operation := func(f func(z, x, y *big.Int) *big.Int) func(pair) any {
		return func(p pair) any { return whole(f(new(big.Int), big.NewInt(p.a), big.NewInt(p.b))) }
	}
	unlessZero := func(f func(pair) any) func(pair) any {
		return func(p pair) any {
			if p.b == 0 || p.a == math.MinInt64 && p.b == -1 {
				return nil
			}
			return f(p)
		}
	}
	holdProperties(t, client, pairs, literal, []property[pair]{
		{"safe_add(a, b)", operation((*big.Int).Add)},
		{"safe_subtract(a, b)", operation((*big.Int).Sub)},
		{"safe_multiply(a, b)", operation((*big.Int).Mul)},
		{"safe_negate(a)", func(p pair) any { return whole(new(big.Int).Neg(big.NewInt(p.a))) }},
		{"if(a = -9223372036854775808, null, abs(a))", func(p pair) any {
			if p.a == math.MinInt64 {
				return nil
			}
			return max(p.a, -p.a)
		}},
		{"sign(a)", func(p pair) any { return int64(big.NewInt(p.a).Sign()) }},
		{"least(a, b)", func(p pair) any { return min(p.a, p.b) }},
		{"safe.div(a, b)", unlessZero(func(p pair) any { return p.a / p.b })},
		{"if(b = 0 or b = -1, null, mod(a, b))", func(p pair) any {
			if p.b == 0 || p.b == -1 {
				return nil
			}
			return p.a % p.b
		}},
		{"if(b = 0, null, a / b)", func(p pair) any {
			if p.b == 0 {
				return nil
			}
			return float64(p.a) / float64(p.b)
		}},
		{"a = b", func(p pair) any { return p.a == p.b }},
		{"a < b", func(p pair) any { return p.a < p.b }},
		{"a >= b", func(p pair) any { return p.a >= p.b }},
		{"a & b", func(p pair) any { return p.a & p.b }},
		{"a ^ b", func(p pair) any { return p.a ^ p.b }},
		{"if(b between 0 and 100, a >> b, null)", func(p pair) any {
			if p.b < 0 || p.b > 100 {
				return nil
			}
			return int64(uint64(p.a) >> p.b)
		}},
		{"cast(a as string)", func(p pair) any { return strconv.FormatInt(p.a, 10) }},
		{"cast(cast(a as string) as int64)", func(p pair) any { return p.a }},
		{"cast(cast(a as numeric) as int64)", func(p pair) any { return p.a }},
		{"cast(a as float64)", func(p pair) any { return float64(p.a) }},
		{"cast(a as bool)", func(p pair) any { return p.a != 0 }},
		{"greatest(a, b)", func(p pair) any { return max(p.a, p.b) }},
		{"cast(json_value(concat('{\"n\": ', cast(a as string), '}'), '$.n') as int64)", func(p pair) any { return p.a }},
	})
	for _, p := range pairs {
		sum := whole(new(big.Int).Add(big.NewInt(p.a), big.NewInt(p.b)))
		if sum == nil {
			if rows, err := tryRun(t.Context(), client, fmt.Sprintf("select a + b from (select %s)", literal(p))); err == nil {
				t.Errorf("%d + %d is %v, want an error", p.a, p.b, rows)
			}
			break // one is enough: each costs a request
		}
	}
}

func TestProperties_OfTimes(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, "create schema s")
	random := rand.New(rand.NewPCG(3, 4))
	zones := []string{"UTC", "America/Los_Angeles", "Asia/Kolkata", "Australia/Lord_Howe", "Europe/Berlin", "Asia/Tokyo", "-03:30"}
	type row struct {
		a, b time.Time
		zone string
	}
	var rows []row
	for i := range 150 {
		at := time.UnixMicro(random.Int64N(4e15) - 1e15).UTC() // from 1938 to 2065
		other := at.Add(time.Duration(random.Int64N(int64(2000*time.Hour))) - 1000*time.Hour).Truncate(time.Microsecond)
		rows = append(rows, row{at, other, zones[i%len(zones)]})
	}
	const layout = "2006-01-02 15:04:05.999999"
	literal := func(r row) string {
		return fmt.Sprintf("TIMESTAMP '%s+00' AS a, TIMESTAMP '%s+00' AS b, '%s' AS zone", r.a.Format(layout), r.b.Format(layout), r.zone)
	}
	in := func(r row, at time.Time) time.Time {
		if r.zone == "-03:30" {
			return at.In(time.FixedZone("", -3*3600-1800))
		}
		l, err := time.LoadLocation(r.zone)
		if err != nil {
			t.Fatal(err)
		}
		return at.In(l)
	}
	boundaries := func(unit time.Duration) func(row) any { // counts them one by one
		return func(r row) any {
			from, to, sign := r.b, r.a, int64(1)
			if from.After(to) {
				from, to, sign = to, from, -1
			}
			n := int64(0)
			for at := from.Truncate(unit).Add(unit); !at.After(to); at = at.Add(unit) {
				n++
			}
			return sign * n
		}
	}
	holdProperties(t, client, rows, literal, []property[row]{
		{"format_timestamp('%F %H:%M:%E6S', a, zone)", func(r row) any { return in(r, r.a).Format("2006-01-02 15:04:05.000000") }},
		{"string(datetime_trunc(datetime(a, zone), second))", func(r row) any { return in(r, r.a).Format("2006-01-02 15:04:05") }},
		{"cast(extract(hour from a at time zone zone) as string)", func(r row) any { return strconv.Itoa(in(r, r.a).Hour()) }},
		{"cast(date(a, zone) as string)", func(r row) any { return in(r, r.a).Format(time.DateOnly) }},
		{"format_timestamp('%Ez', a, zone)", func(r row) any { return in(r, r.a).Format("-07:00") }},
		{"timestamp(cast(a as string)) = a", func(row) any { return true }},
		{"timestamp(string(a, zone)) = a", func(row) any { return true }},
		{"cast(cast(a as datetime) as timestamp) = a", func(row) any { return true }},
		{"cast(cast(a as date) as string)", func(r row) any { return r.a.Format(time.DateOnly) }},
		{"unix_micros(a)", func(r row) any { return r.a.UnixMicro() }},
		{"a < b", func(r row) any { return r.a.Before(r.b) }},
		{"timestamp_diff(a, b, minute)", func(r row) any { return int64(r.a.Sub(r.b) / time.Minute) }},
		{"datetime_diff(datetime(a), datetime(b), hour)", boundaries(time.Hour)},
		{"date_diff(date(a), date(b), day)", boundaries(24 * time.Hour)},
		{"datetime_diff(datetime(a), datetime(b), day)", boundaries(24 * time.Hour)},
		{"date_diff(date(a), date(b), isoweek)", func(r row) any { // Mondays one by one
			from, to, sign := r.b.Truncate(24*time.Hour), r.a.Truncate(24*time.Hour), int64(1)
			if from.After(to) {
				from, to, sign = to, from, -1
			}
			n := int64(0)
			for day := from.AddDate(0, 0, 1); !day.After(to); day = day.AddDate(0, 0, 1) {
				if day.Weekday() == time.Monday {
					n++
				}
			}
			return sign * n
		}},
		{"extract(quarter from date(a))", func(r row) any { return int64((r.a.Month() + 2) / 3) }},
		{"extract(isoweek from date(a))", func(r row) any { _, week := r.a.ISOWeek(); return int64(week) }},
		{"cast(date_trunc(date(a), month) as string)", func(r row) any { return r.a.Format("2006-01-") + "01" }},
		{"extract(dayofweek from date_trunc(date(a), week(monday)))", func(row) any { return int64(2) }},
		{"a >= '1970-01-01'", func(r row) any { return !r.a.Before(time.Unix(0, 0)) }},
		{"a >= '1970-01-01 00:00:00'", func(r row) any { return !r.a.Before(time.Unix(0, 0)) }},
	})
}

func TestProperties_OfNumbersAndTexts(t *testing.T) {
	w, _ := start(t, "")
	client := restClient(t, w)
	run(t, client, "create schema s")
	random := rand.New(rand.NewPCG(5, 6))
	letters := []rune(`ab%_\.*é"'` + "\n")
	type row struct {
		x    float64
		text string
	}
	var rows []row
	for range 150 {
		x := math.Float64frombits(random.Uint64())
		if random.IntN(2) == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
			x = math.Round(random.NormFloat64()*1e6) / 4
		}
		text := make([]rune, random.IntN(8))
		for i := range text {
			text[i] = letters[random.IntN(len(letters))]
		}
		rows = append(rows, row{x, string(text)})
	}
	literal := func(r row) string {
		return fmt.Sprintf("CAST('%s' AS FLOAT64) AS x, FROM_HEX('%x') AS b, %s AS text",
			strconv.FormatFloat(r.x, 'e', -1, 64), r.text, quote(r.text))
	}
	holdProperties(t, client, rows, literal, []property[row]{
		{"cast(cast(x as string) as float64) = x", func(row) any { return true }},
		{"safe_cast(x as int64)", func(r row) any {
			n, _ := new(big.Float).SetFloat64(math.Round(r.x)).Int(nil)
			return whole(n)
		}},
		{"x < 0", func(r row) any { return r.x < 0 }},
		{"-x", func(r row) any { return -r.x }},
		{"cast(text as bytes) = b", func(row) any { return true }},
		{"cast(b as string) = text", func(row) any { return true }},
		{"safe_convert_bytes_to_string(b)", func(r row) any { return r.text }},
		{"to_hex(b)", func(r row) any { return fmt.Sprintf("%x", r.text) }},
		{"from_base64(to_base64(b)) = b", func(row) any { return true }},
		{"char_length(text)", func(r row) any { return int64(len([]rune(r.text))) }},
		{"byte_length(b)", func(r row) any { return int64(len(r.text)) }},
		{`text like replace(replace(replace(text, '\\', '\\\\'), '%', '\\%'), '_', '\\_')`, func(row) any { return true }},
		{`text like '%a%'`, func(r row) any { return strings.Contains(r.text, "a") }},
		{`b like b'%a%'`, func(r row) any { return strings.Contains(r.text, "a") }},
		{`text like '_'`, func(r row) any { return len([]rune(r.text)) == 1 }},
		{`text like '%\\%%'`, func(r row) any { return strings.Contains(r.text, "%") }},
		{`regexp_contains(text, r'^a')`, func(r row) any { return strings.HasPrefix(r.text, "a") }},
		{`regexp_contains(b, rb'^a')`, func(r row) any { return strings.HasPrefix(r.text, "a") }},
		{`json_value(to_json_string(struct(text as t)), '$.t')`, func(r row) any { return r.text }},
		{`strpos(text, 'b')`, func(r row) any { return int64(strings.IndexRune(string(mapRunes(r.text)), 'b') + 1) }},
		{`instr(text, 'b')`, func(r row) any { return int64(strings.IndexRune(string(mapRunes(r.text)), 'b') + 1) }},
		{`substr(text, 2, 3)`, func(r row) any {
			characters := []rune(r.text)
			return string(characters[min(1, len(characters)):min(4, len(characters))])
		}},
		{`right(text, 2)`, func(r row) any { characters := []rune(r.text); return string(characters[max(0, len(characters)-2):]) }},
		{`rpad(text, 9, 'é')`, func(r row) any { return r.text + strings.Repeat("é", 9-len([]rune(r.text))) }},
		{`array_to_string(split(text, 'a'), 'a') = text`, func(row) any { return true }},
		{`array_length(split(text, 'é'))`, func(r row) any { return int64(strings.Count(r.text, "é") + 1) }},
		{`substr(b, 2)`, func(r row) any { return []byte(r.text)[min(1, len(r.text)):] }},
		{`reverse(reverse(text)) = text`, func(row) any { return true }},
		{`left(text, 2)`, func(r row) any { characters := []rune(r.text); return string(characters[:min(2, len(characters))]) }},
		{`lpad(text, 9, 'é')`, func(r row) any { return strings.Repeat("é", 9-len([]rune(r.text))) + r.text }},
		{`text < 'b'`, func(r row) any { return r.text < "b" }},
		{`upper(text)`, func(r row) any { return strings.ToUpper(r.text) }},
		{`replace(text, 'a', '')`, func(r row) any { return strings.ReplaceAll(r.text, "a", "") }},
	})
}

// mapRunes writes each character as one byte, so that byte positions are character positions.
func mapRunes(text string) []byte {
	var out []byte
	for _, r := range text {
		if r > 127 {
			r = '?'
		}
		out = append(out, byte(r))
	}
	return out
}
