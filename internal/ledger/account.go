package ledger

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// Books are what is known of one place.
type books struct {
	place  Place
	extent *Extent // nil where Kafka has no such topic id, or no such partition

	staging, quarantine Spans
	elsewhere           map[string]Spans // by the table that they are in and do not belong to
	repeated            Spans
	rows                int64
	lake                Spans
	objects             []held // of the lake
	letters             []letter
}

// A held is what an object has of a place.
type held struct {
	object  string
	offsets Spans
}

// fromLake is how to put offsets that are in the lake back.
func (b *books) fromLake(offsets Spans) string {
	var objects []string
	for _, one := range b.objects {
		if len(one.offsets.And(offsets)) > 0 {
			objects = append(objects, one.object)
		}
	}
	return fromLake(b.place, objects)
}

// A letter is what a dead letter has of a place.
type letter struct {
	*DeadLetter
	offsets Spans
}

// An Account is the sum of a place's books. All but the first and the last
// offset are numbers of offsets.
type Account struct {
	Place
	InKafka bool  `json:"in_kafka"`
	First   int64 `json:"first_offset"` // of those that count
	Next    int64 `json:"next_offset"`  // behind the last of them

	Staging     int64 `json:"staging"`
	Quarantine  int64 `json:"quarantine"`
	InBoth      int64 `json:"in_both"`
	Lake        int64 `json:"lake"`
	DeadLetters int64 `json:"dead_letters"` // that are in no table
	InFlight    int64 `json:"in_flight"`    // likewise
	Waiting     int64 `json:"waiting"`      // likewise
	OnlyInLake  int64 `json:"only_in_lake"`
	NotInLake   int64 `json:"not_in_lake"`
	Missing     int64 `json:"missing"`
	NoRecords   int64 `json:"no_records"` // markers of transactions, aborted and compacted records
	Deleted     int64 `json:"deleted"`    // by Kafka, and in no table
	WrongTable  int64 `json:"wrong_table"`
	Duplicates  int64 `json:"duplicate_rows"`
}

// Landed is how many records are in staging or in quarantine.
func (a Account) Landed() int64 { return a.Staging + a.Quarantine - a.InBoth }

// A judge compares books.
type judge struct {
	records  func(context.Context, Place, Spans) (Spans, error) // of those offsets, the ones with a record in Kafka
	aside    func(context.Context, Place) (Spans, error)        // the records of a place that are in the lake as bytes; nil without a lake
	latest   bool                                               // the bridge began where partitions ended
	bounded  bool                                               // the period has a beginning
	expires  bool                                               // staging forgets rows
	byName   bool                                               // of the lake, only ranges are known
	noLake   bool
	noTables bool
	nowhere  string // where else the records are not that are missing

	// moving takes records that were handed on, and are young, for ones in
	// flight.
	moving bool
	young  int64 // how many there are of those

	problems, notes []Finding
	outstanding     map[*DeadLetter]bool // those with something that is nowhere else
}

func (j *judge) problem(kind Kind, place Place, offsets Spans, in, text, remedy string) int64 {
	return j.add(&j.problems, kind, place, offsets, in, text, remedy)
}

func (j *judge) note(kind Kind, place Place, offsets Spans, text string) int64 {
	return j.add(&j.notes, kind, place, offsets, "", text, "")
}

// remedy is that of offsets; "" where there are none.
func remedy(how func(Place, Spans) string, place Place, offsets Spans) string {
	if len(offsets) == 0 {
		return ""
	}
	return how(place, offsets)
}

// add returns how many offsets there are; without any there is no finding.
func (j *judge) add(to *[]Finding, kind Kind, place Place, offsets Spans, in, text, remedy string) int64 {
	if len(offsets) > 0 {
		f := of(kind, place, offsets, records(offsets)+" "+text, remedy)
		f.In = in
		*to = append(*to, f)
	}
	return offsets.Count()
}

// maxOffset is behind any.
const maxOffset = 1 << 62

// scope are the offsets that the period covers, and those of them that Kafka
// holds and that should have landed.
func (j *judge) scope(b *books, landed Spans) (scope, want Spans) {
	e := b.extent
	if e == nil {
		return Spans{{minOffset, maxOffset}}, nil
	}
	first := int64(minOffset)
	if j.bounded && e.From > e.Begin {
		first = e.From
	}
	scope = Of(Span{first, min(e.To, e.Stable)})
	start := e.Start
	if j.latest {
		if start = e.Stable; e.Committed >= 0 {
			start = e.Committed
		}
		if known := landed.From(e.Begin); len(known) > 0 {
			start = min(start, known[0].First)
		}
	}
	return scope, scope.From(max(e.Begin, start, e.Kept))
}

