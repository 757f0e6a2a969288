package simulator

import "time"

// StepLength is the simulated time of one step.
const StepLength = 5 * time.Minute

// Hours are when all stations open and close, as times of day by the local
// clock. Both are multiples of StepLength, on one day, the opening first.
type Hours struct{ Opens, Closes time.Duration }

// defaultHours returns the hours of the four stations: 06:00 to 22:55.
func defaultHours() Hours {
	return Hours{Opens: 6 * time.Hour, Closes: 22*time.Hour + 55*time.Minute}
}

// on returns when the stations open and close on a moment's local day.
func (h Hours) on(at time.Time) (opening, closing time.Time) {
	year, month, day := at.Date()
	clock := func(ofDay time.Duration) time.Time {
		return time.Date(year, month, day, 0, int(ofDay/time.Minute), 0, 0, at.Location())
	}
	return clock(h.Opens), clock(h.Closes)
}

// firstOpenStep returns the beginning of the step that at lies in, or of the
// first step of the next opening when the stations are closed.
func (h Hours) firstOpenStep(at time.Time) time.Time {
	opening, closing := h.on(at)
	if at.Before(opening) {
		return opening
	}
	if at.Before(closing) {
		return opening.Add(at.Sub(opening).Truncate(StepLength))
	}
	year, month, day := at.Date()
	opening, _ = h.on(time.Date(year, month, day+1, 12, 0, 0, 0, at.Location()))
	return opening
}

// peak reports whether a local moment lies in the rush: 07:00 to 09:00 and
// 17:00 to 19:00.
func peak(at time.Time) bool {
	switch at.Hour() {
	case 7, 8, 17, 18:
		return true
	}
	return false
}
