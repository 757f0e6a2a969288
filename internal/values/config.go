package values

import (
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/env"
)

// EpochUnit reads STATION_EPOCH_UNIT.
func EpochUnit(r *env.Reader) event.EpochUnit {
	const none = "none"
	if unit := r.OneOf("STATION_EPOCH_UNIT", none, "s", "ms", "us", "ns"); unit != none {
		return event.EpochUnit(unit)
	}
	return ""
}
