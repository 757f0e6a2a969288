package dashboard_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/stationflow/stationflow/internal/page/view"
	"github.com/stationflow/stationflow/local/dashboard"
)

// noon is the moment all fakes are about, in the network's zone.
var (
	paris = mustLoad("Europe/Paris")
	noon  = time.Date(2026, 11, 22, 12, 0, 40, 0, paris)
)

func mustLoad(name string) *time.Location {
	location, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return location
}

// A scene is a moment in the life of the system.
type scene struct {
	pipeline dashboard.Pipeline
	rows     []dashboard.Row
	sizes    map[string]int64
	err      error // of every read after the first
}

// busy is a pipeline in which every hop keeps up; change alters it.
func busy(now time.Time, change func(*dashboard.Pipeline)) dashboard.Pipeline {
	lag := func(records int64, age time.Duration) *dashboard.Lag {
		return &dashboard.Lag{Records: records, Age: age}
	}
	p := dashboard.Pipeline{
		TransportName: "Pub/Sub",
		RateWindow:    30 * time.Second,
		Flows: map[dashboard.Hop]dashboard.Flow{
			dashboard.Kafka:     {Records: 1_284_310, PerSecond: new(561.4)},
			dashboard.Bridge:    {Records: 1_284_180, PerSecond: new(560.9), Waiting: lag(130, 240*time.Millisecond), Retries: new(int64(1)), Failures: new(int64(0))},
			dashboard.Transport: {Records: 1_284_013, PerSecond: new(559.0), Waiting: lag(167, 410*time.Millisecond), Retries: new(int64(2)), Failures: new(int64(0))},
			dashboard.Ingest:    {Records: 1_284_013, PerSecond: new(559.0), Failures: new(int64(2))},
			dashboard.Staging:   {Records: 1_284_013, PerSecond: new(559.0)},
		},
		Valid: 1_281_402, Quarantined: 2_611, StagingRows: new(int64(1_284_013)),
		Freshness: dashboard.Freshness{Records: 33_600, P50: 380 * time.Millisecond, P99: 1240 * time.Millisecond},
		Transform: dashboard.Transform{
			LastFinished: now.Add(-37 * time.Second), LastTook: 2300 * time.Millisecond, Next: now.Add(20 * time.Second),
			Changed: 13, Models: models(), TestsRun: 84, Waiting: lag(22_040, 39*time.Second),
			Findings: []dashboard.Finding{{Test: "accepted_values_stg_incidents_type", Status: "warned", Rows: 3}},
		},
		Bill: &dashboard.Bill{Over: 5 * time.Minute, RecordsPerSecond: 20, USDMonth: 541.75, Components: []dashboard.BilledComponent{
			{Name: "bridge", USDMonth: 49.25}, {Name: "Pub/Sub", USDMonth: 0}, {Name: "queries of the transform", USDMonth: 492.5},
		}},
	}
	if change != nil {
		change(&p)
	}
	return p
}

// models are those of a run in which every table was built again.
func models() []dashboard.Model {
	all := []dashboard.Model{{Name: "stg_incidents", Status: "unchanged"}, {Name: "stg_train_arrivals", Status: "unchanged"}}
	for i, name := range []string{"int_train_arrivals_hourly", "train_movements_hourly", "train_dashboard", "incidents_hourly", "incident_dashboard", "ticket_validations_hourly", "ticket_dashboard"} {
		all = append(all, dashboard.Model{Name: name, Status: "replaced", Took: time.Duration(260-31*i) * time.Millisecond})
	}
	return all
}

// with changes one flow.
func with(p *dashboard.Pipeline, hop dashboard.Hop, change func(*dashboard.Flow)) {
	flow := p.Flows[hop]
	change(&flow)
	p.Flows[hop] = flow
}

