package mend

import (
	"fmt"
	"math"
	"math/big"
	_ "unsafe" // for go:linkname
)

// These are the emulator's tables of functions with OVER, and of those for
// which it takes one of SQLite's own, which compares and adds encoded texts.

//go:linkname windows github.com/goccy/googlesqlite/internal.windowFuncMap
var windows map[string][]*function

//go:linkname builtins github.com/goccy/googlesqlite/internal.nativeWindowFuncMap
var builtins map[string]string

// window is a function over a frame: rows come at its end and go at its start.
type window interface {
	aggregate
	Inverse(args ...any) error
}

// replaceWindows puts better versions in place of functions with OVER: some of
// their own, for which a row costs the same however large the frame is, and for
// the rest the aggregate functions of the same name.
func replaceWindows() error {
	own := map[string]any{
		"max": func() window { return &extreme{sign: 1} },
		"min": func() window { return &extreme{sign: -1} },
		"sum": func() window { return &runningSum{framed: true} },
		"avg": func() window { return &runningSum{framed: true, mean: true} },
	}
	for name, constructor := range own {
		if len(windows[name]) != 1 || builtins[name] == "" {
			return fmt.Errorf("the emulator has no function %s with OVER to mend", name)
		}
		windows[name][0].Func = constructor
		builtins[name] = windows[name][0].Name
	}
	for name, of := range map[string]string{
		"sum_distinct": "sum", "avg_distinct": "avg", "count_distinct": "count", "string_agg": "string_agg", "array_concat_agg": "array_concat_agg",
		"logical_or": "logical_or", "logical_and": "logical_and", "bit_and": "bit_and", "bit_or": "bit_or", "bit_xor": "bit_xor",
	} {
		if len(windows[name]) != 1 || len(aggregates[of]) != 1 {
			return fmt.Errorf("the emulator has no function %s with OVER to mend", name)
		}
		constructor := aggregates[of][0].Func
		windows[name][0].Func = func() window { return &replayed{constructor: constructor} }
	}
	return nil
}

// replayed is an aggregate function over a frame: it runs over the rows of each
// whose first argument is not NULL.
type replayed struct {
	constructor any
	rows        [][]any
	result      any
	done        bool // the result is that of these rows
}

func (w *replayed) Step(args ...any) error {
	w.rows, w.done = append(w.rows, args), false
	return nil
}

func (w *replayed) Inverse(...any) error {
	w.rows, w.done = w.rows[1:], false
	return nil
}

func (w *replayed) Done() (any, error) {
	if w.done {
		return w.result, nil
	}
	a := construct(w.constructor)
	for _, row := range w.rows {
		if row[0] == nil {
			continue
		}
		if err := a.Step(row...); err != nil {
			return nil, err
		}
	}
	var err error
	w.result, err = a.Done()
	w.done = err == nil
	return w.result, err
}

// extreme is MAX or MIN. It keeps the values that are, or may become when others
// leave, the extreme of the frame: each is beyond all that follow.
type extreme struct {
	sign       int // 1 of MAX, -1 of MIN
	came, went int // rows
	candidates []candidate
}

type candidate struct {
	row            int // the number of the row
	encoded, plain any
}

func (w *extreme) Step(args ...any) error {
	w.came++
	if args[0] == nil {
		return nil
	}
	plain := decode(args[0])
	if _, ok := plain.(other); ok {
		return refuse("MAX and MIN with OVER of this type")
	}
	n := len(w.candidates)
	for n > 0 && w.sign*compare(plain, w.candidates[n-1].plain) >= 0 {
		n--
	}
	w.candidates = append(w.candidates[:n], candidate{w.came, args[0], plain})
	return nil
}

func (w *extreme) Inverse(...any) error {
	w.went++
	if len(w.candidates) > 0 && w.candidates[0].row <= w.went {
		w.candidates = w.candidates[1:]
	}
	return nil
}

func (w *extreme) Done() (any, error) {
	if len(w.candidates) == 0 {
		return nil, nil
	}
	return w.candidates[0].encoded, nil
}

// runningSum is SUM or AVG. Whole numbers and NUMERIC are subtracted when they
// leave, which is exact; FLOAT64 is added again.
type runningSum struct {
	framed bool // values may leave
	mean   bool
	count  int64   // of values that are not NULL
	whole  big.Int // the sum of INT64
	exact  big.Rat // the sum of NUMERIC or BIGNUMERIC
	number numeric // the last of these, for its type
	float  bool    // there is FLOAT64 among them
	floats []float64
	total  float64 // of FLOAT64
	stale  bool    // and of others, which left
}

func (w *runningSum) Step(args ...any) error { return w.move(args[0], 1) }

func (w *runningSum) Inverse(args ...any) error { return w.move(args[0], -1) }

// move takes a value in or out.
func (w *runningSum) move(arg any, sign int64) error {
	switch v := decode(arg).(type) {
	case nil:
		return nil
	case int64:
		w.whole.Add(&w.whole, new(big.Int).Mul(big.NewInt(v), big.NewInt(sign)))
	case numeric:
		w.number = v
		w.exact.Add(&w.exact, new(big.Rat).Mul(v.Rat, big.NewRat(sign, 1)))
	case float64:
		w.float = true
		w.moveFloat(v, sign)
	default:
		return refuse("SUM and AVG with OVER of this type")
	}
	w.count += sign
	return nil
}

func (w *runningSum) Done() (any, error) {
	switch {
	case w.count == 0:
		return nil, nil
	case w.float:
		return w.floatSum()
	case w.number.Rat != nil:
		return w.numeric()
	case w.mean:
		mean, _ := new(big.Rat).SetFrac(&w.whole, big.NewInt(w.count)).Float64()
		return mean, nil
	case !w.whole.IsInt64():
		return nil, errOverflow
	}
	return w.whole.Int64(), nil
}

func (w *runningSum) numeric() (any, error) {
	total := numeric{new(big.Rat).Set(&w.exact), w.number.big}
	if w.mean {
		total.Quo(total.Rat, new(big.Rat).SetInt64(w.count))
	}
	if total.big {
		return encode(total), nil
	}
	total, err := newNumeric(total.Rat)
	return encode(total), err
}

func (w *runningSum) moveFloat(f float64, sign int64) {
	if sign < 0 {
		w.floats, w.stale = w.floats[1:], true
		return
	}
	w.total += f
	if w.framed {
		w.floats = append(w.floats, f)
	}
}

func (w *runningSum) floatSum() (any, error) {
	if w.stale {
		w.total, w.stale = 0, false
		for _, f := range w.floats {
			w.total += f
		}
	}
	whole, _ := new(big.Float).SetInt(&w.whole).Float64() // what SQLite made of FLOAT64 that are whole
	total := w.total + whole
	if math.IsNaN(total) {
		return nil, refuse(noNaN)
	}
	if w.mean {
		return total / float64(w.count), nil
	}
	return total, nil
}
