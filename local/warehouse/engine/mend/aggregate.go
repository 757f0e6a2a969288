package mend

import (
	"bytes"
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// aggregate is the emulator's form of an aggregate function: steps over the rows of a group, then the result.
type aggregate interface {
	Step(args ...any) error
	Done() (any, error)
}

// replaceAggregates puts better versions in place of aggregate functions.
func replaceAggregates() error {
	mended := map[string]func(original any) any{
		"sum": func(original any) any {
			return func() *distinctSum { return newDistinctSum(original, false) }
		},
		"avg": func(original any) any {
			return func() *distinctSum { return newDistinctSum(original, true) }
		},
		"string_agg": func(original any) any {
			return func() *textsOnly { return &textsOnly{construct(original)} }
		},
		"approx_quantiles": func(any) any {
			return func() *quantiles { return &quantiles{seen: map[any]bool{}} }
		},
	}
	for name, m := range mended {
		entries := aggregates[name]
		if len(entries) != 1 {
			return fmt.Errorf("the emulator has no function %s to mend", name)
		}
		entries[0].Func = m(entries[0].Func)
	}
	return nil
}

// construct calls a constructor of an aggregate of the emulator's own type.
func construct(constructor any) aggregate {
	return reflect.ValueOf(constructor).Call(nil)[0].Interface().(aggregate)
}

// hasOption says whether an option is among what the emulator passes after the arguments of an aggregate.
func hasOption(args []any, name string) bool {
	return slices.ContainsFunc(args, func(arg any) bool {
		text, ok := decode(arg).(string)
		return ok && strings.HasPrefix(text, `{"type":"aggregate_`+name)
	})
}

// noDelimiter is a delimiter that no text has, in place of an empty one, for
// which the emulator takes a comma.
const noDelimiter = "\x00\uffff\x00"

// textsOnly is STRING_AGG, which the emulator has of STRING alone.
type textsOnly struct{ aggregate }

func (a *textsOnly) Step(args ...any) error {
	if _, isBytes := decode(args[0]).([]byte); isBytes {
		return refuse("STRING_AGG of BYTES")
	}
	if len(args) > 1 && decode(args[1]) == "" {
		args = slices.Clone(args)
		args[1] = encode(noDelimiter)
	}
	return a.aggregate.Step(args...)
}

func (a *textsOnly) Done() (any, error) {
	result, err := a.aggregate.Done()
	if text, ok := decode(result).(string); ok && err == nil && strings.Contains(text, noDelimiter) {
		return encode(strings.ReplaceAll(text, noDelimiter, "")), nil
	}
	return result, err
}

// distinctSum is SUM or AVG without OVER. INTERVAL is the original's.
type distinctSum struct {
	runningSum
	original aggregate
	other    bool            // it is an INTERVAL
	seen     map[string]bool // for DISTINCT
}

func newDistinctSum(original any, mean bool) *distinctSum {
	return &distinctSum{runningSum: runningSum{mean: mean}, original: construct(original), seen: map[string]bool{}}
}

func (s *distinctSum) Step(args ...any) error {
	plain := decode(args[0])
	if _, ok := plain.(other); ok {
		s.other = true
		return s.original.Step(args...)
	}
	if len(args) > 1 && hasOption(args[1:], "distinct") {
		key := fmt.Sprint(plain)
		if s.seen[key] {
			return nil
		}
		s.seen[key] = true
	}
	return s.runningSum.Step(args...)
}

func (s *distinctSum) Done() (any, error) {
	if s.other {
		return s.original.Done()
	}
	return s.runningSum.Done()
}

// quantiles is APPROX_QUANTILES: exact, over all values that are not NULL.
type quantiles struct {
	values []any // as SQLite has them
	number int64
	seen   map[any]bool // for DISTINCT
}

func (q *quantiles) Step(args ...any) error {
	if len(args) < 2 {
		return fmt.Errorf("APPROX_QUANTILES takes two arguments")
	}
	number, ok := args[1].(int64)
	if !ok || number < 1 {
		return fmt.Errorf("APPROX_QUANTILES takes a positive number")
	}
	q.number = number
	if args[0] == nil {
		return nil
	}
	if hasOption(args[2:], "distinct") {
		if q.seen[args[0]] {
			return nil
		}
		q.seen[args[0]] = true
	}
	q.values = append(q.values, args[0])
	return nil
}

func (q *quantiles) Done() (any, error) {
	if len(q.values) == 0 {
		return nil, nil
	}
	decoded := make(map[any]any, len(q.values))
	for _, v := range q.values {
		decoded[v] = decode(v)
	}
	slices.SortStableFunc(q.values, func(a, b any) int { return compare(decoded[a], decoded[b]) })
	out := make([]any, q.number+1)
	count := int64(len(q.values))
	out[0] = q.values[0]
	for i := int64(1); i <= q.number; i++ {
		out[i] = q.values[(count*i+q.number-1)/q.number-1]
	}
	return encode(array(out)), nil
}

// compare orders two decoded values of one type.
func compare(a, b any) int {
	switch a := a.(type) {
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b)
		}
	case string:
		if b, ok := b.(string); ok {
			return cmp.Compare(a, b)
		}
	case []byte:
		if b, ok := b.([]byte); ok {
			return bytes.Compare(a, b)
		}
	case numeric:
		if b, ok := b.(numeric); ok {
			return a.Cmp(b.Rat)
		}
	case timestamp:
		if b, ok := b.(timestamp); ok {
			return time.Time(a).Compare(time.Time(b))
		}
	}
	if x, ok := number(a); ok {
		y, _ := number(b)
		return cmp.Compare(x, y)
	}
	x, _ := civilTime(a)
	y, _ := civilTime(b)
	return x.Compare(y)
}
