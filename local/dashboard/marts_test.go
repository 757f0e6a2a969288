package dashboard_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/local/dashboard/view"
)

// marts answers the statements of package view as BigQuery's jobs.query does:
// by the mart that a statement reads, a schema (name TYPE) and rows.
type marts map[string]mart

type mart struct {
	schema string
	rows   [][]any
}

func (m marts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Query string }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, from, _ := strings.Cut(asked.Query, "\nfrom ")
	found := m[strings.Fields(from)[0]]
	if strings.Contains(asked.Query, "arrivals_late as late") {
		found = m["late"]
	}
	type field struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	type cell struct {
		V any `json:"v"`
	}
	type row struct {
		F []cell `json:"f"`
	}
	var answer struct {
		JobComplete  bool           `json:"jobComplete"`
		JobReference map[string]any `json:"jobReference"`
		TotalRows    string         `json:"totalRows"`
		Schema       struct {
			Fields []field `json:"fields"`
		} `json:"schema"`
		Rows []row `json:"rows"`
	}
	answer.JobComplete, answer.TotalRows = true, fmt.Sprint(len(found.rows))
	answer.JobReference = map[string]any{"projectId": "test", "jobId": "job", "location": "EU"}
	for _, column := range strings.Split(found.schema, ", ") {
		name, kind, _ := strings.Cut(column, " ")
		answer.Schema.Fields = append(answer.Schema.Fields, field{name, kind})
	}
	for _, values := range found.rows {
		one := row{}
		for _, v := range values {
			if v != nil {
				v = fmt.Sprint(v)
			}
			one.F = append(one.F, cell{v})
		}
		answer.Rows = append(answer.Rows, one)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// asked is a Store that has read marts.
func (m marts) asked(location *time.Location, now func() time.Time) *view.Store {
	server := httptest.NewServer(m) // for as long as the process
	client, err := bigquery.NewClient(context.Background(), "test", option.WithEndpoint(server.URL), option.WithoutAuthentication())
	if err != nil {
		panic(err)
	}
	return view.New(view.Config{Source: view.Source{Client: client}, Location: location, Now: now})
}

const placed = "local_date DATE, hour INTEGER, station STRING, "

// noonMarts are 29 days of the network of fourteen stations, of which one never
// reports passengers.
var noonMarts = sync.OnceValue(func() marts { return busyMarts(noon) })

func busyMarts(now time.Time) marts {
	random := rand.New(rand.NewPCG(3, 4))
	m := marts{
		"passenger_flow_hourly":     {schema: placed + "entered FLOAT, exited FLOAT, estimated BOOLEAN, records INTEGER, waiting FLOAT"},
		"ticket_validations_hourly": {schema: placed + "validated FLOAT, rejected FLOAT, known FLOAT"},
		"train_punctuality_hourly":  {schema: placed + "direction STRING, arrivals INTEGER, scheduled INTEGER, on_time INTEGER, minutes_late FLOAT"},
		"late":                      {schema: placed + "direction STRING, train STRING, late INTEGER, scheduled INTEGER, minutes_late FLOAT"},
		"incidents_hourly":          {schema: placed + "zone STRING, what STRING, severity STRING, count INTEGER, minutes FLOAT"},
		"equipment_failures_hourly": {schema: placed + "zone STRING, what STRING, severity STRING, count INTEGER, minutes FLOAT"},
		"recent_disturbances":       {schema: "kind STRING, what STRING, station STRING, zone STRING, severity STRING, began_at TIMESTAMP, ends_at TIMESTAMP"},
		"topic_freshness":           {schema: "topic STRING, since DATE, arrived_at TIMESTAMP, computed_at TIMESTAMP"},
	}
	add := func(name string, values ...any) {
		one := m[name]
		one.rows = append(one.rows, values)
		m[name] = one
	}
	for ago := range 29 {
		date := now.AddDate(0, 0, -ago).Format(time.DateOnly)
		for hour := 5; hour < 24 && (ago > 0 || hour <= now.Hour()); hour++ {
			for i, station := range stations {
				crowd := map[int]float64{7: 5, 8: 6, 17: 5, 18: 6}[hour] + 1
				entered := any(float64(int(200 * crowd * (0.8 + 0.4*random.Float64()) / float64(i+1))))
				if station == "Vincennes" {
					entered = nil
				}
				add("passenger_flow_hourly", date, hour, station, entered, entered, i == 3, 12, 50*random.Float64())
				add("ticket_validations_hourly", date, hour, station, 180/(i+1), 5, 180/(i+1))
				for d, direction := range []string{"North", "South", "East", "West"} {
					onTime := 6 - random.IntN(2+d)
					add("train_punctuality_hourly", date, hour, station, direction, 6, 6, onTime, float64(6-onTime)*9)
					if onTime < 5 {
						add("late", date, hour, station, direction, fmt.Sprintf("%s%02d%02d", direction[:1], hour, 10*random.IntN(6)), 6-onTime, 6-onTime, float64(6-onTime)*9)
					}
				}
				if random.IntN(40) == 0 {
					add("incidents_hourly", date, hour, station, fmt.Sprintf("%s / Dock %d, Platform", station, 1+random.IntN(4)), "Signal failure", "Minor", 1, 20)
					add("equipment_failures_hourly", date, hour, station, station+" / Dock 2, Corridor", "escalator", nil, 1, 35)
				}
			}
		}
	}
	micros := func(ago time.Duration) int64 { return now.Add(-ago).UnixMicro() }
	add("recent_disturbances", "equipment failure", "escalator", "Bercy", "Bercy / Dock 2, Corridor", nil, micros(90*time.Minute), micros(-time.Hour))
	add("recent_disturbances", "incident", "suspect package", "Châtelet – Les Halles", "Châtelet – Les Halles / Dock 3, Platform", "Major", micros(20*time.Minute), micros(-14*time.Hour))
	for _, topic := range []string{"passenger_flow", "ticket_validations", "train_arrivals", "incidents", "equipment_failures"} {
		ago := 40 * time.Second
		if topic == "incidents" {
			ago = 20 * time.Minute
		}
		add("topic_freshness", topic, now.Format(time.DateOnly), micros(ago), micros(35*time.Second))
	}
	return m
}
