package event

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

func TestParseInt(t *testing.T) {
	const notWhole, tooBig = "not whole", "too big"
	zeros := strings.Repeat("0", 1_000_000)
	for text, want := range map[string]string{
		"0": "0", "-0": "0", "0.0": "0", "-0.000e5": "0", "0e999999999999999999999": "0", "0e-99": "0",
		"3": "3", "3.0": "3", "3e2": "300", "3E+2": "300", "30e-1": "3", "300e-2": "3", "0.3e1": "3", "1.50e1": "15", "-12.00": "-12", "0.00012e5": "12",
		"9007199254740993": "9007199254740993", "9007199254740993.0": "9007199254740993", "9007199254740.993e3": "9007199254740993",
		"9223372036854775807": "9223372036854775807", "9223372036854775807.0": "9223372036854775807", "0.9223372036854775807e19": "9223372036854775807",
		"92233720368547758070e-1": "9223372036854775807", "-9223372036854775808": "-9223372036854775808", "-9.223372036854775808e18": "-9223372036854775808",
		"1000000000000000000": "1000000000000000000", "1e18": "1000000000000000000", "9e18": "9000000000000000000",
		"1" + zeros + "e-1000000": "1", "0." + zeros + "7e1000001": "7", zeros[:1] + "." + zeros: "0",
		"3.5": notWhole, "1e-1": notWhole, "35e-1": notWhole, "0.1": notWhole, "-0.1": notWhole, "1e-999999999999999999999": notWhole, "10e-2": notWhole,
		"9223372036854775807.5": notWhole, "0." + zeros + "7": notWhole, "12345678901234567890.1": notWhole,
		"9223372036854775808": tooBig, "-9223372036854775809": tooBig, "9223372036854775808.0": tooBig, "1e19": tooBig, "10e18": tooBig, "18446744073709551616": tooBig,
		"1e999999999": tooBig, "-1e999999999999999999999": tooBig, "1" + zeros: tooBig, "123456789012345678901234567890": tooBig, "1.5e999999999": tooBig,
		"99999999999999999999": tooBig, "9999999999999999999": tooBig,
	} {
		got := notWhole
		if n, whole, fits := parseInt([]byte(text)); whole && fits {
			got = strconv.FormatInt(n, 10)
		} else if whole {
			got = tooBig
		}
		if got != want {
			t.Errorf("%.40s is %s, want %s", text, got, want)
		}
	}
}

// Random numbers around the limits against exact rational arithmetic.
func TestParseInt_Exact(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50_000 {
		text := randomNumber(random)
		want, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatalf("no number: %s", text)
		}
		n, whole, fits := parseInt([]byte(text))
		if whole != want.IsInt() || whole && fits != want.Num().IsInt64() || whole && fits && n != want.Num().Int64() {
			t.Fatalf("%s: got %d, whole %t, fits %t", text, n, whole, fits)
		}
	}
}

func TestParseFloat_IsTheNearest(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	texts := []string{"0", "-0", "-0.0", "0.1", "1e308", "1.7976931348623157e308", "5e-324", "1e-400", "9007199254740993", "123456789.123456789", "0.30000000000000004", "999999999999999.9", "9999999999999999", "1e23"}
	for range 50_000 {
		texts = append(texts, randomNumber(random), strconv.FormatFloat(math.Float64frombits(random.Uint64()&^(1<<62)), 'g', -1, 64))
	}
	for _, text := range texts {
		want, err := strconv.ParseFloat(text, 64)
		got, fits := parseFloat([]byte(text))
		if math.Float64bits(got) != math.Float64bits(want) || fits != (err == nil) {
			t.Fatalf("%s is %v, want %v", text, got, want)
		}
	}
	for _, text := range []string{"1e309", "-1e309", "1e999999999", "1.7976931348623159e308"} {
		if _, fits := parseFloat([]byte(text)); fits {
			t.Errorf("%s fits", text)
		}
	}
}

// randomNumber returns the text of a number, often one close to 2^63.
func randomNumber(random *rand.Rand) string {
	digits := strconv.FormatUint(random.Uint64()>>random.IntN(64), 10)
	switch random.IntN(4) {
	case 0:
		digits = strconv.FormatUint(1<<63+uint64(random.IntN(5))-2, 10)
	case 1:
		digits += strings.Repeat("0", random.IntN(6))
	}
	sign := [...]string{"", "-"}[random.IntN(2)]
	exponent := [...]string{"", "e%d", "E%+d"}[random.IntN(3)]
	if exponent != "" {
		exponent = fmt.Sprintf(exponent, random.IntN(41)-20)
	}
	if point := random.IntN(len(digits) + 1); point > 0 && point < len(digits) {
		return sign + digits[:point] + "." + digits[point:] + exponent
	}
	return sign + digits + exponent
}
