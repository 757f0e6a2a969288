package jinja

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

var errOverflow = errors.New("the number becomes too large: whole numbers have up to 64 bits here")

// number is a value as Python calculates with it; false for one that is none.
func number(v Value) (whole int64, fraction float64, isWhole, ok bool) {
	switch v := v.(type) {
	case bool:
		if v {
			whole = 1
		}
		return whole, float64(whole), true, true
	case int64:
		return v, float64(v), true, true
	case float64:
		return 0, v, false, true
	}
	return 0, 0, false, false
}

// operate carries out an operator between two values.
func operate(operator string, a, b Value) (Value, error) {
	for _, v := range []Value{a, b} {
		if undefined, ok := v.(*Undefined); ok {
			return nil, undefined.err()
		}
	}
	if text, ok := a.(string); ok && operator == "%" {
		return formatted(text, b)
	}
	i, f, isWhole, isNumber := number(a)
	j, g, isWhole2, isNumber2 := number(b)
	switch {
	case isNumber && isNumber2 && isWhole && isWhole2:
		return operateWhole(operator, i, j)
	case isNumber && isNumber2:
		return operateFloat(operator, f, g)
	case operator == "+":
		if joined, ok := joined(a, b); ok {
			return joined, nil
		}
	case operator == "*" && isNumber2 && isWhole2:
		return repeated(a, j)
	case operator == "*" && isNumber && isWhole:
		return repeated(b, i)
	}
	return nil, fmt.Errorf("%s does not work between %s and %s", operator, aType(a), aType(b))
}

func operateWhole(operator string, i, j int64) (Value, error) {
	switch operator {
	case "+":
		if sum := i + j; (sum > i) == (j > 0) {
			return sum, nil
		}
		return nil, errOverflow
	case "-":
		if difference := i - j; (difference < i) == (j > 0) {
			return difference, nil
		}
		return nil, errOverflow
	case "*":
		if i == 0 || j == 0 {
			return int64(0), nil
		}
		if product := i * j; product/j == i && !(i == -1 && j == math.MinInt64) && !(j == -1 && i == math.MinInt64) {
			return product, nil
		}
		return nil, errOverflow
	case "**":
		return power(i, j)
	}
	if j == 0 {
		return nil, errors.New("division by zero")
	}
	if i == math.MinInt64 && j == -1 {
		return nil, errOverflow
	}
	switch operator {
	case "/":
		const exact = 1 << 53
		if i > exact || i < -exact || j > exact || j < -exact {
			return nil, errOverflow
		}
		return float64(i) / float64(j), nil
	case "//":
		quotient := i / j
		if i%j != 0 && (i < 0) != (j < 0) {
			quotient--
		}
		return quotient, nil
	}
	rest := i % j
	if rest != 0 && (rest < 0) != (j < 0) {
		rest += j
	}
	return rest, nil
}

func power(base, exponent int64) (Value, error) {
	if exponent < 0 {
		return operateFloat("**", float64(base), float64(exponent))
	}
	result := int64(1)
	for range exponent {
		next, err := operateWhole("*", result, base)
		if err != nil {
			return nil, err
		}
		if result = next.(int64); result == 0 || base == 1 {
			break
		}
		if base == -1 {
			return 1 - 2*(exponent%2), nil
		}
	}
	return result, nil
}

func operateFloat(operator string, f, g float64) (Value, error) {
	switch operator {
	case "+":
		return f + g, nil
	case "-":
		return f - g, nil
	case "*":
		return f * g, nil
	case "**":
		if f == 0 && g < 0 || f < 0 && g != math.Trunc(g) {
			return nil, fmt.Errorf("%s ** %s is not a real number", floatText(f), floatText(g))
		}
		if power := math.Pow(f, g); !math.IsInf(power, 0) || math.IsInf(f, 0) || math.IsInf(g, 0) {
			return power, nil
		}
		return nil, errOverflow
	}
	if g == 0 {
		return nil, errors.New("division by zero")
	}
	if operator == "/" {
		return f / g, nil
	}
	rest := math.Mod(f, g)
	quotient := (f - rest) / g
	if rest != 0 && (g < 0) != (rest < 0) {
		rest += g
		quotient--
	}
	if operator == "%" {
		if rest == 0 {
			rest = math.Copysign(0, g)
		}
		return rest, nil
	}
	if quotient == 0 {
		return math.Copysign(0, f/g), nil
	}
	floor := math.Floor(quotient)
	if quotient-floor > 0.5 {
		floor++
	}
	return floor, nil
}

// joined is the sum of two texts, lists or tuples.
func joined(a, b Value) (Value, bool) {
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return a + b, true
		}
	case *List:
		if b, ok := b.(*List); ok {
			return NewList(append(append([]Value{}, a.Items...), b.Items...)...), true
		}
	case *Tuple:
		if b, ok := b.(*Tuple); ok {
			return &Tuple{append(append([]Value{}, a.Items...), b.Items...)}, true
		}
	}
	return nil, false
}

