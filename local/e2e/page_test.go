package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/page"
	"github.com/stationflow/stationflow/local/browser"
	"github.com/stationflow/stationflow/local/dashboard"
)

// What the page shows in a browser is what a stock client reads from the
// warehouse: rows in staging and quarantine, the rows of every model, and all
// headline figures.
func TestPage(t *testing.T) {
	t.Parallel()
	system := up(t, nil)
	sent, reasons := mix(t, recentEvents(t), 60)
	send(t, producer(t, system.Kafka), sent)
	system.awaitRecords(len(sent))
	system.transform()
	system.awaitFigures()

	page := browser.Open(t, system.Dashboard+"/#all")
	quarantined := system.rows("staging_data.quarantine")
	staged := 0
	for _, topic := range event.Topics() {
		staged += system.rows("staging_data." + topic)
	}
	if quarantined != len(reasons) || staged != len(sent)-len(reasons) {
		t.Errorf("the warehouse holds %d rows and %d in quarantine, %d records of which %d bad were sent", staged, quarantined, len(sent), len(reasons))
	}
	all := thousands(float64(staged+quarantined), 0)
	for hop, passed := range map[dashboard.Hop]string{
		dashboard.Kafka: thousands(float64(len(sent)), 0) + " in Kafka", dashboard.Bridge: thousands(float64(len(sent)), 0) + " published",
		dashboard.Transport: all + " delivered", dashboard.Ingest: all + " ingested", dashboard.Staging: all + " rows",
	} {
		item := browser.Find(page, browser.Has("data-hop", string(hop)))
		if got := browser.Text(browser.Find(item, browser.Has("class", "passed"))); got != passed {
			t.Errorf("%s shows %q, want %q", hop, got, passed)
		}
	}
	if got, want := shown(page, "data-measure", "quarantined"), thousands(float64(quarantined), 0); got != want {
		t.Errorf("quarantined shows %q, want %q", got, want)
	}
	system.checkModels(page)
	system.checkHeadlines(page)
	for _, hop := range []dashboard.Hop{dashboard.Transport, dashboard.Ingest} { // 60 bad records are no failure
		item := browser.Find(page, browser.Has("data-hop", string(hop)))
		if state := browser.Text(browser.Find(item, browser.Has("class", "state"))); state != string(dashboard.Flowing) && state != string(dashboard.Idle) {
			t.Errorf("%s is shown as %q", hop, state)
		}
	}
	system.stop()
}

// awaitFigures waits until the page serves the rows that prod_data has.
func (l *local) awaitFigures() {
	l.t.Helper()
	eventually(l.t, "the page has read the dashboard tables", func() error {
		body, err := get(l.Dashboard + "/api/pipeline")
		if err != nil {
			return err
		}
		var status dashboard.Status
		if err := json.Unmarshal(body, &status); err != nil {
			return err
		}
		rows := 0
		for _, table := range page.Tables {
			rows += l.rows("prod_data." + table)
		}
		if prod := status.Hops[len(status.Hops)-1]; prod.Records != int64(rows) {
			return fmt.Errorf("it has %d of %d rows", prod.Records, rows)
		}
		return nil
	})
}

func (l *local) rows(table string) int {
	l.t.Helper()
	n, err := l.count("select count(*) from " + table)
	if err != nil {
		l.t.Fatalf("counting the rows of %s: %v", table, err)
	}
	return int(n)
}

// checkModels compares the models of the last transform with the tables.
func (l *local) checkModels(page *html.Node) {
	l.t.Helper()
	tables := 0
	run := browser.Find(page, browser.Has("id", "run"))
	for row := range browser.Find(run, func(n *html.Node) bool { return n.Data == "tbody" }).ChildNodes() {
		name, status := browser.Text(row.FirstChild), browser.Text(row.FirstChild.NextSibling)
		size := browser.Text(row.FirstChild.NextSibling.NextSibling)
		if status == "failed" || status == "skipped" {
			l.t.Errorf("model %s is shown as %s", name, status)
		}
		if size == "view" {
			continue
		}
		tables++
		if want := thousands(float64(l.rows("prod_data."+name)), 0); size != want {
			l.t.Errorf("model %s is shown with %s rows, the warehouse has %s", name, size, want)
		}
	}
	if tables < 1 {
		l.t.Error("the page shows no model with rows")
	}
}

// checkHeadlines compares the totals that the page shows with the tables.
func (l *local) checkHeadlines(opened *html.Node) {
	l.t.Helper()
	compared := 0
	for _, table := range page.Tables {
		for _, row := range l.query("select metric_name, metric_value, unit from prod_data." + table + " where period = 'all' and dimension is null") {
			metric, want := row[0].(string), "no data"
			if value, known := row[1].(float64); known {
				want = written(metric, value, row[2].(string))
			}
			compared++
			if got := shown(opened, "data-metric", metric); got != want {
				l.t.Errorf("%s shows %q, the warehouse has %s", metric, got, want)
			}
		}
	}
	if compared < 18 {
		l.t.Errorf("compared %d headlines, want 18 at least", compared)
	}
}

// shown is the text of the element with an attribute.
func shown(page *html.Node, attribute, value string) string {
	return browser.Text(browser.Find(page, browser.Has(attribute, value)))
}

// written is how the page writes a metric.
func written(metric string, value float64, unit string) string {
	switch {
	case strings.HasSuffix(metric, "_rate"):
		return thousands(value*100, 1) + " %"
	case unit == "minutes":
		return thousands(value, 1) + " min"
	case value == math.Trunc(value):
		return thousands(value, 0) + " " + unit
	}
	return thousands(value, 1) + " " + unit
}

func thousands(value float64, digits int) string {
	text := strconv.FormatFloat(math.Abs(value), 'f', digits, 64)
	whole, _, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	if value < 0 {
		return "-" + text
	}
	return text
}
