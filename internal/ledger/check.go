package ledger

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/IBM/sarama"
	"golang.org/x/sync/errgroup"

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
	refused []Object // of the quarantine, where there is no warehouse
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
			if c.objects, err = l.list(ctx, c.in, c.days); err == nil && c.sources.Warehouse == nil {
				c.refused, err = l.listRefused(ctx, c.in)
			}
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
	c.Scan.add(Scan{Objects: len(c.refused), ObjectBytes: size(c.refused)})
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
			if h.finds, err = l.read(reading, c.objects); err == nil && c.sources.Warehouse == nil {
				var broken []find
				h.runs, broken, err = l.readRefused(reading, c.refused)
				h.finds = append(h.finds, broken...)
			}
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
