package e2e

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/page/view"
	"github.com/stationflow/stationflow/local/browser"
	"github.com/stationflow/stationflow/simulator"
)

// A station manager with the page alone finds what a stock client reads from
// staging with SQL: how many entered this morning and in the same hours before,
// the peak hours, the worst platforms, the late trains and directions, what
// goes on now, and how fresh that is.
func TestManager(t *testing.T) {
	t.Parallel()
	system := up(t, nil)
	today := time.Now().UTC().Truncate(24 * time.Hour)
	sent := mornings(t, today, 0, 1, 2, 7, 8)
	sent = append(sent, going(t))
	send(t, producer(t, system.Kafka), sent)
	system.awaitRecords(len(sent))
	system.transform()
	system.awaitAnswer()

	system.checkEntered("", today)
	system.checkEntered("range=yesterday&", today.AddDate(0, 0, -1))
	week := browser.Open(t, system.Dashboard+"/?range=7d")
	since := `timestamp >= timestamp '` + today.AddDate(0, 0, -6).Format(time.DateOnly) + ` 00:00:00+00'`
	system.checkFirst(week, "platforms", `select concat(station, ' / ', location), countif(incident), countif(not incident) from (
		select station, location, true as incident from staging_data.incidents where `+since+`
		union all select station, location, false from staging_data.equipment_failures where `+since+`)
		group by 1 order by 2 desc, 3 desc, 1 limit 1`)
	late := `timestamp_diff(timestamp, scheduled_timestamp, second) > 300 and ` + since
	system.checkFirst(week, "late_trains", `select train_number, direction, cast(count(*) as string) from staging_data.train_arrivals
		where `+late+` group by 1, 2 order by count(*) desc, sum(timestamp_diff(timestamp, scheduled_timestamp, second)) desc, 1 limit 1`)
	all := browser.Open(t, system.Dashboard+"/?range=28d&compare=none")
	system.checkFirst(all, "peak_hours", `select station, concat(format_timestamp('%H', timestamp), ':00') from staging_data.passenger_flow
		where station = 'Station A' and timestamp < timestamp '`+today.Format(time.DateOnly)+` 00:00:00+00'
		and extract(dayofweek from timestamp) between 2 and 6 group by 1, 2 order by sum(entered) desc limit 1`)
	system.checkDirections(all)

	now := browser.Text(browser.Find(week, browser.Has("id", "now")))
	if !strings.Contains(now, "doors failMajorStation B, Dock 9, Platform") {
		t.Errorf("right now the page shows %q, want the incident at Station B", now)
	}
	if fresh := browser.Text(browser.Find(week, browser.Has("id", "freshness"))); strings.Count(fresh, "fresh") < 5 {
		t.Errorf("how fresh is it: %q, want five figures that are fresh", fresh)
	}
	if simulated := browser.Find(week, browser.Has("id", "simulated")); !browser.Has("hidden", "")(simulated) {
		t.Errorf("events of our own are called simulated: %q", browser.Text(simulated))
	}
	system.checkLooker(today)
	system.stop()
}

// checkLooker runs the queries for Looker Studio, which each find something.
func (l *local) checkLooker(today time.Time) {
	l.t.Helper()
	folder := os.DirFS("../../sql/looker")
	files, err := fs.Glob(folder, "*.sql")
	if err != nil || len(files) != 5 {
		l.t.Fatalf("%v: %d queries, want 5", err, len(files))
	}
	for _, file := range files {
		text, err := fs.ReadFile(folder, file)
		if err != nil {
			l.t.Fatal(err)
		}
		query := strings.NewReplacer("@DS_START_DATE", today.AddDate(0, 0, -8).Format("'20060102'"), "@DS_END_DATE", today.Format("'20060102'")).Replace(string(text))
		if rows := l.query(query); len(rows) == 0 {
			l.t.Errorf("%s finds nothing", file)
		}
	}
}

// mornings are the events from 07:00 to 09:00 of some days, so many days ago.
func mornings(t *testing.T, today time.Time, daysAgo ...int) []message {
	t.Helper()
	network := simulator.New(simulator.Config{Seed: 5, Start: today, Plan: simulator.Demo(today)})
	var messages []message
	for _, ago := range daysAgo {
		day := today.AddDate(0, 0, -ago)
		for network.Begin(day.Add(7 * time.Hour)); network.Now().Before(day.Add(9 * time.Hour)); {
			for _, e := range network.Step() {
				messages = append(messages, message{topic: e.Topic, key: []byte(e.Key), value: e.Value})
			}
		}
	}
	return messages
}