// most is how large a text or list may become by repetition.
const most = 1 << 20

func repeated(v Value, times int64) (Value, error) {
	n := int(max(0, min(times, most)))
	items := func(list []Value) ([]Value, error) {
		if len(list)*n > most {
			return nil, errOverflow
		}
		var out []Value
		for range n {
			out = append(out, list...)
		}
		return out, nil
	}
	switch v := v.(type) {
	case string:
		if len(v)*n > most {
			return nil, errOverflow
		}
		return strings.Repeat(v, n), nil
	case *List:
		out, err := items(v.Items)
		return &List{out}, err
	case *Tuple:
		out, err := items(v.Items)
		return &Tuple{out}, err
	}
	return nil, fmt.Errorf("%s cannot be repeated", aType(v))
}

// Equal reports whether two values are the same to ==.
func Equal(a, b Value) bool {
	i, f, isWhole, ok := number(a)
	j, g, isWhole2, ok2 := number(b)
	if ok || ok2 {
		if isWhole && isWhole2 {
			return ok && ok2 && i == j
		}
		return ok && ok2 && f == g
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case string:
		b, ok := b.(string)
		return ok && a == b
	case *List:
		b, ok := b.(*List)
		return ok && sameItems(a.Items, b.Items)
	case *Tuple:
		b, ok := b.(*Tuple)
		return ok && sameItems(a.Items, b.Items)
	case *Dict:
		b, ok := b.(*Dict)
		return ok && sameEntries(a, b)
	case *Undefined:
		_, ok := b.(*Undefined)
		return ok
	case Func, *bound:
		return false
	case interface{ Same(Value) bool }:
		return a.Same(b)
	}
	if _, ok := b.(Func); ok {
		return false
	}
	return a == b
}

func sameItems(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func sameEntries(a, b *Dict) bool {
	if a.Len() != b.Len() {
		return false
	}
	for _, key := range a.Keys() {
		value, _ := a.Get(key)
		other, ok := b.Get(key)
		if !ok || !Equal(value, other) {
			return false
		}
	}
	return true
}

// order compares two values as < does.
func order(a, b Value) (int, error) {
	i, f, isWhole, ok := number(a)
	j, g, isWhole2, ok2 := number(b)
	if ok && ok2 {
		switch {
		case isWhole && isWhole2 && i < j, !(isWhole && isWhole2) && f < g:
			return -1, nil
		case isWhole && isWhole2 && i > j, !(isWhole && isWhole2) && f > g:
			return 1, nil
		}
		return 0, nil
	}
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return strings.Compare(a, b), nil
		}
	case *List:
		if b, ok := b.(*List); ok {
			return orderItems(a.Items, b.Items)
		}
	case *Tuple:
		if b, ok := b.(*Tuple); ok {
			return orderItems(a.Items, b.Items)
		}
	case *Undefined:
		return 0, a.err()
	}
	return 0, fmt.Errorf("%s and %s have no order", aType(a), aType(b))
}

func orderItems(a, b []Value) (int, error) {
	for i := range min(len(a), len(b)) {
		if Equal(a[i], b[i]) {
			continue
		}
		return order(a[i], b[i])
	}
	return len(a) - len(b), nil
}

// compare carries out a comparison.
func compare(operator string, a, b Value) (bool, error) {
	switch operator {
	case "==":
		return Equal(a, b), nil
	case "!=":
		return !Equal(a, b), nil
	case "in":
		return contains(b, a)
	case "not in":
		found, err := contains(b, a)
		return !found, err
	}
	n, err := order(a, b)
	switch operator {
	case "<":
		return n < 0, err
	case "<=":
		return n <= 0, err
	case ">":
		return n > 0, err
	}
	return n >= 0, err
}

// contains reports whether a value is in another.
func contains(in, v Value) (bool, error) {
	switch in := in.(type) {
	case string:
		text, ok := v.(string)
		if !ok {
			return false, fmt.Errorf("%s cannot be in a string", aType(v))
		}
		return strings.Contains(in, text), nil
	case *Dict:
		if _, err := hash(v); err != nil {
			return false, err
		}
		_, ok := in.Get(v)
		return ok, nil
	}
	items, err := Items(in)
	for _, item := range items {
		if Equal(item, v) {
			return true, nil
		}
	}
	return false, err
}

// Items are what a loop over a value goes through.
func Items(v Value) ([]Value, error) {
	switch v := v.(type) {
	case *List:
		return v.Items, nil
	case *Tuple:
		return v.Items, nil
	case *Dict:
		return append([]Value{}, v.Keys()...), nil
	case string:
		var items []Value
		for _, r := range v {
			items = append(items, string(r))
		}
		return items, nil
	case *Undefined:
		return nil, nil
	case interface{ Items() []Value }:
		return v.Items(), nil
	}
	return nil, fmt.Errorf("%s has no items to go through", aType(v))
}
