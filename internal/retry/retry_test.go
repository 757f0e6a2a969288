package retry

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestBackoff_GrowsWithinItsBounds(t *testing.T) {
	b := Backoff{Min: 100 * time.Millisecond, Max: 5 * time.Second}
	for failed := -1; failed < 100; failed++ {
		most := min(b.Min<<min(max(failed, 0), 16), b.Max)
		seen := map[time.Duration]bool{}
		for range 20 {
			d := b.After(failed)
			if d < most/2 || d > most+1 {
				t.Fatalf("after %d failures: %v, want %v to %v", failed, d, most/2, most)
			}
			seen[d] = true
		}
		if len(seen) < 2 {
			t.Errorf("after %d failures all pauses are the same", failed)
		}
	}
	if d := (Backoff{Min: time.Minute, Max: time.Millisecond}).After(0); d > time.Millisecond {
		t.Errorf("a pause of %v is longer than the longest", d)
	}
	if d := (Backoff{Min: 1, Max: 1}).After(1 << 30); d > 1 {
		t.Errorf("a pause of %v is longer than the longest", d)
	}
}

var errPasses, errStays = errors.New("busy"), errors.New("no")

func passes(err error) bool { return errors.Is(err, errPasses) }

func TestDo(t *testing.T) {
	pauses := Backoff{Min: time.Second, Max: 4 * time.Second}
	for name, test := range map[string]struct {
		answers     []error // of one attempt after the other; the last repeats
		attempts    int
		want        error
		tries       int
		least, most time.Duration
	}{
		"at once":              {[]error{nil}, 4, nil, 1, 0, 0},
		"after two":            {[]error{errPasses, errPasses, nil}, 4, nil, 3, 1500 * time.Millisecond, 3 * time.Second},
		"never":                {[]error{errPasses}, 5, errPasses, 5, 5500 * time.Millisecond, 11 * time.Second},
		"what will not pass":   {[]error{errPasses, errStays}, 5, errStays, 2, 500 * time.Millisecond, time.Second},
		"one attempt":          {[]error{errPasses}, 1, errPasses, 1, 0, 0},
		"not even one attempt": {[]error{errPasses}, 0, errPasses, 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, tries := time.Now(), 0
				err := Do(t.Context(), test.attempts, pauses, passes, func() error {
					tries++
					return test.answers[min(tries, len(test.answers))-1]
				})
				took := time.Since(began)
				if !errors.Is(err, test.want) || tries != test.tries || took < test.least || took > test.most+time.Microsecond {
					t.Errorf("%d attempts in %v ended with %v, want %d in %v to %v and %v", tries, took, err, test.tries, test.least, test.most, test.want)
				}
			})
		})
	}
}

// Told to stop, it stops at once, and returns what the last attempt said.
func TestDo_EndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		defer cancel()
		err := Do(ctx, 1000, Backoff{Min: time.Hour, Max: time.Hour}, passes, func() error { return errPasses })
		if took := time.Since(began); !errors.Is(err, errPasses) || took != 700*time.Millisecond {
			t.Errorf("it ended after %v with %v", took, err)
		}
	})
}
