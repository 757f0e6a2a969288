package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stationflow/stationflow/event"
)

// books sorts everything by place. Rows that name no place are problems.
func (c *Check) books(j *judge, h harvest) map[Place]*books {
	all := map[Place]*books{}
	for place, extent := range c.kafka.extents {
		all[place] = &books{place: place, extent: extent}
	}
	at := func(place Place) *books {
		if all[place] == nil {
			all[place] = &books{place: place}
		}
		return all[place]
	}
	sets := map[Place]map[string][]Span{} // by table
	repeated := map[Place][]Span{}
	for _, run := range h.runs {
		if c.leftOut(run.Place.Topic) {
			continue
		}
		if run.Span == (Span{}) || run.Place.TopicID == "" {
			j.problems = append(j.problems, Finding{Kind: WrongTable, In: run.Table, Records: run.Rows,
				Text: fmt.Sprintf("%d rows of table %s do not say of which record they are", run.Rows, run.Table), Remedy: fmt.Sprintf(deleteRows, run.Table)})
			continue
		}
		at(run.Place).rows += run.Rows
		if sets[run.Place] == nil {
			sets[run.Place] = map[string][]Span{}
		}
		sets[run.Place][run.Table] = append(sets[run.Place][run.Table], run.Span)
		if run.Repeated {
			repeated[run.Place] = append(repeated[run.Place], run.Span)
		}
	}
	for place, tables := range sets {
		b := all[place]
		b.repeated = Of(repeated[place]...)
		for table, spans := range tables {
			switch table {
			case QuarantineTable:
				b.quarantine = Of(spans...)
			case place.Topic:
				b.staging = Of(spans...)
			default:
				if b.elsewhere == nil {
					b.elsewhere = map[string]Spans{}
				}
				b.elsewhere[table] = Of(spans...)
			}
		}
	}
	inLake := map[Place][]Span{}
	for _, f := range h.finds {
		for place, spans := range f.spans {
			place = known(all, place)
			at(place)
			inLake[place] = append(inLake[place], spans...)
			all[place].objects = append(all[place].objects, held{f.object.Name, spans})
		}
	}
	for place, spans := range inLake {
		all[place].lake = Of(spans...)
	}
	for i := range h.letters {
		for place, span := range h.letters[i].Ranges {
			if c.leftOut(place.Topic) {
				continue
			}
			b := at(place)
			b.letters = append(b.letters, letter{&h.letters[i], Of(span)})
		}
	}
	return all
}

// leftOut reports whether KAFKA_TOPICS leaves a topic of this project out.
// Nobody misses a canary.
func (c *Check) leftOut(topic string) bool {
	return !slices.Contains(c.sources.Kafka.Topics, topic) && (topic == event.CanaryTopic || slices.Contains(event.Topics(), topic))
}

// known completes the first digits of a topic's id, which is all that an
// object's name has.
func known(all map[Place]*books, place Place) Place {
	if len(place.TopicID) != 8 {
		return place
	}
	for other := range all {
		if other.Topic == place.Topic && other.Partition == place.Partition && strings.HasPrefix(other.TopicID, place.TopicID) {
			return other
		}
	}
	return place
}

// oddities are findings about more than one place.
func (j *judge) oddities(c *Check, all map[Place]*books, h harvest) {
	for _, sentence := range c.kafka.unread {
		j.problems = append(j.problems, Finding{Kind: UnreadTopic, Text: sentence})
	}
	for _, f := range h.finds {
		if f.broken != "" {
			j.bad(f.object, f.broken)
		}
	}
	for i := range h.letters {
		switch l := &h.letters[i]; {
		case l.Topic == "":
			j.notes = append(j.notes, Finding{Kind: BadLetter, In: l.ID, Text: "dead letter " + l.ID + " is not a batch of this pipeline: nobody can say which records it has, if any", Remedy: fmt.Sprintf(discardIt, l.ID)})
		case !j.outstanding[l] && !c.leftOut(l.Topic) && !j.bounded && c.options.To.IsZero():
			j.notes = append(j.notes, Finding{Kind: Settled, In: l.ID, Text: "dead letter " + l.ID + ": all its records have arrived", Remedy: fmt.Sprintf(takeAway, l.ID)})
		}
	}
	if j.byName {
		j.notes = append(j.notes, Finding{Kind: LakeByName, Text: fmt.Sprintf("the lake's %d objects have %s: only their names and ranges were compared", len(c.objects), Size(size(c.objects)))})
	}
	j.strangers(c, all)
}

// bad notes that an object cannot be read.
func (j *judge) bad(o Object, why string) { j.problems = append(j.problems, badObject(o, why)) }

func badObject(o Object, why string) Finding {
	return Finding{Kind: BadObject, In: o.Name, Remedy: replayObject(o), Text: fmt.Sprintf("object %s of %s%s: %s", o.Name, o.Topic, ranges(o), why)}
}

func ranges(o Object) string {
	if o.Ranges == "" {
		return ""
	}
	return " (" + o.Ranges + ")"
}

// strangers are topic ids that Kafka does not have.
func (j *judge) strangers(c *Check, all map[Place]*books) {
	owner := map[string]string{} // of a topic id
	for place := range c.kafka.extents {
		owner[place.TopicID] = place.Topic
	}
	partitions := map[Place]int64{} // of a topic id: how many records are there
	for place, b := range all {
		if b.extent == nil {
			landed := b.staging.Or(b.quarantine).Or(b.lake)
			partitions[Place{place.Topic, place.TopicID, 0}] += landed.Count()
			if owner[place.TopicID] == place.Topic && len(landed) > 0 {
				j.problem(NotInKafka, place, landed, "", "of a partition that Kafka never had", "Find out who wrote them")
			}
		}
	}
	for place, count := range partitions {
		switch name := cmp.Or(place.Topic, "no topic"); {
		case owner[place.TopicID] == place.Topic:
		case owner[place.TopicID] != "":
			j.problems = append(j.problems, Finding{Kind: NotInKafka, Place: Place{place.Topic, place.TopicID, 0},
				Text: fmt.Sprintf("%d records say they are of %s, but topic id %s is that of %s", count, name, place.TopicID, owner[place.TopicID]), Remedy: "Find out who wrote them"})
		case !slices.Contains(c.sources.Kafka.Topics, place.Topic):
			j.problems = append(j.problems, Finding{Kind: NotInKafka, Place: Place{place.Topic, place.TopicID, 0},
				Text: fmt.Sprintf("%d records are of %s, which is not a topic of this project", count, name), Remedy: "Find out who wrote them"})
		default:
			j.notes = append(j.notes, Finding{Kind: OtherTopicID, Place: Place{place.Topic, place.TopicID, 0},
				Text: fmt.Sprintf("%d records are of topic id %s, which Kafka does not have: the topic was deleted, or made again", count, place.TopicID)})
		}
	}
}
