// Package view answers what a station manager asks: how many, when, where,
// which trains, what goes on now, and how fresh that is.
//
// In come the typed marts of prod_data, read through BigQuery's REST API; out
// go answers to one question at a time (Ask), a document with figures and
// charts that a page draws and a file of comma-separated values can hold.
//
// A Store reads the last 90 days once and keeps them in memory, some rows for
// each hour and station. Then it reads, after each run of the transform and
// only while somebody looks, yesterday, today and the days of what arrived
// lately. Whatever is asked is answered from memory.
package view

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/civil"
)

const (
	// Days are kept, today included; earlier ones cannot be asked for.
	Days = 90
	// looking is for how long after a question somebody is taken to look.
	looking = 2 * time.Minute
	// remembered is for how long the marts tell of which days records came; a
	// Store that has not read for longer reads all days.
	remembered = 10 * time.Minute
	wholeEvery = time.Hour
	// readTimeout bounds a reading, of 90 days at most: nobody waits for it but
	// whoever asks first.
	readTimeout = 2 * time.Minute
)

// A Moment is what time it is in the network.
type Moment struct {
	At time.Time
	// Simulated says that this is not the clock's.
	Simulated bool
	// Over says that today's last hour has been, though the time stands
	// earlier: simulated stations play a day again.
	Over bool
	// Again says that hours of today were played more than once, so that its
	// sums are too large to compare.
	Again bool
}

// A Config says what a Store reads, and when it is.
type Config struct {
	Source   Source
	Location *time.Location // the network's; UTC when nil
	// Moment is what time it is in the network; the clock's when nil.
	Moment func() Moment
	Now    func() time.Time // time.Now when nil

	from reader // for tests
}

// A reader reads the marts.
type reader interface {
	marts(ctx context.Context, from civil.Date) (*reading, error)
	disturbances(ctx context.Context, moment time.Time) ([]disturbance, error)
}

// A Store holds what was read last. Its methods may be called concurrently.
type Store struct {
	Config
	reading sync.Mutex // held while the marts are read
	last    atomic.Pointer[content]
	asked   atomic.Int64 // when somebody asked last, in Unix nanoseconds
	runs    atomic.Int64 // of the transform, that were told
	seen    atomic.Int64 // how many of them the content knows
}

// A content is what the last reading left; it is never changed.
type content struct {
	version      int64 // counts readings
	days         map[civil.Date]*day
	stations     []string // in their order
	disturbances []disturbance
	freshness    map[string]freshness // by topic
	readAt       time.Time            // zero before the first
	wholeAt      time.Time            // when all days were read
	failure      string               // why the last reading failed; "" when it did not
}

// A day holds the rows of one local date.
type day struct {
	flow      []flow
	tickets   []tickets
	arrivals  []arrivals
	late      []late
	incidents []events
	failures  []events
}

// New returns a Store that knows nothing until the first Refresh.
func New(config Config) *Store {
	s := &Store{Config: config}
	if s.Location == nil {
		s.Location = time.UTC
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Moment == nil {
		s.Moment = func() Moment { return Moment{At: s.Now()} }
	}
	if s.from == nil {
		s.from = s.Source
	}
	s.last.Store(&content{freshness: map[string]freshness{}})
	return s
}

// A Summary says what was read last.
type Summary struct {
	Version    int64     // counts readings: an answer with an older one may have changed
	ReadAt     time.Time // zero before the first reading that did not fail
	ComputedAt time.Time // of the newest figures; zero without any
	ArrivedAt  time.Time // of the newest record that counts; likewise
	Failure    string    // why the last reading failed; "" when it did not
}

// Last says what was read last.
func (s *Store) Last() Summary {
	c := s.last.Load()
	summary := Summary{Version: c.version, ReadAt: c.readAt, Failure: c.failure}
	for _, topic := range c.freshness {
		summary.ComputedAt = later(summary.ComputedAt, topic.ComputedAt)
		summary.ArrivedAt = later(summary.ArrivedAt, topic.ArrivedAt)
	}
	return summary
}

// Changed is called after each run of the transform. It reads the marts when
// somebody looks, and else leaves that to the next question.
func (s *Store) Changed(ctx context.Context) error {
	s.runs.Add(1)
	if s.Now().Sub(time.Unix(0, s.asked.Load())) > looking && len(s.last.Load().stations) > 0 {
		return nil
	}
	return s.Refresh(ctx)
}

// asking notes that somebody looks, and reads the marts when a run has changed
// them since; the question itself is answered from what is there.
func (s *Store) asking() {
	s.asked.Store(s.Now().UnixNano())
	if s.seen.Load() < s.runs.Load() && s.reading.TryLock() {
		go func() {
			defer s.reading.Unlock()
			_ = s.refresh(context.Background()) // the answers say why it failed
		}()
	}
}

// Refresh reads the marts. On an error the answers keep what they had, and
// say so.
func (s *Store) Refresh(ctx context.Context) error {
	s.reading.Lock()
	defer s.reading.Unlock()
	return s.refresh(ctx)
}

func (s *Store) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	runs, last := s.runs.Load(), s.last.Load()
	next := *last
	next.version++
	if err := s.readInto(ctx, &next); err != nil {
		next = *last
		next.version++
		next.failure = err.Error()
		s.last.Store(&next)
		return fmt.Errorf("reading the marts: %w", err)
	}
	s.last.Store(&next)
	s.seen.Store(runs)
	return nil
}

