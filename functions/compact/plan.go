package compact

import (
	"cmp"
	"maps"
	"slices"
)

// A window is the records that are in memory at a time: of each place those with
// offsets from low up to, not including, high. A place that is in neither has no
// bound there.
type window struct{ low, high map[place]int64 }

func (w window) has(at place, offset int64) bool {
	low, bounded := w.low[at]
	if bounded && offset < low {
		return false
	}
	high, bounded := w.high[at]
	return !bounded || offset < high
}

// meets reports whether a row group may have records of the window.
func (w window) meets(g *group) bool {
	for at, s := range g.spans {
		low, below := w.low[at]
		high, above := w.high[at]
		if (!below || s.last >= low) && (!above || s.first < high) {
			return true
		}
	}
	return false
}

// plan parts the records into windows of about so many rows and bytes, so that
// each record is in one of them and a place's offsets ascend from one to the
// next. Offsets are taken for spread evenly within each row group: they are
// nearly, and where they are not halve helps.
func plan(groups []*group, mostRows int, mostBytes int64) []window {
	rows, size := 0, int64(0)
	for _, g := range groups {
		rows, size = rows+g.rows, size+g.bytes
	}
	n := max((rows+mostRows-1)/mostRows, int((size+mostBytes-1)/mostBytes), 1)
	spans := map[place][]span{}
	for _, g := range groups {
		for at, s := range g.spans {
			spans[at] = append(spans[at], s)
		}
	}
	windows := make([]window, n)
	for i := 1; i < n; i++ {
		cut := map[place]int64{}
		for at, some := range spans {
			cut[at] = max(quantile(some, float64(i)/float64(n)), windows[i-1].low[at])
		}
		windows[i-1].high, windows[i].low = cut, cut
	}
	return windows
}

// quantile returns about the least offset that has the share of the rows before
// it.
func quantile(spans []span, share float64) int64 {
	all, low, high := 0, spans[0].first, spans[0].last
	for _, s := range spans {
		all, low, high = all+s.rows, min(low, s.first), max(high, s.last)
	}
	before := func(offset int64) (rows float64) {
		for _, s := range spans {
			part := (float64(offset) - float64(s.first)) / (float64(s.last) - float64(s.first) + 1)
			rows += float64(s.rows) * min(max(part, 0), 1)
		}
		return rows
	}
	for low < high {
		middle := low + (high-low)/2
		if before(middle) < share*float64(all) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// halve parts a window at the middle of the offsets that it has of each place.
// Places with one offset go to either half by turns. ok is false where there is
// one record.
func (w window) halve(has map[place][]int64) (first, second window, ok bool) {
	middle, low := map[place]int64{}, map[place]int64{}
	maps.Copy(middle, w.high)
	maps.Copy(low, w.low)
	places := slices.SortedFunc(maps.Keys(has), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.topicID, b.topicID), cmp.Compare(a.partition, b.partition))
	})
	before, behind := false, false
	for _, at := range places {
		offsets := slices.Compact(slices.Sorted(slices.Values(has[at])))
		cut := offsets[len(offsets)/2]
		if len(offsets) == 1 && !before {
			cut++
		}
		before, behind = before || offsets[0] < cut, behind || offsets[len(offsets)-1] >= cut
		middle[at], low[at] = cut, cut
	}
	return window{w.low, middle}, window{low, w.high}, before && behind
}
