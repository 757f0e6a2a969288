package simulator

import "time"

// An agenda holds what is going to happen, by the second. Of two things due in
// the same one the one added first happens first.
type agenda map[int64][]func()

// add has happen called in the second of at, which must not be over.
func (a agenda) add(at time.Time, happen func()) {
	a[at.Unix()] = append(a[at.Unix()], happen)
}

// play has happen, in order, all that is due from begin up to, not including,
// end, with what is added meanwhile.
func (a agenda) play(begin, end time.Time) {
	for second := begin.Unix(); second < end.Unix(); second++ {
		if len(a[second]) == 0 {
			continue
		}
		for i := 0; i < len(a[second]); i++ {
			a[second][i]()
		}
		delete(a, second)
	}
}