// judge compares the books of one place.
func (j *judge) judge(ctx context.Context, b *books) (Account, error) {
	landed := b.staging.Or(b.quarantine)
	if j.noTables {
		landed = b.lake.Or(b.quarantine)
	}
	scope, want := j.scope(b, landed)
	a := Account{Place: b.place, InKafka: b.extent != nil,
		Staging: b.staging.And(scope).Count(), Quarantine: b.quarantine.And(scope).Count(), Lake: b.lake.And(scope).Count()}
	all := landed.Or(b.lake).And(scope)
	if hull := all.Or(want); len(hull) > 0 {
		a.First, a.Next = hull[0].First, hull[len(hull)-1].Next
	}
	j.rows(b, &a, scope)
	dead := j.dead(b, scope.Not(landed))
	a.DeadLetters = dead.Count()
	if err := j.lacking(ctx, b, &a, want.Not(landed).Not(dead)); err != nil {
		return a, err
	}
	j.past(b, &a, scope.Not(want), landed.Or(dead))
	if !j.noLake && !j.noTables {
		if err := j.againstLake(ctx, b, &a, scope); err != nil {
			return a, err
		}
	}
	if e := b.extent; e != nil {
		open := Of(Span{e.Stable, e.End})
		j.note(Unfinished, b.place, open, "waiting for the end of a transaction")
		beyond := Of(Span{max(e.End, e.Later), maxOffset})
		j.problem(NotInKafka, b.place, landed.And(beyond), "", "in a table under offsets that Kafka never had", "Find out who wrote them")
	}
	return a, nil
}

// rows says what is odd about rows that are there.
func (j *judge) rows(b *books, a *Account, scope Spans) {
	for _, table := range slices.Sorted(maps.Keys(b.elsewhere)) {
		a.WrongTable += j.problem(WrongTable, b.place, b.elsewhere[table].And(scope), table,
			"in table "+table+", where they do not belong", fmt.Sprintf(deleteRows, table))
	}
	a.InBoth = j.note(InBoth, b.place, b.staging.And(b.quarantine).And(scope), "in staging and in quarantine: one delivery refused what another accepted")
	j.note(Duplicates, b.place, b.repeated.And(scope), "delivered more than once; the views show one row of each")
	a.Duplicates = b.rows - b.staging.Count() - b.quarantine.Count()
	for _, some := range b.elsewhere {
		a.Duplicates -= some.Count()
	}
}

// lacking says where the records are that Kafka holds, and no table and no dead
// letter.
func (j *judge) lacking(ctx context.Context, b *books, a *Account, rest Spans) error {
	for _, some := range b.elsewhere {
		rest = rest.Not(some)
	}
	if len(rest) == 0 {
		return nil
	}
	e := b.extent
	committed := max(e.Committed, e.Begin)
	after := rest.From(committed) // which the bridge has not handed on in both lanes
	young, err := j.few(ctx, b.place, after.From(e.Settled))
	if err != nil {
		return err
	}
	a.Waiting = j.problem(Waiting, b.place, after.Before(e.Settled), "", "waiting in Kafka: the bridge has not handed them on", seeBridge)
	rest = rest.Before(committed)
	fresh, err := j.few(ctx, b.place, rest.From(e.Settled))
	if err != nil {
		return err
	}
	j.young += fresh.Count()
	if j.moving {
		young, rest = young.Or(fresh), rest.Not(fresh)
	}
	a.InFlight = j.note(InFlight, b.place, young, "in flight")
	if !j.byName && !j.noTables {
		only := rest.And(b.lake)
		a.OnlyInLake = j.problem(OnlyInLake, b.place, only, "", "in the lake, and neither in staging nor in quarantine", b.fromLake(only))
		rest = rest.Not(only)
	}
	held, err := j.records(ctx, b.place, rest)
	if err != nil {
		return err
	}
	a.Missing = j.problem(Missing, b.place, held, "", "in Kafka, and in "+j.nowhere, remedy(fromKafka, b.place, held))
	none := rest.Not(held)
	if a.NoRecords = none.Count(); a.NoRecords > 0 {
		f := of(NoRecords, b.place, none, fmt.Sprintf("%d offsets hold no record: markers of transactions, aborted or compacted records", none.Count()), "")
		j.notes = append(j.notes, f)
	}
	return nil
}

