package batch

// A Lane is a way from the bridge to where records are kept. Each record
// travels in both lanes: in a batch of each, or in one batch that serves both.
type Lane string

// The lanes, as extension lane says them.
const (
	RowsLane  Lane = "rows" // wants records within seconds, to append them row by row
	LakeLane  Lane = "lake" // wants many records at once, to write large files
	BothLanes Lane = "both" // a batch that serves either
)

// Serves reports whether a batch of this lane is for those who take the other.
func (l Lane) Serves(other Lane) bool { return l == other || l == BothLanes }

func (l Lane) valid() bool { return l == RowsLane || l == LakeLane || l == BothLanes }
