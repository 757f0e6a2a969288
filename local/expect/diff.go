package expect

import (
	"fmt"
	"math"
)

// Diff says how got differs from want, a sentence for each row; sums and
// means may differ in their last digits. Both are sorted by Compare.
func Diff(want, got []Row) []string {
	var differences []string
	i, j := 0, 0
	for i < len(want) || j < len(got) {
		switch order := compareAt(want, i, got, j); {
		case order < 0:
			differences = append(differences, fmt.Sprintf("row %s is missing", want[i]))
			i++
		case order > 0:
			differences = append(differences, fmt.Sprintf("row %s should not be", got[j]))
			j++
		default:
			if !equal(want[i].Value, got[j].Value) {
				differences = append(differences, fmt.Sprintf("row %s should be %s", got[j], text(want[i].Value)))
			}
			i, j = i+1, j+1
		}
	}
	return differences
}

func compareAt(want []Row, i int, got []Row, j int) int {
	switch {
	case i == len(want):
		return 1
	case j == len(got):
		return -1
	}
	return Compare(want[i], got[j])
}

func equal(a, b *float64) bool {
	if a == nil || b == nil {
		return a == b
	}
	return math.Abs(*a-*b) <= 1e-9*math.Max(1, math.Abs(*a))
}

// String names the row and its value.
func (r Row) String() string {
	name := r.Period + " " + r.Metric
	if r.Dimension != "" {
		name += fmt.Sprintf(" by %s %q", r.Dimension, r.DimensionValue)
	}
	return name + " = " + text(r.Value)
}

func text(value *float64) string {
	if value == nil {
		return "NULL"
	}
	return fmt.Sprint(*value)
}
