package status

import (
	"fmt"
	"strings"
)

// CountNote says why hops count more records than Kafka, which people else take
// for an error; "" where none does. What passes within two seconds is left out,
// for the hops are not counted at one moment.
func CountNote(hops []OfHop) string {
	most := int64(0)
	var more []string
	for i := range hops {
		hop := &hops[i]
		if hop.Hop == Kafka {
			most = hop.Records
			if hop.PerSecond != nil {
				most += int64(2 * *hop.PerSecond)
			}
		} else if hop.Unit == Records && hop.Records > most {
			more = append(more, hop.Name)
		}
	}
	if len(more) == 0 {
		return ""
	}
	verb := "count"
	if len(more) == 1 {
		verb = "counts"
	}
	return fmt.Sprintf("%s %s more records than Kafka holds. Records that were sent again, by a replay, a retry or a second delivery, "+
		"are counted each time, and so are those that Kafka has deleted since. In the figures each record counts once.", strings.Join(more, ", "), verb)
}

// Units of a hop's count.
const (
	Records = "records"
	Models  = "models" // of the last run
	Rows    = "rows"   // of tables
)
