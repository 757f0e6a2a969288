package ledger

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Sets of spans do what sets of single offsets do.
func TestSpans_AreSets(t *testing.T) {
	random := rand.New(rand.NewPCG(16, 1))
	const most = 40
	some := func() (spans []Span, members [most]bool) {
		for range random.IntN(8) {
			first := random.Int64N(most)
			one := Span{first, min(first+random.Int64N(9), most)}
			spans = append(spans, one)
			for o := one.First; o < one.Next; o++ {
				members[o] = true
			}
		}
		return spans, members
	}
	check := func(what string, got Spans, want func(offset int) bool) {
		t.Helper()
		var spans Spans
		count := int64(0)
		for o := range most {
			if !want(o) {
				continue
			}
			count++
			if last := len(spans) - 1; last >= 0 && spans[last].Next == int64(o) {
				spans[last].Next++
			} else {
				spans = append(spans, Span{int64(o), int64(o) + 1})
			}
		}
		if !slices.Equal(got, spans) || got.Count() != count {
			t.Fatalf("%s: %v, want %v", what, got, spans)
		}
	}
	for range 5000 {
		x, inX := some()
		y, inY := some()
		a, b := Of(x...), Of(y...)
		edge := random.Int64N(most)
		check("of", a, func(o int) bool { return inX[o] })
		check("or", a.Or(b), func(o int) bool { return inX[o] || inY[o] })
		check("and", a.And(b), func(o int) bool { return inX[o] && inY[o] })
		check("not", a.Not(b), func(o int) bool { return inX[o] && !inY[o] })
		check("from", a.From(edge), func(o int) bool { return inX[o] && int64(o) >= edge })
		check("before", a.Before(edge), func(o int) bool { return inX[o] && int64(o) < edge })
		var offsets []int64
		for _, one := range x {
			for o := one.First; o < one.Next; o++ {
				offsets = append(offsets, o)
			}
		}
		check("offsets", Offsets(offsets), func(o int) bool { return inX[o] })
	}
}

func TestSpans_String(t *testing.T) {
	for want, spans := range map[string]Spans{
		"":                                   nil,
		"7":                                  {{7, 8}},
		"0-2, 9":                             {{0, 3}, {9, 10}},
		"0, 2, 4, 6":                         {{0, 1}, {2, 3}, {4, 5}, {6, 7}},
		"0, 2, 4, and 2 more ranges up to 9": {{0, 1}, {2, 3}, {4, 5}, {6, 7}, {8, 10}},
	} {
		if got := spans.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
