package mend

import (
	"errors"
	"math"
	"math/big"
	"math/bits"
)

var errOverflow = errors.New("int64 overflow")

func add(a, b int64) (int64, error) {
	if sum := a + b; (sum > a) == (b > 0) {
		return sum, nil
	}
	return 0, errOverflow
}

func subtract(a, b int64) (int64, error) {
	if difference := a - b; (difference < a) == (b > 0) {
		return difference, nil
	}
	return 0, errOverflow
}

func multiply(a, b int64) (int64, error) {
	negative := (a < 0) != (b < 0)
	high, low := bits.Mul64(magnitude(a), magnitude(b))
	switch {
	case high != 0 || low > 1<<63 || low == 1<<63 && !negative:
		return 0, errOverflow
	case negative:
		return -int64(low), nil
	}
	return int64(low), nil
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// checked mends an operation on two whole numbers, if any, and holds NUMERIC results to their range.
func checked(operation func(a, b int64) (int64, error)) better {
	return func(original scalar) scalar {
		return func(args ...any) (any, error) {
			if len(args) == 2 && operation != nil {
				a, first := args[0].(int64)
				b, second := args[1].(int64)
				if first && second {
					return operation(a, b)
				}
			}
			result, err := original(args...)
			if text, ok := result.(string); ok && err == nil {
				if n, ok := decode(text).(numeric); ok && !n.big {
					n, err := newNumeric(n.Rat)
					return encode(n), err
				}
			}
			return result, err
		}
	}
}

// safely is checked, with NULL in place of an overflow.
func safely(operation func(a, b int64) (int64, error)) better {
	return strict(func(args []any) (any, bool, error) {
		a, first := args[0].(int64)
		b, second := args[1].(int64)
		if !first || !second {
			return nil, false, nil
		}
		result, err := operation(a, b)
		if err != nil {
			return nil, true, nil //nolint:nilerr // of a SAFE function an error is NULL
		}
		return result, true, nil
	})
}

var (
	billion      = big.NewInt(1_000_000_000)
	numericLimit = new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(29), nil))
	half         = big.NewRat(1, 2)
)

// newNumeric rounds to nine digits after the point, halves away from zero, and fails out of NUMERIC's range.
func newNumeric(r *big.Rat) (numeric, error) {
	rounded := new(big.Rat).SetFrac(roundAway(new(big.Rat).Mul(r, new(big.Rat).SetInt(billion))), billion)
	if new(big.Rat).Abs(rounded).Cmp(numericLimit) >= 0 {
		return numeric{}, errors.New("numeric overflow")
	}
	return numeric{Rat: rounded}, nil
}

// roundAway rounds to a whole number, halves away from zero.
func roundAway(r *big.Rat) *big.Int {
	shifted := new(big.Rat).Add(new(big.Rat).Abs(r), half)
	whole := new(big.Int).Quo(shifted.Num(), shifted.Denom())
	if r.Sign() < 0 {
		whole.Neg(whole)
	}
	return whole
}

// absolute is ABS of a whole number.
func absolute(args []any) (any, bool, error) {
	n, ok := args[0].(int64)
	if !ok || n >= 0 {
		return n, ok, nil
	}
	result, err := subtract(0, n)
	return result, true, err
}

// minus is the sign before a value.
func minus(args []any) (any, bool, error) {
	switch n := args[0].(type) {
	case int64:
		result, err := subtract(0, n)
		return result, true, err
	case float64:
		return -n, true, nil
	case numeric:
		return numeric{new(big.Rat).Neg(n.Rat), n.big}, true, nil
	}
	return nil, false, nil
}

// safeMinus is SAFE_NEGATE.
func safeMinus(args []any) (any, bool, error) {
	result, done, err := minus(args)
	if err != nil {
		return nil, true, nil //nolint:nilerr // of a SAFE function an error is NULL
	}
	return result, done, nil
}

// modulo is MOD of two whole numbers.
func modulo(args []any) (any, bool, error) {
	a, first := args[0].(int64)
	b, second := args[1].(int64)
	switch {
	case !first || !second:
		return nil, false, nil
	case b == 0:
		return nil, true, errors.New("division by zero: MOD")
	case b == -1:
		return int64(0), true, nil
	}
	return a % b, true, nil
}

func divide(original scalar) scalar {
	return func(args ...any) (any, error) {
		if len(args) == 2 && args[0] == int64(math.MinInt64) && args[1] == int64(-1) {
			return nil, errOverflow
		}
		if len(args) == 2 && !anyNull(args) {
			if result, done, err := divideNumerics(decodeAll(args)); done {
				return encode(result), err
			}
		}
		return original(args...)
	}
}

