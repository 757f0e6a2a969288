package bench

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"math"
	"reflect"
	"time"

	"github.com/stationflow/stationflow/event"
)

// A cell is one column of a row: a number (a float's bits, a timestamp's
// microseconds) or bytes.
type cell struct {
	set   bool
	num   uint64
	bytes []byte
}

func textCell(b []byte) cell { return cell{set: b != nil, bytes: b} }

// A layout names the columns that an event's fields are found in.
type layout struct {
	of    reflect.Type
	names []string
}

var timeType = reflect.TypeFor[time.Time]()

// layoutOf returns the layout of a topic's events, from the struct alone.
func layoutOf(topic string) layout {
	schema, known := event.SchemaOf(topic)
	if !known {
		panic("bench: no topic " + topic)
	}
	of := reflect.TypeOf(schema.Event)
	l := layout{of: of}
	for i := range of.NumField() {
		l.names = append(l.names, of.Field(i).Tag.Get("json"))
	}
	return l
}

// expect reads an event with encoding/json, which the pipeline does not use,
// into the cells that its row must have.
func (l layout) expect(value []byte, cells []cell) ([]cell, error) {
	e := reflect.New(l.of)
	if err := json.Unmarshal(value, e.Interface()); err != nil {
		return nil, fmt.Errorf("reading a generated event: %w", err)
	}
	for i := range l.names {
		field := e.Elem().Field(i)
		if field.Kind() == reflect.Pointer {
			if field.IsNil() {
				cells = append(cells, cell{})
				continue
			}
			field = field.Elem()
		}
		c := cell{set: true}
		switch {
		case field.Type() == timeType:
			c.num = uint64(field.Interface().(time.Time).UnixMicro())
		case field.Kind() == reflect.String:
			c.bytes = []byte(field.String())
		case field.Kind() == reflect.Float64:
			c.num = math.Float64bits(field.Float())
		default:
			c.num = uint64(field.Int())
		}
		cells = append(cells, c)
	}
	return cells, nil
}

// A fingerprint tells rows with other contents apart. It is not safe for
// concurrent use; those made with the same seed agree.
type fingerprint struct {
	seed   maphash.Seed
	buffer []byte
}

// of returns the fingerprint of the cells.
func (f *fingerprint) of(cells []cell) uint64 {
	f.buffer = f.buffer[:0]
	for i := range cells {
		c := &cells[i]
		switch {
		case !c.set:
			f.buffer = append(f.buffer, 'n')
		case c.bytes != nil:
			f.buffer = binary.AppendUvarint(append(f.buffer, 'b'), uint64(len(c.bytes)))
			f.buffer = append(f.buffer, c.bytes...)
		default:
			f.buffer = binary.LittleEndian.AppendUint64(append(f.buffer, 'i'), c.num)
		}
	}
	return maphash.Bytes(f.seed, f.buffer)
}
