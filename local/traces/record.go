package traces

import (
	"strconv"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/waterfall"
)

// A Record names a record in Kafka.
type Record struct {
	Topic     string
	TopicID   string // "" for any topic of the name
	Partition int32
	Offset    int64
}

// Of returns the traces that tell of a record, in the order of what happens: of
// its producer, of the batches that it was in, and of the first run of the
// transform that changed something and began after the record's row was
// appended.
func (c *Collector) Of(r Record) []waterfall.Trace {
	all := c.Traces()
	var producers, batches, runs []waterfall.Trace
	producer := map[string]bool{}
	var appended time.Time
	for _, one := range all {
		found := false
		for i := range one.Spans {
			s := &one.Spans[i]
			if !r.isIn(s) {
				continue
			}
			found = true
			for _, link := range s.Links {
				if r.isLinked(link) {
					producer[link.TraceID] = true
				}
			}
			if lane := s.Attributes["stationflow.lane"]; batch.Lane(lane).Serves(batch.RowsLane) && isDelivery(s) &&
				s.Error == "" && (appended.IsZero() || s.End.Before(appended)) {
				appended = s.End
			}
		}
		if found {
			batches = append(batches, one)
		}
	}
	for _, one := range all {
		if producer[one.ID] {
			producers = append(producers, one)
		}
		if len(runs) == 0 && !appended.IsZero() && isRunAfter(one, appended) {
			runs = append(runs, one)
		}
	}
	return append(append(producers, batches...), runs...)
}

// isIn reports whether a span is that of a batch with the record.
func (r Record) isIn(s *waterfall.Span) bool {
	if s.Attributes["stationflow.topic"] != r.Topic || r.TopicID != "" && s.Attributes["stationflow.topic_id"] != r.TopicID {
		return false
	}
	ranges, err := batch.ParseRanges(s.Attributes["stationflow.ranges"])
	if err != nil {
		return false
	}
	for _, one := range ranges {
		if one.Partition == r.Partition && one.First <= r.Offset && r.Offset <= one.Last {
			return true
		}
	}
	return false
}

func (r Record) isLinked(link waterfall.Link) bool {
	return link.Attributes["messaging.destination.partition.id"] == strconv.Itoa(int(r.Partition)) &&
		link.Attributes["messaging.kafka.offset"] == strconv.FormatInt(r.Offset, 10)
}

// isDelivery reports whether the span of a batch is ingest's.
func isDelivery(s *waterfall.Span) bool { return s.Name == "ingest "+s.Attributes["stationflow.topic"] }

// isRunAfter reports whether a trace is of a run of the transform that changed
// something and began after the moment.
func isRunAfter(of waterfall.Trace, after time.Time) bool {
	for i := range of.Spans {
		s := &of.Spans[i]
		if changed := s.Attributes["stationflow.models_changed"]; s.Name == "transform" && changed != "" && changed != "0" {
			return !s.Start.Before(after)
		}
	}
	return false
}
