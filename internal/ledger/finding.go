package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/lake"
)

// A Kind is what is wrong, or worth to be known.
type Kind string

// What keeps a period from being complete.
const (
	Missing      Kind = "missing"        // Kafka holds records that are nowhere else
	DeadLettered Kind = "dead_letter"    // a dead letter has what no table has
	OnlyInLake   Kind = "only_in_lake"   // the lake has what no table has
	NotInLake    Kind = "not_in_lake"    // staging has what the lake lacks
	Different    Kind = "different"      // lake and staging have other values of a record
	Waiting      Kind = "waiting"        // the bridge has not handed on records that are not young
	WrongTable   Kind = "wrong_table"    // a table has rows of another topic
	NotInKafka   Kind = "not_in_kafka"   // rows that say they are of records which Kafka never had
	BadObject    Kind = "bad_object"     // an object cannot be read, or is somebody else's
	UnreadTopic  Kind = "unread_topic"   // Kafka does not tell of a topic
	InFlight     Kind = "in_flight"      // from here on notes: young records that have not arrived everywhere
	Duplicates   Kind = "duplicates"     // rows beyond one for each record, which readers drop
	InBoth       Kind = "in_both"        // a delivery refused what another accepted
	OtherTopicID Kind = "other_topic_id" // records of a topic that was deleted, or made again
	NoRecords    Kind = "no_records"     // offsets without a record
	Deleted      Kind = "deleted"        // Kafka deleted offsets that are in no table
	Expired      Kind = "expired"        // the lake has what staging keeps no longer
	Unfinished   Kind = "unfinished"     // a transaction is open
	Settled      Kind = "settled"        // a dead letter whose records have arrived
	BadLetter    Kind = "bad_letter"     // a dead letter that is no batch; what is missing is found out without it
	SetAside     Kind = "set_aside"      // the lake has the bytes of records that no file could hold
	NotCompared  Kind = "not_compared"   // values of too many records were to be compared
	LakeByName   Kind = "lake_by_name"   // the contents of objects were not read
)

// A Finding is one thing about some offsets of a place.
type Finding struct {
	Kind    Kind  `json:"kind"`
	Place         // of no place: Topic is ""
	First   int64 `json:"first_offset"`
	Last    int64 `json:"last_offset"`
	Records int64 `json:"records"` // offsets, or rows where Kind says so

	Ranges string `json:"ranges,omitempty"` // of the offsets, when they are not all from First to Last
	In     string `json:"in,omitempty"`     // the table, object or dead letter
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}

// Sentence is the finding without its place, in one line.
func (f Finding) Sentence() string {
	if f.Remedy == "" {
		return f.Text
	}
	return f.Text + ". " + f.Remedy
}

// String is the finding in one line.
func (f Finding) String() string {
	line := f.Text
	if f.Topic != "" && f.Records > 0 {
		line = fmt.Sprintf("%s %s: %s", f.Place, f.where(), f.Text)
	} else if f.Topic != "" {
		line = fmt.Sprintf("%s: %s", f.Topic, f.Text)
	}
	if f.Remedy != "" {
		line += ". " + f.Remedy
	}
	return line
}

func (f Finding) where() string {
	if f.First == f.Last {
		return fmt.Sprintf("offset %d", f.First)
	}
	return "offsets " + cmp.Or(f.Ranges, Span{f.First, f.Last + 1}.String())
}

// of makes a finding about offsets; there are some.
func of(kind Kind, place Place, offsets Spans, text, remedy string) Finding {
	f := Finding{Kind: kind, Place: place, Records: offsets.Count(), Text: text, Remedy: remedy,
		First: offsets[0].First, Last: offsets[len(offsets)-1].Next - 1}
	if len(offsets) > 1 {
		f.Ranges = offsets.String()
	}
	return f
}

// records counts in words.
func records(offsets Spans) string {
	if n := offsets.Count(); n != 1 {
		return fmt.Sprintf("%d records", n)
	}
	return "1 record"
}

func sortFindings(all []Finding) {
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(compare(a.Place, b.Place), cmp.Compare(a.First, b.First))
	})
}

// What to do, by command, of which docs/runbooks.md says more. A command is
// whole, and goes on to the end of its line: it can be pasted as it stands.
const (
	sendAgain  = "Send it again: stationflow deadletters resend %s"
	seeValues  = "Somebody changed the row or the object, and Kafka has what was sent. See both: stationflow trace %s/%d"
	seeBridge  = "See whether the bridge runs and what its /healthz says (docs/runbooks.md, lag): stationflow status"
	deleteRows = "Find out who wrote them, and delete them from %s: they are no rows of that topic"
	takeAway   = "Take it away, which keeps it in the lake: stationflow deadletters discard --reason \"its records have arrived\" %s"
	discardIt  = "Look at it by deadletters show, and take it away, which keeps it in the lake: stationflow deadletters discard --reason \"not a batch\" %s"
)

// fromKafka is how to send what Kafka holds to ingest again. What lies between
// several ranges is sent, too, which does no harm.
func fromKafka(place Place, offsets Spans) string {
	return replayKafka("Send them again from Kafka", place.Topic, place.Partition, offsets[0].First, offsets[len(offsets)-1].Next-1)
}

// intoLake is how to write what the lake lacks.
func intoLake(place Place, offsets Spans) string {
	return replayKafka("To write what the lake lacks, send them again from Kafka", place.Topic, place.Partition, offsets[0].First, offsets[len(offsets)-1].Next-1)
}

// replayObject is how to have what an object that is taken away should hold
// written again: the ranges of its batch, where they are known.
func replayObject(o Object) string {
	const away = "Find out who wrote it, and move it out of the folder. "
	ranges, err := batch.ParseRanges(o.Ranges)
	if err != nil || len(ranges) != 1 { // of several, each is found missing then
		return away + "Then see what is missing, each with its command: stationflow verify"
	}
	return replayKafka(away+"Then have its records written again from Kafka", o.Topic, int64(ranges[0].Partition), ranges[0].First, ranges[0].Last)
}

// replayKafka is the command behind words.
func replayKafka(words, topic string, partition, first, last int64) string {
	return fmt.Sprintf("%s: stationflow replay kafka --topic %s --partition %d --offsets %d-%d", words, topic, partition, first, last)
}

// compareBoth is how to see what lake and staging have of the first of the
// records.
func compareBoth(place Place, offsets Spans) string {
	return fmt.Sprintf(seeValues, place, offsets[0].First)
}

// fromLake is how to put what the objects hold back into staging: the events of
// their hours, or of all times where no name tells the hour.
func fromLake(place Place, objects []string) string {
	var first, last time.Time
	for _, name := range objects {
		hour, ok := lake.FolderHour(name)
		if ok && (first.IsZero() || hour.Before(first)) {
			first = hour
		}
		if ok && hour.After(last) {
			last = hour
		}
	}
	const form = "2006-01-02T15:04"
	if first.IsZero() {
		return "Put them back from the lake, by the hours in which they lie: stationflow replay lake --help"
	}
	return fmt.Sprintf("Put them back from the lake: stationflow replay lake --topic %s --from %s --to %s",
		place.Topic, first.Format(form), last.Add(time.Hour).Format(form))
}