// going is an incident that goes on.
func going(t *testing.T) message {
	t.Helper()
	value, err := json.Marshal(event.Incident{
		ID: "going", Type: "doors fail", Station: "Station B", Location: "Dock 9, Platform",
		Timestamp: time.Now().Add(-10 * time.Minute).UTC().Truncate(time.Second), Severity: "Major", Duration: 600,
	})
	if err != nil {
		t.Fatal(err)
	}
	return message{topic: "incidents", key: []byte("going"), value: value}
}

// answer is what the page's API answers.
func (l *local) answer(address string) (a view.Answer) {
	l.t.Helper()
	body, err := get(l.Dashboard + "/api/view?" + address)
	if err == nil {
		err = json.Unmarshal(body, &a)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return a
}

// awaitAnswer waits until the page has read the marts after the last run.
func (l *local) awaitAnswer() {
	l.t.Helper()
	eventually(l.t, "the page has read the marts", func() error {
		if a := l.answer(""); a.Reading || len(a.Stations) == 0 {
			return fmt.Errorf("it knows of %d stations, reading %v", len(a.Stations), a.Reading)
		}
		return nil
	})
}

// checkEntered compares who entered at Station B in the morning of a day, the
// day before and a week before, with staging.
func (l *local) checkEntered(address string, day time.Time) {
	l.t.Helper()
	page := browser.Open(l.t, l.Dashboard+"/?"+address+"station=Station+B&hours=6-12")
	until, a := 12, l.answer(address+"station=Station+B&hours=6-12")
	if a.Until != nil {
		until = *a.Until
	}
	if a.ToCome { // the test runs early in the day
		if got := shown(page, "data-figure", "entered"); got != "to come" {
			l.t.Errorf("%s: entered at Station B shows %q, want that it is to come", address, got)
		}
		return
	}
	entered := func(daysBefore, until int) string {
		date := day.AddDate(0, 0, -daysBefore).Format(time.DateOnly)
		value := l.query(fmt.Sprintf(`select sum(entered) from staging_data.passenger_flow where station = 'Station B'
			and date(timestamp) = date '%s' and extract(hour from timestamp) >= 6 and extract(hour from timestamp) < %d`, date, until))[0][0]
		if n, known := value.(int64); known {
			return thousands(float64(n), 0)
		}
		return "no data"
	}
	if got, want := shown(page, "data-figure", "entered"), entered(0, 12); !strings.HasPrefix(got, want+" ") && got != want {
		l.t.Errorf("%s: entered at Station B shows %q, staging has %s", address, got, want)
	}
	for period, before := range map[string]int{"before": 1, "week": 7} {
		want := " " + entered(before, until)
		if until <= 6 {
			want = "no comparison yet"
		}
		if got := shown(page, "data-compared", "entered "+period); !strings.Contains(got, want) {
			l.t.Errorf("%s: %s shows %q, staging has %s", address, period, got, want)
		}
	}
}

// checkFirst compares the first row of a chart with that of a query.
func (l *local) checkFirst(page *html.Node, chart, query string) {
	l.t.Helper()
	figure := browser.Find(page, browser.Has("data-chart", chart))
	body := browser.Find(figure, func(n *html.Node) bool { return n.Data == "tbody" })
	if body == nil || body.FirstChild == nil {
		l.t.Errorf("%s shows nothing", chart)
		return
	}
	want := l.query(query)[0]
	cell := body.FirstChild.FirstChild
	for _, value := range want {
		if got := browser.Text(cell); got != fmt.Sprint(value) {
			l.t.Errorf("%s begins with %q (%q), staging has %v", chart, got, browser.Text(body.FirstChild), want)
		}
		cell = cell.NextSibling
	}
}

// checkDirections compares the punctuality of each direction.
func (l *local) checkDirections(page *html.Node) {
	l.t.Helper()
	got := map[string]string{}
	body := browser.Find(browser.Find(page, browser.Has("data-chart", "punctuality_by_direction")), func(n *html.Node) bool { return n.Data == "tbody" })
	for row := range body.ChildNodes() {
		got[browser.Text(row.FirstChild)] = browser.Text(row.FirstChild.NextSibling)
	}
	for _, row := range l.query(`select direction, countif(timestamp_diff(timestamp, scheduled_timestamp, second) <= 300) / count(*) from staging_data.train_arrivals group by 1`) {
		if want := thousands(row[1].(float64)*100, 1) + " %"; got[row[0].(string)] != want {
			l.t.Errorf("punctuality to the %s shows %s, staging has %s", row[0], got[row[0].(string)], want)
		}
	}
	if len(got) != 4 {
		l.t.Errorf("the page shows %d directions, want 4", len(got))
	}
}
