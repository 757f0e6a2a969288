package simulator

import "time"

// StepLength is the simulated time of one step.
const StepLength = 5 * time.Minute

// hours returns when the stations open and close on a moment's local day:
// 06:00 and 22:55.
func hours(at time.Time) (opening, closing time.Time) {
	year, month, day := at.Date()
	return time.Date(year, month, day, 6, 0, 0, 0, at.Location()),
		time.Date(year, month, day, 22, 55, 0, 0, at.Location())
}

// firstOpenStep returns the beginning of the step that at lies in, or of the
// first step of the next opening when the stations are closed.
func firstOpenStep(at time.Time) time.Time {
	opening, closing := hours(at)
	if at.Before(opening) {
		return opening
	}
	if at.Before(closing) {
		return opening.Add(at.Sub(opening).Truncate(StepLength))
	}
	year, month, day := at.Date()
	opening, _ = hours(time.Date(year, month, day+1, 12, 0, 0, 0, at.Location()))
	return opening
}

// peak tells whether a local moment lies in the rush: 07:00 to 09:00 and
// 17:00 to 19:00.
func peak(at time.Time) bool {
	switch at.Hour() {
	case 7, 8, 17, 18:
		return true
	}
	return false
}