func scenes(now time.Time) map[string]scene {
	idle := func(p *dashboard.Pipeline) {
		for hop := range p.Flows {
			with(p, hop, func(f *dashboard.Flow) {
				if f.PerSecond = new(0.0); f.Waiting != nil {
					f.Waiting = &dashboard.Lag{}
				}
			})
		}
		p.Freshness, p.Transform.Changed, p.Transform.Waiting = dashboard.Freshness{}, 0, &dashboard.Lag{}
	}
	behind := func(p *dashboard.Pipeline) {
		with(p, dashboard.Bridge, func(f *dashboard.Flow) {
			f.PerSecond, f.Waiting = new(208.7), &dashboard.Lag{Records: 48_210, Age: 86 * time.Second}
		})
		p.Freshness = dashboard.Freshness{Records: 8_120, P50: 41 * time.Second, P99: 84 * time.Second}
		p.Transform.Next = now.Add(-40 * time.Second)
		p.Alerts = []dashboard.Alert{{Key: "k", Text: "suspect package at Châtelet – Les Halles, Dock 3, Platform", Topic: "incidents", Severity: "Major",
			BeganAt: now.Add(-20 * time.Minute), EndsAt: now.Add(14 * time.Hour)}}
	}
	failing := func(p *dashboard.Pipeline) {
		with(p, dashboard.Transport, func(f *dashboard.Flow) {
			f.Retries, f.Failures, f.PerSecond = new(int64(214)), new(int64(2)), new(0.0)
			f.Waiting = &dashboard.Lag{Records: 21_904, Age: 44 * time.Second}
		})
		with(p, dashboard.Ingest, func(f *dashboard.Flow) {
			f.Failures, f.PerSecond = new(int64(216)), new(0.0)
			f.Fault = "Batches fail, the last one: writing rows of train_arrivals-3-1200-3199 to staging_data.train_arrivals: rpc error: code = Unavailable desc = connection refused"
		})
		with(p, dashboard.Staging, func(f *dashboard.Flow) { f.PerSecond = new(0.0) })
		p.DeadLetters, p.Freshness = 2, dashboard.Freshness{}
		p.Quarantined = 122_611
		p.Refused = dashboard.Refused{Window: 15 * time.Minute, Topics: []dashboard.Refusals{{Topic: "ticket_validations", Refused: 120_000, Records: 121_000, Reason: "missing_field"}}}
		p.Transform.LastFailure = "building model ticket_validations_hourly: division by zero: -1 / 0"
		p.Transform.Failures = 3
		last := len(p.Transform.Models)
		p.Transform.Models[last-2].Status, p.Transform.Models[last-2].Error = "failed", p.Transform.LastFailure
		p.Transform.Models[last-1].Status, p.Transform.Models[last-1].Error = "skipped", "ticket_validations_hourly failed"
		p.Transform.Findings = append(p.Transform.Findings, dashboard.Finding{Test: "unique_train_dashboard_key", Status: "failed", Rows: 1})
	}
	simulated := func(p *dashboard.Pipeline) {
		p.Simulation = &dashboard.Simulation{At: now.Add(2*time.Hour + 30*time.Minute).UTC(), Pace: 60}
	}
	early := dashboard.Pipeline{TransportName: "Pub/Sub", RateWindow: 30 * time.Second,
		Flows: map[dashboard.Hop]dashboard.Flow{
			dashboard.Kafka:  {Records: 120, PerSecond: new(24.0)},
			dashboard.Bridge: {Records: 60, PerSecond: new(12.0), Waiting: &dashboard.Lag{Records: 60, Age: time.Second}, Retries: new(int64(0)), Failures: new(int64(0))},
		},
		Transform: dashboard.Transform{Next: now.Add(20 * time.Second)}}
	empty := early
	empty.Flows = map[dashboard.Hop]dashboard.Flow{dashboard.Kafka: {PerSecond: new(0.0)}}
	http := func(p *dashboard.Pipeline) {
		p.TransportName = "HTTP"
		with(p, dashboard.Transport, func(f *dashboard.Flow) { f.Waiting, f.Retries, f.Failures = nil, nil, nil })
	}

	rows := realisticRows(now)
	sizes := map[string]int64{"int_train_arrivals_hourly": 1_204, "train_movements_hourly": 2_398, "train_dashboard": 204, "incidents_hourly": 41, "incident_dashboard": 97, "ticket_validations_hourly": 12_004, "ticket_dashboard": 141}
	return map[string]scene{
		"busy":    {pipeline: busy(now, simulated), rows: rows, sizes: sizes},
		"idle":    {pipeline: busy(now, idle), rows: rows, sizes: sizes},
		"behind":  {pipeline: busy(now, behind), rows: rows, sizes: sizes},
		"failing": {pipeline: busy(now, failing), rows: rows, sizes: sizes, err: errors.New("reading ticket_dashboard: connection refused")},
		"http":    {pipeline: busy(now, http), rows: rows, sizes: sizes},
		"empty":   {pipeline: empty},
		"early":   {pipeline: early},
		"small":   {pipeline: busy(now, nil), rows: small()},
	}
}

