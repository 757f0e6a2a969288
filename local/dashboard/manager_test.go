package dashboard_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/stationflow/stationflow/internal/page/view"
	"github.com/stationflow/stationflow/local/browser"
	"github.com/stationflow/stationflow/local/dashboard"
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
				want := numbered(f.Unit, before.Value)
				if begin := answer.Periods[i+1].Label + " " + want; before.Shared == "" && !strings.HasPrefix(line, begin) || before.Shared != "" && !strings.HasPrefix(line, before.Shared+" compared: ") {
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

// What cannot be answered is told in a sentence, and no figures stay that could
// be taken for the answer: by a link as by clicks.
func TestPage_RefusesAnAddress(t *testing.T) {
	t.Parallel()
	const wrong = "The first day (from), 2026-11-20, is later than the last (to), 2026-11-18: exchange them"
	for name, row := range map[string]struct{ address, clicks, want string }{
		"a range":     {"?range=month", "", "use today, yesterday, 7d, 28d"},
		"a link":      {"?range=dates&from=2026-11-20&to=2026-11-18", "", wrong},
		"a station":   {"?station=Bercy&station=Nowhere", "", `There is no station (station) "Nowhere": use Auber, Austerlitz, `},
		"two ranges":  {"?range=7d&from=2026-11-18", "", "from and to choose others"},
		"not a date":  {"?range=dates&from=2026-02-30&to=2026-11-18", "", `The first day (from) is "2026-02-30", which is not a date`},
		"clicks":      {"", "click('dates', '2026-11-20', '2026-11-18')", wrong},
		"clicks back": {"?range=dates&from=2026-11-20&to=2026-11-18", "click('today', '', '')", ""},
	} {
		shown := scenes(noon)["busy"].dashboard(at(noon))
		mustRefresh(t, shown)
		page := open(t, withScript(shown.Handler(), `
function click(range, from, to) {
  const form = document.getElementById("ask")
  form.querySelector("[value=" + range + "]").checked = true
  form.from.value = from
  form.to.value = to
  form.dispatchEvent(new Event("change"))
}
setTimeout(() => { `+row.clicks+` }, 4000)`), row.address)
		got, hidden := textOf(t, page, "id", "asked"), browser.Has("hidden", "")(browser.Find(page, browser.Has("id", "answers")))
		if !strings.Contains(got, row.want) || hidden != (row.want != "") {
			t.Errorf("%s: the page says %q, figures hidden %v; want %q", name, got, hidden, row.want)
		}
		if row.want == "" && !strings.HasPrefix(got, "Shown: today") {
			t.Errorf("%s: the page says %q", name, got)
		}
		if lost := browser.Find(page, browser.Has("id", "lost")); !browser.Has("hidden", "")(lost) {
			t.Errorf("%s: the page says %q", name, browser.Text(lost))
		}
	}
}

// Hours that have not begun are shown as such, and are compared with nothing.
func TestPage_HoursToCome(t *testing.T) {
	t.Parallel()
	shown := scenes(noon)["busy"].dashboard(at(noon))
	mustRefresh(t, shown)
	page := open(t, shown.Handler(), "?hours=14-16")
	if got := textOf(t, page, "data-figure", "entered"); got != "to come" {
		t.Errorf("entered shows %q", got)
	}
	if line := browser.Find(page, browser.Has("data-compared", "entered before")); line != nil {
		t.Errorf("it is compared: %q", browser.Text(line))
	}
	if got := textOf(t, page, "id", "asked"); got != "Shown: today, 14:00 to 16:00, all stations. These hours are still to come." {
		t.Errorf("the page says %q", got)
	}
}

// withGaps are the busy marts without the hours of a day from one on.
func withGaps(daysAgo, from int) marts {
	m, date := marts{}, noon.AddDate(0, 0, -daysAgo).Format(time.DateOnly)
	for part, rows := range noonMarts() {
		for _, row := range rows {
			if hour, hourly := row["hour"].(int); !hourly || row["local_date"] != date || hour < from {
				m[part] = append(m[part], row)
			}
		}
	}
	return m
}

// A period with gaps is compared in the hours that both have, or not at all, and
// the page says which.
func TestPage_SaysWhatIsCompared(t *testing.T) {
	t.Parallel()
	for from, want := range map[int]string{
		10: "5 of 7 hours compared: 304, a week ago 279 ▲ 9 %",
		6:  "a week ago 20  (no comparison: 1 of 7 hours have data in both)",
	} {
		shown := dashboard.New(dashboard.Config{View: withGaps(7, from).asked(paris, at(noon)), Pipeline: func() dashboard.Pipeline { return busy(noon, nil) },
			Tables: func(context.Context) ([]dashboard.Row, error) { return nil, nil }, Location: paris, Now: at(noon)})
		mustRefresh(t, shown)
		page := open(t, shown.Handler(), "?station=Bercy")
		line := textOf(t, page, "data-compared", "entered week")
		compared := strings.Contains(line, "▲") || strings.Contains(line, "▼")
		if line != want || compared != (from == 10) {
			t.Errorf("the page says %q, want %q", line, want)
		}
		if got := textOf(t, page, "id", "asked"); !strings.Contains(got, "only from hours for which both periods have data") {
			t.Errorf("on top the page says %q", got)
		}
		if yesterday := textOf(t, page, "data-compared", "entered before"); strings.Contains(yesterday, "(") {
			t.Errorf("of yesterday, which is whole, the page says %q", yesterday)
		}
	}
}

// An address that moves with the day comes with one of fixed dates.
func TestPage_OffersFixedDates(t *testing.T) {
	t.Parallel()
	shown := scenes(noon)["busy"].dashboard(at(noon))
	mustRefresh(t, shown)
	for address, want := range map[string]string{
		"?range=7d&station=Bercy&hours=6-12": "?range=dates&station=Bercy&hours=6-12&from=2026-11-16&to=2026-11-22",
		"":                                   "?range=dates&from=2026-11-22&to=2026-11-22",
		"?range=dates&from=2026-11-16&to=2026-11-22": "",
		"?from=2026-11-16&to=2026-11-22":             "",
	} {
		page := open(t, shown.Handler(), address)
		share := browser.Find(page, browser.Has("id", "share"))
		link := browser.Find(share, func(n *html.Node) bool { return n.Data == "a" })
		if hidden := browser.Has("hidden", "")(share); hidden != (want == "") || !hidden && browser.Attribute(link, "href") != want {
			t.Errorf("%q: hidden %v, the link is %q, want %q", address, hidden, browser.Attribute(link, "href"), want)
		}
	}
}

// An hour without data is empty in the map of the week, and 0 is written.
func TestPage_GapsInTheMapAreEmpty(t *testing.T) {
	t.Parallel()
	m := marts{"flow": {
		{"local_date": "2026-11-21", "hour": 8, "station": "A", "entered": 0, "records": 1},
		{"local_date": "2026-11-20", "hour": 9, "station": "A", "entered": 5, "records": 1},
	}, "disturbances": noonMarts()["disturbances"], "freshness": noonMarts()["freshness"]}
	shown := dashboard.New(dashboard.Config{View: m.asked(time.UTC, at(noon)), Pipeline: func() dashboard.Pipeline { return busy(noon, nil) },
		Tables: func(context.Context) ([]dashboard.Row, error) { return nil, nil }, Now: at(noon)})
	mustRefresh(t, shown)
	page := open(t, shown.Handler(), "")
	table := browser.Find(browser.Find(page, browser.Has("data-chart", "entered_by_weekday_and_hour")), func(n *html.Node) bool { return n.Data == "tbody" })
	got := ""
	for row := range table.ChildNodes() {
		for cell := range row.ChildNodes() {
			got += browser.Text(cell) + "|"
		}
	}
	const none = "no data|no data|"
	want := "Monday|" + none + "Tuesday|" + none + "Wednesday|" + none + "Thursday|" + none + "Friday|no data|5|Saturday|0|no data|Sunday|" + none
	if got != want {
		t.Errorf("the map shows %s, want %s", got, want)
	}
}

// Each chart is a file too.
func TestHandler_CSV(t *testing.T) {
	t.Parallel()
	shown := scenes(noon)["busy"].dashboard(at(noon))
	mustRefresh(t, shown)
	for _, c := range answerOf(t, shown.Handler(), "range=7d").Charts {
		file := get(t, shown.Handler(), "/api/view.csv?range=7d&chart="+c.ID)
		if lines := strings.Count(file, "\n"); lines != len(c.Rows)+1 || !strings.HasPrefix(file, c.By+",") || len(c.Rows) > 0 && !strings.Contains(file, ",2026-11-22,00:00 to 24:00,all,Europe/Paris,") && !strings.Contains(file, ",2026-11-21,00:00 to 24:00,all,Europe/Paris,") {
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
