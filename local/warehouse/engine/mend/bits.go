package mend

import (
	"errors"
	"math/big"
)

// bytewise is a bitwise operator over BYTES of one length.
func bytewise(operator func(a, b byte) byte) better {
	return strict(func(args []any) (any, bool, error) {
		a, first := args[0].([]byte)
		b, second := args[1].([]byte)
		if !first || !second {
			return nil, false, nil
		}
		if len(a) != len(b) {
			return nil, true, errors.New("Bitwise binary operator for BYTES requires equal length of the inputs")
		}
		out := make([]byte, len(a))
		for i := range a {
			out[i] = operator(a[i], b[i])
		}
		return out, true, nil
	})
}

// invert is ~ over BYTES.
func invert(args []any) (any, bool, error) {
	b, ok := args[0].([]byte)
	out := make([]byte, len(b))
	for i := range b {
		out[i] = ^b[i]
	}
	return out, ok, nil
}

// shifted moves the bits of BYTES, which keep their length.
func shifted(left bool, rest func([]any) (any, bool, error)) better {
	return strict(func(args []any) (any, bool, error) {
		b, isBytes := args[0].([]byte)
		n, isNumber := args[1].(int64)
		if !isBytes || !isNumber {
			return rest(args)
		}
		if n < 0 {
			return nil, true, errors.New("Bitwise shift by a negative number")
		}
		bits := new(big.Int).SetBytes(b)
		by := uint(min(n, int64(8*len(b))))
		if left {
			mask := new(big.Int).Lsh(big.NewInt(1), uint(8*len(b)))
			bits.Lsh(bits, by).And(bits, mask.Sub(mask, big.NewInt(1)))
		} else {
			bits.Rsh(bits, by)
		}
		return bits.FillBytes(make([]byte, len(b))), true, nil
	})
}
