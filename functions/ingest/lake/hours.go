package lake

import (
	"math"
	"time"
)

const hourMicros = int64(time.Hour / time.Microsecond)

// An Hour holds the rows of a set whose event time lies in one hour, UTC.
type Hour struct {
	Start time.Time
	Rows  []int32
}

// ByHour parts rows by their TIMESTAMP, in microseconds, keeping their order.
func ByHour(rows []int32, times []int64) []Hour {
	var hours []Hour
	places := make(map[int64]int) // of each hour in hours
	last, at := int64(math.MinInt64), 0
	place := func(row int32) int {
		h := floorHour(times[row])
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
	space := make([]int32, len(rows))
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
