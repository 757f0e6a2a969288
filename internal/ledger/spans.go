package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Span is the offsets from First up to, not including, Next.
type Span struct{ First, Next int64 }

// String writes the first and the last offset, or the only one.
func (s Span) String() string {
	if s.Next-s.First == 1 {
		return fmt.Sprint(s.First)
	}
	return fmt.Sprintf("%d-%d", s.First, s.Next-1)
}

// Spans are a set of offsets: in order, none empty, and none that touches or
// overlaps another. The functions of this file return new ones and change
// none.
type Spans []Span

// Of makes a set of spans in any order, which may overlap. Empty ones are left
// out.
func Of(spans ...Span) Spans {
	sorted := slices.SortedFunc(slices.Values(spans), func(a, b Span) int { return cmp.Compare(a.First, b.First) })
	var set Spans
	for _, one := range sorted {
		switch last := len(set) - 1; {
		case one.First >= one.Next:
		case last >= 0 && one.First <= set[last].Next:
			set[last].Next = max(set[last].Next, one.Next)
		default:
			set = append(set, one)
		}
	}
	return set
}

// Offsets makes a set of single offsets in any order.
func Offsets(offsets []int64) Spans {
	spans := make([]Span, 0, 8)
	for _, offset := range offsets {
		if last := len(spans) - 1; last >= 0 && spans[last].Next == offset {
			spans[last].Next++
			continue
		}
		spans = append(spans, Span{offset, offset + 1})
	}
	return Of(spans...)
}

// Count is how many offsets are in the set.
func (s Spans) Count() (offsets int64) {
	for _, one := range s {
		offsets += one.Next - one.First
	}
	return offsets
}

// Or is what is in either set.
func (s Spans) Or(other Spans) Spans {
	switch {
	case len(s) == 0:
		return other
	case len(other) == 0:
		return s
	}
	return Of(slices.Concat(s, other)...)
}

// And is what is in both sets.
func (s Spans) And(other Spans) Spans {
	var both Spans
	for i, j := 0, 0; i < len(s) && j < len(other); {
		first, next := max(s[i].First, other[j].First), min(s[i].Next, other[j].Next)
		if first < next {
			both = append(both, Span{first, next})
		}
		if s[i].Next < other[j].Next {
			i++
		} else {
			j++
		}
	}
	return both
}

// Not is what is in the set and not in the other one.
func (s Spans) Not(other Spans) Spans {
	var rest Spans
	j := 0
	for _, one := range s {
		for j < len(other) && other[j].Next <= one.First {
			j++
		}
		for k := j; k < len(other) && other[k].First < one.Next; k++ {
			if one.First < other[k].First {
				rest = append(rest, Span{one.First, other[k].First})
			}
			one.First = max(one.First, other[k].Next)
		}
		if one.First < one.Next {
			rest = append(rest, one)
		}
	}
	return rest
}

// From is what of the set is at the offset or behind it.
func (s Spans) From(offset int64) Spans { return s.Not(Spans{{minOffset, offset}}) }

// Before is what of the set is before the offset.
func (s Spans) Before(offset int64) Spans { return s.And(Spans{{minOffset, offset}}) }

// minOffset is before any.
const minOffset = -1 << 62

// String writes the spans, by comma; of many, the first three.
func (s Spans) String() string {
	var all []string
	for i, one := range s {
		if i == 3 && len(s) > 4 {
			all = append(all, fmt.Sprintf("and %d more ranges up to %d", len(s)-i, s[len(s)-1].Next-1))
			break
		}
		all = append(all, one.String())
	}
	return strings.Join(all, ", ")
}
