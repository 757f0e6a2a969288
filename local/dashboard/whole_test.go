package dashboard_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/stationflow/stationflow/internal/page/view"
	"github.com/stationflow/stationflow/local/browser"
	"github.com/stationflow/stationflow/local/dashboard"
)

// showing is a page of some marts at noon.
func showing(t *testing.T, m marts) *dashboard.Dashboard {
	t.Helper()
	rows := scenes(noon)["busy"].rows
	shown := dashboard.New(dashboard.Config{View: m.asked(paris, at(noon)), Pipeline: func() dashboard.Pipeline { return busy(noon, nil) },
		Tables: func(context.Context) ([]dashboard.Row, error) { return rows, nil }, Location: paris, Now: at(noon)})
	mustRefresh(t, shown)
	return shown
}

// A change stands with the two numbers it is worked out of, the hour that is not
// in them with its station, and the whole of the earlier day without a change.
// Values that are not whole are marked, stations that are silent named, and what
// is past its end goes on being shown.
func TestPage_SaysWhatIsNotWhole(t *testing.T) {
	t.Parallel()
	m := marts{}
	for part, rows := range noonMarts() {
		m[part] = slices.Clone(rows)
	}
	day := noon.Format(time.DateOnly)
	m["flow"] = slices.DeleteFunc(m["flow"], func(row map[string]any) bool {
		return row["station"] == "Bercy" && (row["hour"] == 5 || row["local_date"] == day && row["hour"].(int) >= 9)
	})
	m["incidents"] = append(m["incidents"], map[string]any{"local_date": day, "hour": 8, "station": "Bercy", "zone": "Bercy / Dock 1", "what": "fire", "count": 1, "minutes": 500})
	m["disturbances"] = append(m["disturbances"], map[string]any{"kind": "incident", "what": "fire", "station": "Bercy", "zone": "Bercy / Dock 1",
		"began_at": noon.Add(-2 * time.Hour), "ends_at": noon.Add(-10 * time.Minute)})
	page := open(t, showing(t, m).Handler(), "?station=Bercy&hours=6-10")
	const want = "3 of 4 hours compared: 269, yesterday 268 ▲ under 1 %; yesterday with the other hours: 284"
	if got := textOf(t, page, "data-compared", "entered before"); got != want {
		t.Errorf("the page says %q, want %q", got, want)
	}
	const why = "Entered, Exited, Mean waiting time compared without 09:00, for which Bercy has no passenger records today; incident from the hour of 08:00 on."
	if got := textOf(t, page, "class", "muted gaps"); got != why {
		t.Errorf("of the missing hour the page says %q, want %q", got, why)
	}
	if got := textOf(t, page, "data-compared", "incidents before"); strings.Contains(got, "%") || !strings.Contains(got, "▲ 1") {
		t.Errorf("of one incident the page says %q", got)
	}
	if got := textOf(t, page, "id", "silent"); got != "Bercy: no passenger records since the hour of 08:00." {
		t.Errorf("of the silent station the page says %q", got)
	}
	if got := textOf(t, page, "id", "now"); !strings.Contains(got, ": past its expected end, nobody said that it is over") {
		t.Errorf("right now the page shows %q", got)
	}
	if quiet := browser.Find(page, browser.Has("id", "quiet")); browser.Has("hidden", "")(quiet) {
		t.Error("incidents are quiet, and the page does not say what that means")
	}

	page = open(t, showing(t, m).Handler(), "?range=28d")
	for chart, mark := range map[string]string{"punctuality_by_day": "not over", "entered_by_weekday_and_hour": "12 of 13 stations"} {
		figure := browser.Find(page, browser.Has("data-chart", chart))
		if marked := browser.Find(figure, func(n *html.Node) bool {
			return browser.Attribute(n, "data-mark") == mark || browser.Attribute(n, "class") == "part" && browser.Attribute(n, "title") == mark
		}); marked == nil {
			t.Errorf("%s marks nothing as %q", chart, mark)
		}
	}
}

