package pages

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// Numbers that count up, with leaps, are read back as they were, in little more
// than a byte each; others are left to the general compressor.
func TestCounting(t *testing.T) {
	for name, test := range map[string]struct {
		numbers func(random *rand.Rand) []int64
		counts  bool
		most    int // bytes for 1,000 numbers
	}{
		"one partition": {func(*rand.Rand) []int64 { return from(4_711, 5_000) }, true, 1_090},
		"six":           {func(*rand.Rand) []int64 { return runs(6, 400) }, true, 1_150},
		"six of the same offsets": {func(*rand.Rand) []int64 {
			return slices.Repeat(from(0, 400), 6)
		}, false, 0},
		"many of one block": {func(*rand.Rand) []int64 { // as only numbers with the same seven bytes are
			return append(slices.Repeat(from(0, 200), 60), 1<<40)
		}, true, 1_020},
		"a leap behind a full block": {func(*rand.Rand) []int64 {
			numbers := append(slices.Repeat(from(0, 200), 60), 1<<40)
			numbers[3+mostInBlock] = 1 << 50
			return numbers
		}, true, 1_020},
		"negative":     {func(*rand.Rand) []int64 { return from(-1_000, 2_000) }, true, 1_100},
		"a leap first": {func(*rand.Rand) []int64 { return append([]int64{1 << 40, 1 << 20}, from(77, 3_000)...) }, true, 1_100},
		"a leap last":  {func(*rand.Rand) []int64 { return append(from(0, 3_000), 1<<50) }, true, 1_100},
		"two leaps in a row": {func(*rand.Rand) []int64 {
			return append(append(from(0, 1_000), 1<<50, 1<<60), from(9, 1_000)...)
		}, true, 1_100},
		"gaps": {func(random *rand.Rand) []int64 {
			numbers := from(0, 5_000)
			for i := range numbers {
				numbers[i] += int64(i / 3 * random.IntN(2))
			}
			return numbers
		}, false, 0},
		"longer than a block": {func(*rand.Rand) []int64 { return from(0, 40_000) }, true, 1_090},
		"the same":            {func(*rand.Rand) []int64 { return make([]int64, 4_000) }, false, 0},
		"small":               {func(random *rand.Rand) []int64 { return small(random, 4_000) }, false, 0},
		"one":                 {func(*rand.Rand) []int64 { return []int64{7} }, false, 0},
		"none":                {func(*rand.Rand) []int64 { return nil }, false, 0},
		"random":              {func(random *rand.Rand) []int64 { return scattered(random, 3_000) }, false, 0},
	} {
		numbers := test.numbers(rand.New(rand.NewPCG(1, 2)))
		blocks, counts := appendCounting(nil, numbers)
		if counts != test.counts {
			t.Errorf("%s: it counts: %v", name, counts)
		}
		if counts && len(blocks)*1000/len(numbers) > test.most {
			t.Errorf("%s: %d bytes for %d numbers", name, len(blocks), len(numbers))
		}
		checkCounting(t, numbers)
	}
}

// FuzzCounting draws runs of numbers and leaps between them.
func FuzzCounting(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, 3_000, 100)
	}
	f.Fuzz(func(t *testing.T, seed uint64, count, leap int) {
		random := rand.New(rand.NewPCG(seed, 3))
		numbers := make([]int64, max(0, count)%50_000)
		next := random.Int64()
		for i := range numbers {
			if random.IntN(max(1, leap)) == 0 {
				next = random.Int64() >> random.IntN(64)
			}
			numbers[i] = next
			next += int64(random.IntN(3))
		}
		checkCounting(t, numbers)
	})
}

func checkCounting(t *testing.T, numbers []int64) {
	t.Helper()
	blocks, counts := appendCounting(nil, numbers)
	if !counts {
		return
	}
	plain := appendNumbers(nil, numbers)
	got, err := decoder.DecodeAll(append(appendFrame(nil, len(plain)), blocks...), nil)
	if err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%d numbers from %d on are read otherwise: %v", len(numbers), numbers[0], err)
	}
}

var decoder, _ = zstd.NewReader(nil)

func from(first int64, count int) []int64 { return runs(1, count, first) }

// runs are numbers of so many partitions, one after the other.
func runs(partitions, count int, first ...int64) (numbers []int64) {
	for p := range partitions {
		begin := int64(p) * 1_000_003
		if len(first) > 0 {
			begin = first[0]
		}
		for i := range count {
			numbers = append(numbers, begin+int64(i))
		}
	}
	return numbers
}

func small(random *rand.Rand, count int) []int64 {
	numbers := make([]int64, count)
	for i := range numbers {
		numbers[i] = random.Int64N(200)
	}
	return numbers
}

func scattered(random *rand.Rand, count int) []int64 {
	numbers := make([]int64, count)
	for i := range numbers {
		numbers[i] = random.Int64()
	}
	return numbers
}