// dashboard returns a Dashboard that shows the scene at the time now.
func (s scene) dashboard(now func() time.Time) *dashboard.Dashboard {
	reads := 0
	var questions *view.Store
	if len(s.rows) > 100 {
		questions = noonStore()
		if !now().Equal(noon) {
			questions = busyMarts(now()).asked(paris, now)
		}
	}
	return dashboard.New(dashboard.Config{
		View: questions,
		Tables: func(context.Context) ([]dashboard.Row, error) {
			if reads++; reads > 1 && s.err != nil {
				return nil, s.err
			}
			return s.rows, nil
		},
		Sizes:    func(context.Context) (map[string]int64, error) { return s.sizes, nil },
		Pipeline: func() dashboard.Pipeline { return s.pipeline },
		Location: paris,
		Now:      now,
	})
}

// table collects rows of one dashboard table and period.
type table struct {
	name, period string
	at           time.Time
	rows         *[]dashboard.Row
}

// total adds the row without a dimension; a nil value is NULL.
func (t table) total(metric, unit string, value *float64) {
	*t.rows = append(*t.rows, dashboard.Row{Table: t.name, Period: t.period, MetricName: metric, MetricValue: value, Unit: &unit, ComputedAt: t.at})
}

func (t table) by(dimension, name, metric, unit string, value *float64) {
	*t.rows = append(*t.rows, dashboard.Row{Table: t.name, Period: t.period, MetricName: metric, Dimension: &dimension, DimensionValue: &name, MetricValue: value, Unit: &unit, ComputedAt: t.at})
}

// realisticRows are the tables of a network of fourteen stations, one of which
// reports little. Totals are plausible rather than sums.
func realisticRows(now time.Time) []dashboard.Row {
	random := rand.New(rand.NewPCG(1, 2))
	var rows []dashboard.Row
	for _, period := range []string{"all", "today"} {
		scale := map[string]float64{"all": 40, "today": 1}[period]
		in := func(name string) table { return table{name, period, now.Add(-38 * time.Second).UTC(), &rows} }
		addPassengers(in("passenger_flow_dashboard"), random, scale)
		addTickets(in("ticket_dashboard"), random, scale)
		addTrains(in("train_dashboard"), random, scale)
		addEvents(in("incident_dashboard"), random, scale, "incidents", "incidents", "type", "average_incident_duration", []string{"Suspect package", "Technique", "Passenger ill", "Trespasser on track", "Signal failure"})
		addEvents(in("equipment_failure_dashboard"), random, scale, "equipment_failures", "failures", "equipment", "average_failure_duration", []string{"validator", "escalator", "notice board", "lift", "ticket machine"})
	}
	return rows
}

var stations = []string{
	"Gare du Nord", "Châtelet – Les Halles", "Gare de Lyon", "Saint-Lazare", "Montparnasse – Bienvenüe", "Gare de l’Est", "La Défense",
	"Nation", "Auber", "Austerlitz", "Bercy", "Saint-Michel – Notre-Dame", "Massy – Palaiseau", "Vincennes",
}

func around(random *rand.Rand, mean float64) *float64 {
	return new(float64(int(mean * (0.7 + 0.6*random.Float64()))))
}