// twoDays are marts without the passengers of earlier days.
func twoDays() marts {
	m := marts{"disturbances": noonMarts()["disturbances"], "freshness": noonMarts()["freshness"]}
	for _, row := range noonMarts()["flow"] {
		if row["local_date"].(string) >= noon.AddDate(0, 0, -1).Format(time.DateOnly) {
			m["flow"] = append(m["flow"], row)
		}
	}
	return m
}

// Days without data are told beside the figure.
func TestPage_SaysHowManyDaysHaveData(t *testing.T) {
	t.Parallel()
	page := open(t, showing(t, twoDays()).Handler(), "?range=7d")
	if got := textOf(t, page, "data-days", "entered"); got != "2 of 7 days have data" {
		t.Errorf("the page says %q", got)
	}
}

// Between a phone and a desk nothing makes the page wider than the window: not
// the map of the week, though most of its cells are empty.
func TestPage_FitsEveryWidth(t *testing.T) {
	t.Parallel()
	shown := showing(t, twoDays())
	for _, width := range []int{600, 768, 940} {
		page := open(t, withScript(shown.Handler(), `
setTimeout(() => { document.body.dataset.over = document.documentElement.scrollWidth - document.documentElement.clientWidth }, 6000)`), "", fmt.Sprintf("--window-size=%d,900", width))
		body := browser.Find(page, func(n *html.Node) bool { return n.Data == "body" })
		if got := browser.Attribute(body, "data-over"); got != "0" {
			t.Errorf("at %d pixels the page is %q pixels wider than the window", width, got)
		}
	}
}

// On paper are the answers alone, in light colours and without boxes that scroll,
// even where the screen is dark. The rules for paper are applied to the screen.
func TestPage_OnPaper(t *testing.T) {
	t.Parallel()
	shown := scenes(noon)["busy"].dashboard(at(noon))
	mustRefresh(t, shown)
	page := open(t, withScript(shown.Handler(), `
setTimeout(() => {
  for (const sheet of document.styleSheets) for (const rule of sheet.cssRules) {
    if (rule.media) rule.media.mediaText = rule.media.mediaText.replace("screen", "speech").replace("print", "all")
  }
  const style = (selector) => getComputedStyle(document.querySelector(selector))
  const shown = ["#ask select", "#pipeline", "#tables", ".csv", "#answers", "#asked"].filter((s) => document.querySelector(s).checkVisibility())
  document.body.dataset.paper = [shown.join(), style("[data-chart] .scroll").overflow, style("body").backgroundColor, style("[data-chart]").breakInside].join(" | ")
}, 6000)`), "", "--blink-settings=preferredColorScheme=0")
	body := browser.Find(page, func(n *html.Node) bool { return n.Data == "body" })
	if got := browser.Attribute(body, "data-paper"); got != "#answers,#asked | visible | rgb(255, 255, 255) | avoid" {
		t.Errorf("on paper: %s", got)
	}
}

// A day of simulated stations that is counted twice is compared with nothing,
// and the page says why.
func TestPage_SaysThatTodayIsCountedTwice(t *testing.T) {
	t.Parallel()
	shown := showing(t, noonMarts())
	shown.View.Moment = func() view.Moment { return view.Moment{At: noon, Simulated: true, Over: true, Again: true} }
	page := open(t, shown.Handler(), "")
	const want = "Shown: today, all stations. Nothing is compared: the simulated stations have played hours of today more than once, and each time counts."
	if got := textOf(t, page, "id", "asked"); got != want {
		t.Errorf("the page says %q, want %q", got, want)
	}
	if line := browser.Find(page, browser.Has("data-compared", "entered before")); line != nil {
		t.Errorf("it is compared: %q", browser.Text(line))
	}
	if file := get(t, shown.Handler(), "/api/view.csv?chart=entered_by_station"); !strings.Contains(file, ",Simulated\n") || !strings.Contains(file, ",yes\n") {
		t.Errorf("the file does not say that it is simulated: %.300q", file)
	}
}
