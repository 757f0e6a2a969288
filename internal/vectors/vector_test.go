package vectors

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stationflow/stationflow/event"
)

// What was appended is what is read, whatever the memory held before, and
// although the texts that were given are others by then.
func TestVectors_HoldWhatWasAppended(t *testing.T) {
	var memory Memory
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		schema, _ := event.SchemaOf(event.Topics()[random.IntN(len(event.Topics()))])
		columns := schema.StagingColumns()
		width, rows := len(columns), random.IntN(100)
		var given []event.Value
		for range rows {
			for c := range columns {
				given = append(given, randomValue(random, columns[c].Type))
			}
		}
		want := copies(given)
		vectors := memory.Vectors(columns, random.IntN(2*rows+1))
		for at := 0; at < rows; {
			some := 1 + random.IntN(rows-at)
			for c, v := range vectors {
				v.Append(given[at*width : (at+some)*width][c:], width)
			}
			at += some
		}
		for i := range given {
			clear(given[i].Text())
		}
		for c, v := range vectors {
			var column []event.Value
			for i := c; i < len(want); i += width {
				column = append(column, want[i])
			}
			picked := &Vector{Kind: v.Kind, Type: v.Type}
			some, ofSome := pick(random, column)
			picked.Pick(v, some)
			if err := errors.Join(holds(v, column), holds(picked, ofSome)); err != nil {
				t.Fatalf("%s: %v", columns[c].Name, err)
			}
		}
	}
}

// pick returns some rows of a column, and their values.
func pick(random *rand.Rand, column []event.Value) (rows []int32, values []event.Value) {
	for i := range column {
		if random.IntN(3) > 0 {
			rows, values = append(rows, int32(i)), append(values, column[i])
		}
	}
	return rows, values
}

// holds says how the vector differs from the values.
func holds(v *Vector, want []event.Value) error {
	nulls := 0
	for i := range want {
		got := v.Value(int32(i))
		if got.Type != want[i].Type || got.Int() != want[i].Int() || !bytes.Equal(got.Text(), want[i].Text()) {
			return fmt.Errorf("row %d is %v, want %v", i, got.JSON(), want[i].JSON())
		}
		if want[i].Null() {
			nulls++
		}
	}
	if v.Rows != len(want) || v.Nulls != nulls || nulls > 0 && len(v.Levels) != len(want) {
		return fmt.Errorf("%d rows, %d NULLs and %d levels, want %d and %d", v.Rows, v.Nulls, len(v.Levels), len(want), nulls)
	}
	return nil
}

func randomValue(random *rand.Rand, t event.Type) event.Value {
	if random.IntN(3) == 0 {
		return event.Value{}
	}
	value := event.IntValue(random.Int64())
	if t == event.String || t == event.Bytes {
		value = event.StringValue(bytes.Repeat([]byte{byte('a' + random.IntN(20))}, random.IntN(25)))
	}
	value.Type = t
	return value
}

func copies(values []event.Value) []event.Value {
	all := slices.Clone(values)
	for i := range all {
		if text := all[i].Text(); text != nil {
			of := all[i].Type
			all[i] = event.StringValue(bytes.Clone(text))
			all[i].Type = of
		}
	}
	return all
}
