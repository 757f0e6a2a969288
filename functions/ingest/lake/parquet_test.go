package lake

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/ingest/rows"
	"github.com/stationflow/stationflow/internal/lake/pages"
	"github.com/stationflow/stationflow/internal/vectors"
)

// A file reads as one that the library's own writer made of the same rows: the
// same schema, values, and bounds of columns.
func TestEncode_ReadsAsTheLibrarysOwn(t *testing.T) {
	sizes := []int{0, 1, 2, 7, 8, 9, 127, 128, 129, 1000, 5000}
	for _, table := range rows.Tables() {
		writer := NewParquet(table) // its memory is used for one file after the other
		for seed, n := range sizes {
			random := rand.New(rand.NewPCG(uint64(seed), 7))
			compareWithPlain(t, fmt.Sprintf("%s, %d rows", table.Name, n), writer, randomSet(random, table, n))
		}
	}
}

// Values of megabytes go into pages of their own.
func TestEncode_LargeValues(t *testing.T) {
	table := rows.Quarantine()
	shared, own := randomRows(rand.New(rand.NewPCG(1, 2)), table, 40)
	value := table.Own[rows.Position(table.Columns, "value")]
	for i := range own {
		own[i][value] = bytesValue(nil)
		if i%3 > 0 {
			own[i][value] = bytesValue(bytes.Repeat([]byte{byte(i), 0xff}, i<<14))
		}
	}
	compareWithPlain(t, "large values", NewParquet(table), setOf(table, shared, own))
}

// A file of some of a batch's rows is the one that a batch of these alone has, to
// the byte, and so is that of all.
func TestEncode_SomeRows(t *testing.T) {
	var memory vectors.Memory // of all tables
	for _, table := range rows.Tables() {
		writer := NewParquet(table)
		for seed := range uint64(20) {
			random := rand.New(rand.NewPCG(seed, 8))
			shared, own := randomRows(random, table, 1+random.IntN(700))
			var all rows.Set
			table.Begin(&all, new(batch.Batch), 0, &memory)
			all.Shared = shared
			var picked []int32
			var alone []event.Row
			for i, row := range own {
				all.Append(row)
				if seed == 0 || random.IntN(int(seed)) == 0 {
					picked, alone = append(picked, int32(i)), append(alone, row)
				}
			}
			var got, want bytes.Buffer
			if err := errors.Join(writer.Encode(&got, all.Only(picked), 1), writer.Encode(&want, setOf(table, shared, alone), 1)); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Fatalf("%s: %d of %d rows are another file than these alone", table.Name, len(picked), len(own))
			}
		}
	}
}

func FuzzEncode(f *testing.F) {
	f.Add(uint64(1), uint16(10), uint8(0))
	f.Add(uint64(2), uint16(3000), uint8(6))
	tables := rows.Tables()
	f.Fuzz(func(t *testing.T, seed uint64, n uint16, at uint8) {
		table := tables[int(at)%len(tables)]
		compareWithPlain(t, table.Name, NewParquet(table), randomSet(rand.New(rand.NewPCG(seed, 3)), table, int(n)%4096))
	})
}

func compareWithPlain(t *testing.T, name string, writer *Parquet, set rows.Set) {
	t.Helper()
	const stamp = 1_790_000_000_123_456
	var file bytes.Buffer
	file.WriteString("before") // the file is added to what is there
	if err := writer.Encode(&file, set, stamp); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	got, want := open(t, file.Bytes()[len("before"):]), open(t, encodePlainly(t, writer, set, stamp))
	if got.Schema().String() != want.Schema().String() {
		t.Fatalf("%s: schema\n%s\nwant\n%s", name, got.Schema(), want.Schema())
	}
	gotRows, wantRows := readAll(t, got), readAll(t, want)
	if len(gotRows) != len(wantRows) {
		t.Fatalf("%s: %d rows, want %d", name, len(gotRows), len(wantRows))
	}
	for i := range gotRows {
		if !gotRows[i].Equal(wantRows[i]) {
			t.Fatalf("%s: row %d is %v, want %v", name, i, gotRows[i], wantRows[i])
		}
	}
	compareBounds(t, name, got, want)
}

func compareBounds(t *testing.T, name string, got, want *parquet.File) {
	t.Helper()
	if len(got.Metadata().RowGroups) != len(want.Metadata().RowGroups) {
		t.Fatalf("%s: %d row groups, want %d", name, len(got.Metadata().RowGroups), len(want.Metadata().RowGroups))
	}
	for g := range want.Metadata().RowGroups {
		for c := range want.Metadata().RowGroups[g].Columns {
			mine, theirs := got.Metadata().RowGroups[g].Columns[c].MetaData, want.Metadata().RowGroups[g].Columns[c].MetaData
			column := fmt.Sprintf("%s, column %s", name, theirs.PathInSchema[0])
			if mine.Statistics.NullCount != theirs.Statistics.NullCount || mine.NumValues != theirs.NumValues || mine.Type != theirs.Type {
				t.Errorf("%s: %+v, want %+v", column, mine, theirs)
			}
			low, high := theirs.Statistics.MinValue, theirs.Statistics.MaxValue
			if mine.Type == format.Double {
				low, high = zero(low, true), zero(high, false)
			}
			if len(low) == 0 || len(low) > pages.MaxStatistic || len(high) > pages.MaxStatistic {
				low, high = nil, nil
			}
			if !bytes.Equal(mine.Statistics.MinValue, low) || !bytes.Equal(mine.Statistics.MaxValue, high) {
				t.Errorf("%s: from %x to %x, want from %x to %x", column, mine.Statistics.MinValue, mine.Statistics.MaxValue, low, high)
			}
		}
	}
}

