package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"golang.org/x/sync/errgroup"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/pause"
)

// A Report says where the records of a period are.
type Report struct {
	Complete   bool       `json:"complete"`
	CheckedAt  time.Time  `json:"checked_at"`
	From       *time.Time `json:"from,omitempty"`
	To         *time.Time `json:"to,omitempty"`
	Scanned    Scan       `json:"scanned"`
	Partitions []Account  `json:"partitions"`
	Problems   []Finding  `json:"problems"`
	Notes      []Finding  `json:"notes"`
}

// A Check is one that was begun: Kafka has been asked, and it is known how much
// is to be read. It is for one goroutine, and is to be closed.
type Check struct {
	Scan Scan

	sources Sources
	options Options
	kafka   *reading
	records func(context.Context, Place, Spans) (Spans, error)
	expires bool
	in      arrived
	days    time.Time // folders of event days before are not listed; zero for all
	objects []Object
	harvest harvest
	keeps   bool // what was read of the tables and of the dead letters stands
}

// Begin asks Kafka, lists the lake's objects, and has BigQuery say how much it
// would read. Nothing of this is billed by the byte.
func Begin(ctx context.Context, s Sources, o Options) (_ *Check, err error) {
	c := &Check{sources: s, options: o}
	if !o.From.IsZero() {
		c.in.from, c.days = o.From.Add(-slack), o.From.Add(-2*late)
	}
	if until := o.To.Add(late); !o.To.IsZero() && until.Before(o.Now) {
		c.in.to = until
	}
	of := times{from: o.From, to: o.To, settled: o.Now.Add(-o.InFlight)}
	if s.Warehouse != nil {
		keeps, err := s.Warehouse.keeps(ctx)
		if err != nil {
			return nil, err
		}
		if c.expires = keeps > 0; c.expires {
			of.kept = o.Now.Add(-keeps)
		}
	}
	if c.kafka, err = s.Kafka.look(ctx, of); err != nil {
		return nil, err
	}
	c.records = func(ctx context.Context, place Place, among Spans) (Spans, error) {
		return Records(ctx, c.kafka.client, place.at(), among)
	}
	c.narrow()
	if err := c.plan(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// narrow leaves out the topics that have no record in the period: while nothing
// comes, nothing is read.
func (c *Check) narrow() {
	if c.options.From.IsZero() {
		return
	}
	recent := c.options.Now.Sub(c.options.From) <= late // so that Kafka holds all of the period
	in := map[string]bool{}
	for place, extent := range c.kafka.extents {
		in[place.Topic] = in[place.Topic] || extent.From < extent.To || !recent && extent.From == extent.Begin
	}
	idle := func(topic string) bool { return !in[topic] }
	if w := c.sources.Warehouse; w != nil {
		narrowed := *w
		narrowed.Tables = slices.DeleteFunc(slices.Clone(w.Tables), func(table string) bool { return table != QuarantineTable && idle(table) })
		if len(narrowed.Tables) == 1 {
			narrowed.Tables = nil
		}
		c.sources.Warehouse = &narrowed
	}
	if l := c.sources.Lake; l != nil {
		narrowed := *l
		narrowed.Topics = slices.DeleteFunc(slices.Clone(l.Topics), idle)
		c.sources.Lake = &narrowed
	}
}

// Close ends the connection to Kafka.
func (c *Check) Close() error { return c.kafka.end() }

// plan finds out how much there is to read. Folders of event days long before
// the period are looked at later, where something is missing.
func (c *Check) plan(ctx context.Context) error {
	c.Scan = Scan{}
	group, ctx := errgroup.WithContext(ctx)
	if w := c.sources.Warehouse; w != nil && !c.keeps {
		group.Go(func() (err error) {
			c.Scan.BigQueryBytes, err = w.estimate(ctx, c.in)
			if err == nil && c.compares() {
				var more int64
				more, err = w.estimateValues(ctx, c.in)
				c.Scan.BigQueryBytes += more
			}
			return err
		})
	}
	if l := c.sources.Lake; l != nil {
		group.Go(func() (err error) {
			c.objects, err = l.list(ctx, c.in, c.days)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if c.Scan.Objects = len(c.objects); c.sources.Lake != nil && size(c.objects) <= c.sources.Lake.ReadBytes {
		c.Scan.ObjectBytes = size(c.objects)
		if c.compares() {
			c.Scan.ObjectBytes *= 2
		}
	}
	return nil
}

// compares reports whether there are values to compare.
func (c *Check) compares() bool {
	return c.options.Values && c.sources.Warehouse != nil && c.sources.Lake != nil
}

// settling is how long records that were handed on get to arrive, before it is
// looked whether any has.
const settling = 3 * time.Second

// Run reads what Scan says and compares it. It reads once more, and says so to
// again beforehand, where that may explain what is missing:
//
//   - Young records that the bridge has handed on have not arrived. If some of
//     them have after a pause, the others are in flight; if none has, they are
//     missing.
//   - A period was given: what is missing may have arrived long after it, or the
//     lake may have it under an earlier event day.
func (c *Check) Run(ctx context.Context, again func(why string, more Scan)) (*Report, error) {
	report, err := c.rounds(ctx, again)
	if err == nil && c.compares() {
		err = c.compareValues(ctx, report)
	}
	return report, err
}

func (c *Check) rounds(ctx context.Context, again func(why string, more Scan)) (*Report, error) {
	j := &judge{moving: true}
	report, err := c.round(ctx, j)
	if err == nil && j.young > 0 {
		report, j.moving, err = c.settle(ctx, again, j.young)
	}
	bounded := !c.in.from.IsZero() || !c.in.to.IsZero()
	if err != nil || report.Complete || !bounded {
		return report, err
	}
	c.keeps = c.in.to.IsZero() // the tables were read without a bound
	c.in.to, c.days = time.Time{}, time.Time{}
	return c.oneMore(ctx, "something is missing, which may have arrived late", again, &judge{moving: j.moving})
}

// settle looks again after a pause at the young records that were handed on and
// had not arrived. moving says whether any has.
func (c *Check) settle(ctx context.Context, again func(string, Scan), young int64) (_ *Report, moving bool, err error) {
	if err := pause.For(ctx, settling); err != nil {
		return nil, false, err
	}
	j := &judge{moving: true}
	report, err := c.oneMore(ctx, "young records have not arrived", again, j)
	if err != nil || j.young < young {
		return report, true, err
	}
	report, err = c.compare(ctx, c.harvest, &judge{})
	return report, false, err
}

// oneMore reads everything again.
func (c *Check) oneMore(ctx context.Context, why string, again func(string, Scan), j *judge) (*Report, error) {
	before := c.Scan
	if err := c.plan(ctx); err != nil {
		return nil, err
	}
	again(why, c.Scan)
	report, err := c.round(ctx, j)
	if c.Scan.add(before); err == nil {
		report.Scanned = c.Scan
	}
	return report, err
}

// round reads and compares.
func (c *Check) round(ctx context.Context, j *judge) (_ *Report, err error) {
	if c.harvest, err = c.read(ctx); err != nil {
		return nil, err
	}
	return c.compare(ctx, c.harvest, j)
}

// A harvest is what was read besides Kafka.
type harvest struct {
	runs    []Run
	finds   []find
	letters []DeadLetter
}

func (c *Check) read(ctx context.Context) (h harvest, err error) {
	group, reading := errgroup.WithContext(ctx)
	if c.keeps {
		h = c.harvest
	}
	if w := c.sources.Warehouse; w != nil && !c.keeps {
		group.Go(func() (err error) {
			h.runs, err = w.runs(reading, c.in)
			return err
		})
	}
	if l := c.sources.Lake; l != nil {
		group.Go(func() (err error) {
			h.finds, err = l.read(reading, c.objects)
			return err
		})
	}
	if c.sources.DeadLetters != nil && !c.keeps {
		group.Go(func() (err error) {
			h.letters, err = c.sources.DeadLetters(reading)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return h, err
	}
	return h, c.outrun(ctx, h.runs)
}

// outrun asks once more how far partitions reach, if rows are there of offsets
// that were beyond it when Kafka was asked.
func (c *Check) outrun(ctx context.Context, runs []Run) error {
	if !slices.ContainsFunc(runs, func(r Run) bool {
		e := c.kafka.extents[r.Place]
		return e != nil && r.Span.Next > e.End
	}) {
		return nil
	}
	now, err := c.sources.Kafka.look(ctx, times{})
	if err != nil {
		return err
	}
	for place, extent := range c.kafka.extents {
		if later := now.extents[place]; later != nil {
			extent.Later = later.End
		}
	}
	return now.end()
}

// compare puts the harvest into books, and judges each.
func (c *Check) compare(ctx context.Context, h harvest, j *judge) (*Report, error) {
	o, s := c.options, c.sources
	j.latest, j.bounded, j.expires = s.Kafka.Start == sarama.OffsetNewest, !o.From.IsZero(), c.expires
	j.noLake, j.noTables = s.Lake == nil, s.Warehouse == nil
	j.byName = s.Lake != nil && size(c.objects) > s.Lake.ReadBytes
	j.outstanding = map[*DeadLetter]bool{}
	j.records = c.records
	if s.Lake != nil && s.Lake.Bucket != nil {
		j.aside = s.Lake.aside
	}
	if j.nowhere = "no table, object or dead letter"; s.DeadLetters == nil {
		j.nowhere = "no table and no object; the dead letters were not looked at"
	}
	all := c.books(j, h)
	report := &Report{CheckedAt: o.Now.UTC(), From: moment(o.From), To: moment(o.To), Scanned: c.Scan, Partitions: []Account{}}
	for _, place := range slices.SortedFunc(maps.Keys(all), compare) {
		account, err := j.judge(ctx, all[place])
		if err != nil {
			return nil, err
		}
		report.Partitions = append(report.Partitions, account)
	}
	j.oddities(c, all, h)
	sortFindings(j.problems)
	sortFindings(j.notes)
	report.Problems, report.Notes = append([]Finding{}, j.problems...), append([]Finding{}, j.notes...)
	report.Complete = len(j.problems) == 0
	return report, nil
}

func moment(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC()
	return &at
}

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