// fewYoung is how many young offsets are looked up in Kafka, to tell records
// from the markers of transactions.
const fewYoung = 10_000

func (j *judge) few(ctx context.Context, place Place, young Spans) (Spans, error) {
	if young.Count() > fewYoung {
		return young, nil
	}
	return j.records(ctx, place, young)
}

// past says what of the offsets that Kafka holds no more is in no table.
func (j *judge) past(b *books, a *Account, gone, landed Spans) {
	if b.extent != nil {
		gone = gone.Before(b.extent.Begin)
	}
	known := landed.And(gone)
	lake := b.lake.And(gone).Not(landed)
	if len(known) == 0 && len(lake) == 0 {
		return
	}
	if !j.byName && !j.noTables {
		expired := Spans(nil)
		if j.expires {
			expired = lake
			if len(known) > 0 {
				expired = lake.Before(known[0].First)
			}
			j.note(Expired, b.place, expired, "in the lake; staging keeps them no longer")
		}
		only := lake.Not(expired)
		a.OnlyInLake += j.problem(OnlyInLake, b.place, only, "", "in the lake, and neither in staging nor in quarantine; Kafka holds them no more", b.fromLake(only))
	}
	all := known.Or(lake)
	next := all[len(all)-1].Next
	if b.extent != nil {
		next = b.extent.Begin
	}
	unknown := Of(Span{all[0].First, next}).And(gone).Not(all)
	for _, some := range b.elsewhere {
		unknown = unknown.Not(some)
	}
	if a.Deleted = unknown.Count(); a.Deleted > 0 {
		f := of(Deleted, b.place, unknown, fmt.Sprintf("%d offsets are in no table, and Kafka holds them no more: whether they held records cannot be told", unknown.Count()), "")
		j.notes = append(j.notes, f)
	}
}

// dead names the dead letters with what is in no table.
func (j *judge) dead(b *books, absent Spans) (all Spans) {
	for _, one := range b.letters {
		if !one.Rows {
			continue
		}
		dead := one.offsets.And(absent)
		if j.problem(DeadLettered, b.place, dead, one.ID, "in dead letter "+one.ID, fmt.Sprintf(sendAgain, one.ID)) > 0 {
			j.outstanding[one.DeadLetter] = true
		}
		all = all.Or(dead)
	}
	return all
}

// againstLake says which accepted records the lake lacks.
func (j *judge) againstLake(ctx context.Context, b *books, a *Account, scope Spans) error {
	lacks := b.staging.And(scope).Not(b.lake)
	if len(lacks) > 0 && j.aside != nil {
		aside, err := j.aside(ctx, b.place)
		if err != nil {
			return err
		}
		j.note(SetAside, b.place, lacks.And(aside), "set aside in the lake as bytes, since no file could hold them")
		lacks = lacks.Not(aside)
	}
	for _, one := range b.letters {
		if !one.Lake {
			continue
		}
		dead := lacks.And(one.offsets)
		if j.problem(DeadLettered, b.place, dead, one.ID, "in staging and not in the lake, but in dead letter "+one.ID, fmt.Sprintf(sendAgain, one.ID)) > 0 {
			j.outstanding[one.DeadLetter] = true
		}
		lacks = lacks.Not(dead)
	}
	if e := b.extent; e != nil {
		committed := max(e.Committed, e.Begin)
		after := lacks.From(committed)
		young := after.From(e.Settled)
		j.problem(Waiting, b.place, after.Before(e.Settled), "", "in staging; the bridge has not handed them on for the lake", seeBridge)
		lacks = lacks.Before(committed)
		fresh := lacks.From(e.Settled)
		j.young += fresh.Count()
		if j.moving {
			young, lacks = young.Or(fresh), lacks.Not(fresh)
		}
		j.note(InFlight, b.place, young, "in staging, and in flight to the lake")
	}
	a.NotInLake = j.problem(NotInLake, b.place, lacks, "", "in staging and not in the lake", remedy(intoLake, b.place, lacks))
	return nil
}
