package batch

// A Lane is one of the two ways from the bridge to where records are kept. A
// batch of EventType serves both.
type Lane string

// The lanes.
const (
	RowsLane Lane = "rows" // wants records within seconds, to append them row by row
	LakeLane Lane = "lake" // wants many records at once, to write large files
)
