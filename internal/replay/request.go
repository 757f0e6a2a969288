package replay

import (
	"slices"
	"time"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/program"
)

// Where records are replayed from.
const (
	FromKafka = "kafka"
	FromLake  = "lake"
)

// A Request says what to replay.
type Request struct {
	Source      string    // FromKafka or FromLake
	Topics      []string  // sorted by Check; none for all
	Partition   int       // of the offsets; -1 for none
	First, Last int64     // offsets, both included; -1 for none
	From, To    time.Time // of the records' own time in the lake, of Kafka's timestamps; the first is included
	DryRun      bool      // only count
	After       string    // go on behind this, a Report's Last
}

// Check reports what cannot be meant, and fills in all topics where none is
// named. name is how the caller's person writes a member of the request, given
// in the words of the command line without its dashes.
func (r *Request) Check(now time.Time, name func(string) string) error {
	for _, topic := range r.Topics {
		if err := event.CheckTopic(topic); err != nil {
			return program.AsMistake(err)
		}
	}
	offsets, times := r.First >= 0, !r.From.IsZero() || !r.To.IsZero()
	from, to, topic, partition, both := name("from")+" TIME", name("to")+" TIME", name("topic"), name("partition"), name("offsets")
	switch {
	case !r.From.IsZero() && !r.To.IsZero() && !r.From.Before(r.To):
		return program.Mistakef("%s is not before %s", name("from"), name("to"))
	case r.Source == FromLake && (r.From.IsZero() || r.To.IsZero()):
		return program.Mistakef("say of which time: %s %s", from, to)
	case r.Source == FromLake && (offsets || r.Partition >= 0):
		return program.Mistakef("%s and %s are Kafka's: of the lake say %s %s", both, partition, from, to)
	case r.Source == FromLake:
	case offsets == times:
		return program.Mistakef("say what to replay: %s TOPIC %s N %s A-B, or %s %s", topic, partition, both, from, to)
	case offsets && (len(r.Topics) != 1 || r.Partition < 0):
		return program.Mistakef("%s are of one partition: name it by %s TOPIC %s N", both, topic, partition)
	case times && r.Partition >= 0:
		return program.Mistakef("%s goes with %s; %s and %s are of all partitions", partition, both, name("from"), name("to"))
	case times && r.From.IsZero():
		return program.Mistakef("say from when on: %s", from)
	case !r.From.IsZero() && r.From.After(now):
		return program.Mistakef("%s is in the future: nothing was written then", name("from"))
	}
	if len(r.Topics) == 0 {
		r.Topics = event.Topics()
	}
	r.Topics = slices.Compact(slices.Sorted(slices.Values(r.Topics)))
	return nil
}

// A Report is what a replay did, also one that ended with an error. Members may
// be added.
type Report struct {
	DryRun  bool   `json:"dry_run"` // nothing was sent
	Bytes   int64  `json:"bytes_read"`
	Records int64  `json:"records"`
	Retried int64  `json:"retried"`           // those of the records that are in quarantine, and are judged again
	Batches int64  `json:"batches,omitempty"` // that were sent to ingest
	Last    string `json:"last"`              // how far it came, for Request.After; "" where nothing was done
}
