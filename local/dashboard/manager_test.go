package dashboard_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/stationflow/stationflow/internal/page/view"
	"github.com/stationflow/stationflow/local/browser"
)

// answerOf is what the API answers to an address.
func answerOf(t *testing.T, handler http.Handler, address string) (a view.Answer) {
	t.Helper()
	if err := json.Unmarshal([]byte(get(t, handler, "/api/view?"+address)), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// The address says what is shown: controls, figures, charts and files follow.
func TestPage_AnswersTheAddress(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"",
		"range=yesterday&station=Bercy&hours=6-12",
		"range=7d&station=Bercy&station=Gare+du+Nord&compare=week",
		"range=dates&from=2026-11-02&to=2026-11-05&compare=none",
	} {
		shown := scenes(noon)["busy"].dashboard(at(noon))
		mustRefresh(t, shown)
		answer := answerOf(t, shown.Handler(), address)
		page := open(t, shown.Handler(), "?"+address)
		for _, f := range answer.Figures {
			want := numbered(f.Unit, f.Value)
			if got := browser.Text(browser.Find(browser.Find(page, browser.Has("data-figure", f.ID)), browser.Has("class", "value"))); f.Value != nil && got != want {
				t.Errorf("%s: %s shows %q, the API says %q", address, f.ID, got, want)
			}
			for i, before := range f.Compared {
				line := textOf(t, page, "data-compared", f.ID+" "+answer.Periods[i+1].ID)
				want := numbered(f.Unit, before)
				if !strings.HasPrefix(line, answer.Periods[i+1].Label+" "+want) {
					t.Errorf("%s: %s of %s shows %q, the API says %q", address, f.ID, answer.Periods[i+1].Label, line, want)
				}
			}
		}
		for _, c := range answer.Charts {
			checkChart(t, page, address, c)
		}
		ticked := 0
		for node := range page.Descendants() {
			if browser.Attribute(node, "name") == "station" {
				ticked++
			}
		}
		if ticked != len(stations) {
			t.Errorf("%s: %d stations to choose from, want %d", address, ticked, len(stations))
		}
		if open := browser.Find(page, browser.Has("id", "now")); address == "" && !strings.Contains(browser.Text(open), "suspect packageMajorChâtelet – Les Halles, Dock 3, Platform20 min2026-11-23 02:00") {
			t.Errorf("right now the page shows %q", browser.Text(open))
		}
	}
}

// numbered is how the page writes a value, without its unit.
func numbered(unit string, value *float64) string {
	if value == nil {
		return "no data"
	}
	if unit == "share" {
		return written("a_rate", value, unit)
	}
	number, _, _ := strings.Cut(written("", value, unit), " ")
	return number
}

// checkChart compares the table of a chart, row by row, and its file.
func checkChart(t *testing.T, page *html.Node, address string, c view.Chart) {
	t.Helper()
	figure := browser.Find(page, browser.Has("data-chart", c.ID))
	if figure == nil {
		t.Errorf("%s: there is no chart %s", address, c.ID)
		return
	}
	link := browser.Find(figure, browser.Has("class", "csv"))
	if href := browser.Attribute(link, "href"); !strings.HasPrefix(href, "api/view.csv?") || !strings.Contains(href, "chart="+c.ID) {
		t.Errorf("%s: the file of %s is at %q", address, c.ID, href)
	}
	body, rows := browser.Find(figure, func(n *html.Node) bool { return n.Data == "tbody" }), 0
	for row := range body.ChildNodes() {
		if rows < len(c.Rows) {
			var cells []string
			for cell := range row.ChildNodes() {
				cells = append(cells, browser.Text(cell))
			}
			if len(cells) != len(c.Series)+1 || cells[0] != c.Rows[rows].Name {
				t.Errorf("%s: row %d of %s shows %q, the API says %v", address, rows, c.ID, cells, c.Rows[rows])
			}
			for i, value := range c.Rows[rows].Values {
				if text, ok := value.(string); ok && cells[i+1] != text {
					t.Errorf("%s: %s of %s shows %q, the API says %q", address, c.ID, cells[0], cells[i+1], text)
				}
				if number, ok := value.(float64); ok && c.Series[i].Unit == "share" && cells[i+1] != grouped(number*100, 1)+" %" {
					t.Errorf("%s: %s of %s shows %q, the API says %v", address, c.ID, cells[0], cells[i+1], number)
				}
			}
		}
		rows++
	}
	if rows != len(c.Rows) {
		t.Errorf("%s: %s has %d rows, the API %d", address, c.ID, rows, len(c.Rows))
	}
}

// What cannot be understood is told, and what was shown stays.
func TestPage_RefusesAnAddress(t *testing.T) {
	t.Parallel()
	shown := scenes(noon)["busy"].dashboard(at(noon))
	mustRefresh(t, shown)
	page := open(t, shown.Handler(), "?range=month")
	if got := textOf(t, page, "id", "asked"); !strings.Contains(got, "use today, yesterday, 7d, 28d") {
		t.Errorf("the page says %q, want how to ask", got)
	}
	if lost := browser.Find(page, browser.Has("id", "lost")); !browser.Has("hidden", "")(lost) {
		t.Errorf("the page says %q", browser.Text(lost))
	}
}

// Each chart is a file too.
func TestHandler_CSV(t *testing.T) {
	t.Parallel()
	shown := scenes(noon)["busy"].dashboard(at(noon))
	mustRefresh(t, shown)
	for _, c := range answerOf(t, shown.Handler(), "range=7d").Charts {
		file := get(t, shown.Handler(), "/api/view.csv?range=7d&chart="+c.ID)
		if lines := strings.Count(file, "\n"); lines != len(c.Rows)+1 || !strings.HasPrefix(file, c.By+",") {
			t.Errorf("the file of %s has %d lines and begins with %.40q, want %d and its names", c.ID, lines, file, len(c.Rows)+1)
		}
	}
	for address, want := range map[string]int{"range=month&chart=heat": http.StatusBadRequest, "chart=none": http.StatusNotFound} {
		answer := httptest.NewRecorder()
		shown.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/api/view.csv?"+address, nil))
		if answer.Code != want {
			t.Errorf("%s answered %d, want %d: %s", address, answer.Code, want, fmt.Sprint(answer.Body))
		}
	}
}