// readInto brings a copy of the last content up to date.
func (s *Store) readInto(ctx context.Context, next *content) error {
	now, today := s.Now(), s.today()
	oldest := today.AddDays(1 - Days)
	from := oldest
	if now.Sub(next.readAt) < remembered && now.Sub(next.wholeAt) < wholeEvery {
		from = since(next.freshness, oldest, today.AddDays(-1))
	}
	read, err := s.from.marts(ctx, from)
	if err != nil {
		return err
	}
	fresh := byTopic(read.freshness)
	if late := since(fresh, oldest, from); late.Before(from) { // records of earlier days came
		from = late
		if read, err = s.from.marts(ctx, from); err != nil {
			return err
		}
		fresh = byTopic(read.freshness)
	}
	if from == oldest || disturbed(next.freshness, fresh) {
		// Simulated stations play today from its beginning again.
		next.disturbances, err = s.from.disturbances(ctx, earlier(s.Moment().At, today.In(s.Location)).Add(-pastEnd))
		if err != nil {
			return err
		}
	}
	next.days = maps.Clone(next.days)
	maps.DeleteFunc(next.days, func(date civil.Date, _ *day) bool { return date.Before(oldest) || !date.Before(from) })
	next.take(read)
	next.readAt, next.failure = now, ""
	if from == oldest {
		next.wholeAt = now
	}
	return nil
}

// since is the earliest date of what arrived lately, but none before oldest, and
// none after latest.
func since(topics map[string]freshness, oldest, latest civil.Date) civil.Date {
	for _, topic := range topics {
		if topic.Since.Before(latest) && !topic.Since.Before(oldest) {
			latest = topic.Since
		}
	}
	return latest
}

func byTopic(all []freshness) map[string]freshness {
	topics := map[string]freshness{}
	for _, one := range all {
		topics[one.Topic] = one
	}
	return topics
}

// disturbed reports whether incidents or equipment failures came in between.
func disturbed(before, after map[string]freshness) bool {
	for _, topic := range []string{"incidents", "equipment_failures"} {
		if !before[topic].ArrivedAt.Equal(after[topic].ArrivedAt) {
			return true
		}
	}
	return false
}

// take adds what was read.
func (c *content) take(r *reading) {
	if c.days == nil {
		c.days = map[civil.Date]*day{}
	}
	put(c, r.flow, func(d *day) *[]flow { return &d.flow })
	put(c, r.tickets, func(d *day) *[]tickets { return &d.tickets })
	put(c, r.arrivals, func(d *day) *[]arrivals { return &d.arrivals })
	put(c, r.late, func(d *day) *[]late { return &d.late })
	put(c, r.incidents, func(d *day) *[]events { return &d.incidents })
	put(c, r.failures, func(d *day) *[]events { return &d.failures })
	c.freshness = byTopic(r.freshness)
	c.stations = c.names()
}

// put adds rows to those of their days.
func put[T any, P interface {
	*T
	where() *place
}](c *content, rows []T, of func(*day) *[]T) {
	for i := range rows {
		held := of(c.on(P(&rows[i]).where().Date))
		*held = append(*held, rows[i])
	}
}

func (c *content) on(date civil.Date) *day {
	if c.days[date] == nil {
		c.days[date] = &day{}
	}
	return c.days[date]
}

// names are all stations, by name: their order, and so their colours, are the
// same whatever is asked.
func (c *content) names() []string {
	known := map[string]bool{}
	for _, d := range c.days {
		for i := range d.flow {
			known[d.flow[i].Station] = true
		}
		for i := range d.arrivals {
			known[d.arrivals[i].Station] = true
		}
		for _, list := range [][]events{d.incidents, d.failures} {
			for i := range list {
				known[list[i].Station] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(known))
}

// first is the earliest date that has a row; today's when none has.
func (c *content) first(today civil.Date) civil.Date {
	dates := slices.SortedFunc(maps.Keys(c.days), civil.Date.Compare)
	if len(dates) == 0 {
		return today
	}
	return dates[0]
}

// today is the network's date.
func (s *Store) today() civil.Date { return civil.DateOf(s.Moment().At.In(s.Location)) }

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
