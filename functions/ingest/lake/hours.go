package lake

import (
	"math"
	"time"

	"github.com/stationflow/stationflow/event"
)

const hourMicros = int64(time.Hour / time.Microsecond)

// An Hour holds the rows whose event time lies in one hour, UTC.
type Hour struct {
	Start time.Time
	Rows  []event.Row
}

// ByHour parts rows by the TIMESTAMP in the place, keeping their order.
func ByHour(rows []event.Row, column int) []Hour {
	var hours []Hour
	places := make(map[int64]int) // of each hour in hours
	last, at := int64(math.MinInt64), 0
	place := func(row event.Row) int {
		h := floorHour(row[column].Int())
		if h == last {
			return at
		}
		known := false
		if at, known = places[h]; !known {
			at = len(hours)
			places[h] = at
			hours = append(hours, Hour{Start: time.UnixMicro(h * hourMicros).UTC()})
		}
		last = h
		return at
	}
	sizes := make([]int, 0, 8)
	for _, row := range rows {
		i := place(row)
		if i == len(sizes) {
			sizes = append(sizes, 0)
		}
		sizes[i]++
	}
	if len(hours) == 1 {
		hours[0].Rows = rows
		return hours
	}
	space := make([]event.Row, len(rows))
	for i, size := range sizes {
		hours[i].Rows, space = space[:0:size], space[size:]
	}
	for _, row := range rows {
		h := &hours[place(row)]
		h.Rows = append(h.Rows, row)
	}
	return hours
}

// floorHour counts whole hours since 1970, also before it.
func floorHour(micros int64) int64 {
	h := micros / hourMicros
	if micros%hourMicros < 0 {
		h--
	}
	return h
}