// zero gives a bound that is zero the sign that the format asks for, which the
// library does not: the least is below both zeros, the greatest above.
func zero(bound []byte, negative bool) []byte {
	if len(bound) != 8 || math.Float64frombits(binary.LittleEndian.Uint64(bound)) != 0 {
		return bound
	}
	sign := map[bool]byte{true: 0x80}[negative]
	return []byte{0, 0, 0, 0, 0, 0, 0, sign}
}

func open(t *testing.T, file []byte) *parquet.File {
	t.Helper()
	opened, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func readAll(t *testing.T, file *parquet.File) (all []parquet.Row) {
	t.Helper()
	reader := parquet.NewReader(file)
	buffer := make([]parquet.Row, 64)
	for {
		n, err := reader.ReadRows(buffer)
		for _, row := range buffer[:n] {
			all = append(all, row.Clone())
		}
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// setOf returns the rows of the table, of which each has what is shared.
func setOf(table *rows.Table, shared event.Row, own []event.Row) (set rows.Set) {
	table.Begin(&set, new(batch.Batch), len(own), new(vectors.Memory))
	set.Shared = shared
	for _, row := range own {
		set.Append(row)
	}
	return set
}

func randomSet(random *rand.Rand, table *rows.Table, n int) rows.Set {
	shared, own := randomRows(random, table, n)
	return setOf(table, shared, own)
}

// randomRows makes up what n rows of the table share, and what they have for
// their own: each column is of one of several kinds, such as one value, few, all
// different, or mostly NULL.
func randomRows(random *rand.Rand, table *rows.Table, n int) (shared event.Row, own []event.Row) {
	shared, own = make(event.Row, len(table.Columns)), make([]event.Row, n)
	for i := range own {
		own[i] = make(event.Row, table.Width())
	}
	for c := range table.Columns {
		column := &table.Columns[c]
		kind, nulls, from := random.IntN(6), random.IntN(4), random.Int64N(1<<50)-1<<49
		value := func() event.Value {
			if column.Nullable && (nulls == 3 || nulls > 0 && random.IntN(nulls+1) > 0) {
				return event.Value{}
			}
			return randomValue(random, column.Type, kind, from)
		}
		switch place := table.Own[c]; {
		case place >= 0:
			stays := random.IntN(3) * random.IntN(80) // how long, at most
			for i, left := 0, 0; i < n; i, left = i+1, left-1 {
				if own[i][place] = value(); i > 0 && left > 0 {
					own[i][place] = own[i-1][place]
				} else {
					left = random.IntN(stays + 1)
				}
			}
		case c != table.Stamp:
			shared[c] = value()
		}
	}
	keyIsID(random, table, own)
	offsetsCount(random, table, own)
	return shared, own
}

// offsetsCount has the offsets of some tables count up, as they mostly do, with a
// leap now and then.
func offsetsCount(random *rand.Rand, table *rows.Table, own []event.Row) {
	if random.IntN(3) == 0 {
		return
	}
	place, next, leap := table.Own[rows.Position(table.Columns, "kafka_offset")], random.Int64N(1<<40), 100+random.IntN(1000)
	for _, row := range own {
		if random.IntN(leap) == 0 {
			next = random.Int64N(1 << 40)
		}
		row[place] = event.IntValue(next)
		next++
	}
}

// keyIsID has the keys of some tables be the ids of their events, as they
// mostly are.
func keyIsID(random *rand.Rand, table *rows.Table, own []event.Row) {
	kind := random.IntN(3)
	if table.Timestamp < 0 || kind == 0 {
		return
	}
	id, key := table.Own[rows.Position(table.Columns, "id")], table.Own[rows.Position(table.Columns, "kafka_key")]
	for _, row := range own {
		row[key] = bytesValue(row[id].Text())
		if kind == 1 && random.IntN(len(own)) == 0 {
			row[key] = event.Value{}
		}
	}
}

func randomValue(random *rand.Rand, t event.Type, kind int, from int64) event.Value {
	// How many distinct numbers there are, and how far they lie apart.
	distinct := []int64{1, 2, 40, 4095, 4097, 1 << 40}[kind]
	number := from + random.Int64N(distinct)*[]int64{1, 1, 1000, 1_000_000}[random.IntN(1+kind%4)]
	switch t {
	case event.Int64:
		if kind == 5 && random.IntN(9) == 0 {
			number = []int64{math.MinInt64, math.MaxInt64, 0, -1}[random.IntN(4)]
		}
		return event.IntValue(number)
	case event.Timestamp:
		return event.TimeValue(number)
	case event.Float64:
		return event.FloatValue([]float64{0, math.Copysign(0, -1), float64(number) / 7, 0.25, -1e300, float64(kind)}[random.IntN(6)])
	}
	text := strings.Repeat("ü", random.IntN(4)) + fmt.Sprint(number%distinct)
	if kind == 4 && random.IntN(50) == 0 {
		text = strings.Repeat(text, 2000)
	}
	if kind == 3 && random.IntN(5) == 0 {
		text = ""
	}
	if t == event.Bytes {
		return bytesValue([]byte(text))
	}
	return event.StringValue([]byte(text))
}

func bytesValue(b []byte) event.Value {
	v := event.StringValue(b)
	v.Type = event.Bytes
	return v
}
