package simulator

import (
	"math"
	"math/rand/v2"
	"time"
)

// A chance draws from the distributions of the model.
type chance struct{ *rand.Rand }

// happens is true with the given probability.
func (c chance) happens(probability float64) bool { return c.Float64() < probability }

// exponential draws from the exponential distribution of that mean.
func (c chance) exponential(mean float64) float64 {
	return -mean * math.Log1p(-c.Float64())
}

// within draws a duration from [0, limit), all equally likely.
func (c chance) within(limit time.Duration) time.Duration {
	return time.Duration(c.Int64N(int64(limit)))
}

// poisson draws from the Poisson distribution of that mean, by counting
// arrivals until a unit of time has passed. It takes time in proportion to
// the mean, which must stay below 700.
func (c chance) poisson(mean float64) int64 {
	limit, product := math.Exp(-mean), c.Float64()
	count := int64(0)
	for ; product > limit; count++ {
		product *= c.Float64()
	}
	return count
}

// some draws how many of count remain when each does with the given
// probability.
func (c chance) some(count int64, probability float64) int64 {
	remain := int64(0)
	for range count {
		if c.happens(probability) {
			remain++
		}
	}
	return remain
}

// pick draws one of options, all equally likely.
func pick[T any](c chance, options ...T) T { return options[c.IntN(len(options))] }

// tenths rounds to a multiple of 0.1, the precision of minutes in events.
func tenths(minutes float64) float64 { return math.Round(minutes*10) / 10 }

// ofMinutes returns minutes as a duration, exact for multiples of 0.1.
func ofMinutes(minutes float64) time.Duration {
	return time.Duration(math.Round(minutes*60)) * time.Second
}