func addPassengers(t table, random *rand.Rand, scale float64) {
	t.total("passengers_entered", "passengers", new(148_220*scale))
	t.total("passengers_exited", "passengers", new(139_917*scale))
	t.total("passengers_total", "passengers", new(288_137*scale))
	t.total("average_waiting_time", "minutes", new(4.26))
	t.total("average_ticket_check_time", "minutes", new(0.84))
	t.by("station", "Gare du Nord", "busiest_station", "passengers", new(48_100*scale))
	t.by("station", "Massy – Palaiseau", "quietest_station", "passengers", new(3_070*scale))
	for i, station := range stations {
		if station == "Vincennes" {
			for _, metric := range []string{"passengers_entered", "passengers_exited", "passengers_total"} {
				t.by("station", station, metric, "passengers", nil)
			}
			continue
		}
		entered, exited := around(random, scale*24_000/float64(i+1)), around(random, scale*22_000/float64(i+1))
		t.by("station", station, "passengers_entered", "passengers", entered)
		t.by("station", station, "passengers_exited", "passengers", exited)
		t.by("station", station, "passengers_total", "passengers", new(*entered+*exited))
		t.by("station", station, "average_waiting_time", "minutes", new(2+5*random.Float64()))
		t.by("station", station, "average_ticket_check_time", "minutes", new(0.4+random.Float64()))
	}
}

func addTickets(t table, random *rand.Rand, scale float64) {
	t.total("tickets_validated", "tickets", new(131_402*scale))
	t.total("tickets_rejected", "tickets", new(2_733*scale))
	t.total("rejection_rate", "share", new(0.0204))
	for hour, share := range []float64{1, 0, 0, 0, 2, 8, 24, 60, 88, 52, 31, 29} {
		t.by("hour", fmt.Sprintf("%02d", hour), "tickets_validated", "tickets", new(share*scale*440))
	}
	for i, station := range stations {
		t.by("station", station, "tickets_validated", "tickets", around(random, scale*22_000/float64(i+1)))
		if station == "Nation" {
			t.by("station", station, "tickets_rejected", "tickets", nil)
			t.by("station", station, "rejection_rate", "share", nil)
			continue
		}
		t.by("station", station, "tickets_rejected", "tickets", around(random, scale*600/float64(i+1)))
		t.by("station", station, "rejection_rate", "share", new(0.005+0.04*random.Float64()))
	}
}

func addTrains(t table, random *rand.Rand, scale float64) {
	t.total("train_arrivals", "trains", new(1_204*scale))
	t.total("train_departures", "trains", new(1_190*scale))
	t.total("arrivals_on_time", "trains", new(1_031*scale))
	t.total("arrivals_late", "trains", new(152*scale))
	t.total("punctuality_rate", "share", new(0.8715))
	t.total("average_delay", "minutes", new(2.31))
	for i, station := range stations {
		arrivals := around(random, scale*150/float64(1+i/3))
		t.by("station", station, "train_arrivals", "trains", arrivals)
		t.by("station", station, "train_departures", "trains", around(random, *arrivals))
		if station == "Auber" { // no timetable
			for _, metric := range []string{"arrivals_on_time", "arrivals_late", "punctuality_rate", "average_delay"} {
				t.by("station", station, metric, "trains", nil)
			}
			continue
		}
		late := float64(int(*arrivals * 0.2 * random.Float64()))
		t.by("station", station, "arrivals_on_time", "trains", new(*arrivals-late))
		t.by("station", station, "arrivals_late", "trains", new(late))
		t.by("station", station, "punctuality_rate", "share", new((*arrivals-late) / *arrivals))
		t.by("station", station, "average_delay", "minutes", new(-1.5+6*random.Float64()))
	}
}

// addEvents adds incidents, or equipment failures, by kind, station and zone.
func addEvents(t table, random *rand.Rand, scale float64, metric, unit, dimension, duration string, kinds []string) {
	t.total(metric, unit, new(42*scale))
	t.total(duration, "minutes", new(18.4))
	for i, kind := range kinds {
		t.by(dimension, kind, metric, unit, new(scale*float64(16-3*i)))
		t.by(dimension, kind, duration, "minutes", new(8+30*random.Float64()))
	}
	for _, station := range stations {
		t.by("station", station, metric, unit, around(random, 4*scale))
		for _, location := range []string{"Dock 2", "Corridor B"} {
			t.by("zone", station+" / "+location, metric, unit, around(random, 2*scale))
		}
	}
	if metric == "incidents" {
		t.by("severity", "Minor", metric, unit, new(31*scale))
		t.by("severity", "Major", metric, unit, new(11*scale))
	}
}
