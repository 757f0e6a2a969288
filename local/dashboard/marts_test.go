package dashboard_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/internal/page/view"
)

// marts answers the statements of package view as BigQuery's jobs.query does:
// the rows of each part that a statement reads, from its date on.
type marts map[string][]map[string]any

var fromDate = regexp.MustCompile(`local_date >= date '([0-9-]+)'`)

func (m marts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Query string }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
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
	answer.JobComplete = true
	answer.JobReference = map[string]any{"projectId": "test", "jobId": "job", "location": "EU"}
	answer.Schema.Fields = []field{{"part", "STRING"}, {"line", "STRING"}}
	from := ""
	if found := fromDate.FindStringSubmatch(asked.Query); found != nil {
		from = found[1]
	}
	for part, rows := range m {
		if !strings.Contains(asked.Query, "'"+part+"' as part") {
			continue
		}
		for _, values := range rows {
			if date, dated := values["local_date"].(string); dated && date < from {
				continue
			}
			line, err := json.Marshal(values)
			if err != nil {
				panic(err)
			}
			answer.Rows = append(answer.Rows, row{F: []cell{{part}, {string(line)}}})
		}
	}
	answer.TotalRows = fmt.Sprint(len(answer.Rows))
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// asked is a Store that reads marts.
func (m marts) asked(location *time.Location, now func() time.Time) *view.Store {
	server := httptest.NewServer(m) // for as long as the process
	client, err := bigquery.NewClient(context.Background(), "test", option.WithEndpoint(server.URL), option.WithoutAuthentication())
	if err != nil {
		panic(err)
	}
	return view.New(view.Config{Source: view.Source{Client: client}, Location: location, Now: now})
}

// noonMarts are 29 days of the network of fourteen stations, of which one never
// reports passengers.
var noonMarts = sync.OnceValue(func() marts { return busyMarts(noon) })

// noonStore has read them. Reading all days takes seconds under the race
// detector: the scenes share it, and each reads the last two days again.
var noonStore = sync.OnceValue(func() *view.Store { return noonMarts().asked(paris, at(noon)) })

func busyMarts(now time.Time) marts {
	random := rand.New(rand.NewPCG(3, 4))
	m := marts{}
	columns := map[string]string{
		"flow":         "local_date hour station entered exited estimated records waiting",
		"tickets":      "local_date hour station validated rejected known",
		"arrivals":     "local_date hour station direction arrivals scheduled on_time minutes_late",
		"late":         "local_date hour station direction train late scheduled minutes_late",
		"incidents":    "local_date hour station zone what severity count minutes",
		"failures":     "local_date hour station zone what severity count minutes",
		"disturbances": "kind what station zone severity began_at ends_at",
		"freshness":    "topic since arrived_at computed_at",
	}
	add := func(part string, values ...any) {
		row := map[string]any{}
		for i, column := range strings.Fields(columns[part]) {
			row[column] = values[i]
		}
		m[part] = append(m[part], row)
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
				add("flow", date, hour, station, entered, entered, i == 3, 12, 50*random.Float64())
				add("tickets", date, hour, station, 180/(i+1), 5, 180/(i+1))
				for d, direction := range []string{"North", "South", "East", "West"} {
					onTime := 6 - random.IntN(2+d)
					add("arrivals", date, hour, station, direction, 6, 6, onTime, float64(6-onTime)*9)
					if onTime < 5 {
						add("late", date, hour, station, direction, fmt.Sprintf("%s%02d%02d", direction[:1], hour, 10*random.IntN(6)), 6-onTime, 6-onTime, float64(6-onTime)*9)
					}
				}
				if random.IntN(40) == 0 {
					add("incidents", date, hour, station, fmt.Sprintf("%s / Dock %d, Platform", station, 1+random.IntN(4)), "Signal failure", "Minor", 1, 20)
					add("failures", date, hour, station, station+" / Dock 2, Corridor", "escalator", nil, 1, 35)
				}
			}
		}
	}
	before := func(ago time.Duration) time.Time { return now.Add(-ago).UTC() }
	add("disturbances", "equipment failure", "escalator", "Bercy", "Bercy / Dock 2, Corridor", nil, before(90*time.Minute), before(-time.Hour))
	add("disturbances", "incident", "suspect package", "Châtelet – Les Halles", "Châtelet – Les Halles / Dock 3, Platform", "Major", before(20*time.Minute), before(-14*time.Hour))
	for _, topic := range []string{"passenger_flow", "ticket_validations", "train_arrivals", "incidents", "equipment_failures"} {
		ago := 40 * time.Second
		if topic == "incidents" {
			ago = 20 * time.Minute
		}
		add("freshness", topic, now.Format(time.DateOnly), before(ago), before(35*time.Second))
	}
	return m
}