// divideNumerics is DIV of numbers of which one at least is a NUMERIC.
func divideNumerics(args []any) (any, bool, error) {
	_, first := args[0].(numeric)
	_, second := args[1].(numeric)
	if !first && !second {
		return nil, false, nil
	}
	a, _, errA := toNumeric(args[0])
	b, _, errB := toNumeric(args[1])
	if errA != nil || errB != nil {
		return nil, false, nil //nolint:nilerr // the original fails, too
	}
	x, okA := a.(numeric)
	y, okB := b.(numeric)
	if !okA || !okB {
		return nil, false, nil
	}
	if y.Sign() == 0 {
		return nil, true, errors.New("division by zero")
	}
	quotient := new(big.Rat).Quo(x.Rat, y.Rat)
	return numeric{Rat: new(big.Rat).SetInt(new(big.Int).Quo(quotient.Num(), quotient.Denom()))}, true, nil
}

// shiftRight fills with zeros.
func shiftRight(args []any) (any, bool, error) {
	value, first := args[0].(int64)
	by, second := args[1].(int64)
	switch {
	case !first || !second:
		return nil, false, nil
	case by < 0:
		return nil, true, errors.New("bitwise shift by a negative number")
	case by >= 64:
		return int64(0), true, nil
	}
	return int64(uint64(value) >> by), true, nil
}

// round rounds to a number of digits, also halves to even ones.
func round(args []any) (any, bool, error) {
	n, ok := args[0].(numeric)
	if len(args) == 1 || !ok {
		return nil, false, nil
	}
	digits, ok := args[1].(int64)
	if !ok || digits < -38 || digits > 38 {
		return nil, false, nil
	}
	mode := "ROUND_HALF_AWAY_FROM_ZERO"
	if len(args) == 3 {
		mode, _ = args[2].(string)
	}
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(max(digits, -digits)), nil))
	if digits < 0 {
		scale.Inv(scale)
	}
	scaled := new(big.Rat).Mul(n.Rat, scale)
	whole := roundAway(scaled)
	tie := new(big.Rat).Abs(new(big.Rat).Sub(scaled, new(big.Rat).SetInt(whole))).Cmp(half) == 0
	if tie && mode == "ROUND_HALF_EVEN" && whole.Bit(0) == 1 {
		whole.Sub(whole, big.NewInt(int64(scaled.Sign())))
	}
	result := new(big.Rat).Quo(new(big.Rat).SetInt(whole), scale)
	if n.big {
		return numeric{result, true}, true, nil
	}
	out, err := newNumeric(result)
	return out, true, err
}

// truncate cuts a FLOAT64 off after a number of digits.
func truncate(args []any) (any, bool, error) {
	if len(args) != 2 {
		return nil, false, nil
	}
	digits, _ := args[1].(int64)
	switch n := args[0].(type) {
	case float64:
		if digits > 15 {
			return n, true, nil
		}
		scale := math.Pow(10, float64(digits))
		if result := math.Trunc(n*scale) / scale; !math.IsNaN(result) && !math.IsInf(result, 0) {
			return result, true, nil
		}
		return n, true, nil
	case numeric:
		scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(max(digits, -digits)), nil))
		if digits < 0 {
			scale.Inv(scale)
		}
		scaled := new(big.Rat).Mul(n.Rat, scale)
		whole := new(big.Int).Quo(scaled.Num(), scaled.Denom())
		return numeric{new(big.Rat).Quo(new(big.Rat).SetInt(whole), scale), n.big}, true, nil
	}
	return nil, false, nil
}

// logarithm has the base second. Of a NUMERIC it is a NUMERIC.
func logarithm(args []any) (any, bool, error) {
	anyNumeric := false
	numbers := make([]float64, len(args))
	for i, arg := range args {
		n, isNumeric := arg.(numeric)
		if isNumeric {
			numbers[i], _ = n.Float64()
			anyNumeric = true
		} else if f, ok := number(arg); ok {
			numbers[i] = f
		} else {
			return nil, false, nil
		}
	}
	if len(args) == 1 && !anyNumeric {
		return nil, false, nil
	}
	result := math.Log(numbers[0])
	if len(args) == 2 {
		result = logarithmTo(numbers[1], numbers[0])
	}
	switch {
	case math.IsNaN(result):
		return nil, true, errors.New("LOG is undefined for these numbers")
	case !anyNumeric:
		return result, true, nil
	}
	exact := new(big.Rat).SetFloat64(result)
	if exact == nil {
		return nil, true, errors.New("LOG is undefined for these numbers")
	}
	rounded, err := newNumeric(exact)
	return rounded, true, err
}

// logarithmTo is NaN where it is undefined.
func logarithmTo(base, x float64) float64 {
	switch {
	case x <= 0 || base <= 0 || base == 1:
		return math.NaN()
	case base == 10:
		return math.Log10(x)
	case base == 2:
		return math.Log2(x)
	}
	result := math.Log(x) / math.Log(base)
	if whole := math.Round(result); math.Pow(base, whole) == x {
		return whole
	}
	return result
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// steps refuses an array that would never end.
func steps(args []any) (any, bool, error) {
	if n, ok := number(args[len(args)-1]); len(args) == 3 && ok && n == 0 {
		return nil, true, errors.New("Sequence step cannot be 0.")
	}
	return nil, false, nil
}
