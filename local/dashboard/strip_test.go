package dashboard_test

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/stationflow/stationflow/local/browser"
	"github.com/stationflow/stationflow/local/dashboard"
)

// A screen is what a page is shown on.
type screen struct {
	width int
	dark  bool
}

// show opens a page on the screen. Chromium makes no window as narrow as a
// phone: there the page is shown in a frame, which in the end puts what has
// become of it in the place of the page around it.
func (s screen) show(t *testing.T, handler http.Handler) *html.Node {
	t.Helper()
	options := []string{fmt.Sprintf("--window-size=%d,900", max(s.width, 500))}
	if s.dark {
		options = append(options, "--blink-settings=preferredColorScheme=0")
	}
	if s.width >= 500 {
		return open(t, handler, "", options...)
	}
	const comeOut = `
setTimeout(() => parent.document.documentElement.replaceWith(parent.document.importNode(document.documentElement, true)), 7000)
`
	framed := withScript(handler, comeOut)
	return open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/phone" {
			w.Header().Set("Content-Type", "text/html")
			_, _ = fmt.Fprintf(w, `<!doctype html><iframe src="/" style="width: %dpx; height: 800px; border: 0"></iframe>`, s.width)
			return
		}
		framed.ServeHTTP(w, r)
	}), "phone", options...)
}

// withScript adds to the page's script. The page then has no policy.
func withScript(next http.Handler, more string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		for name, values := range answer.Header() {
			if name != "Content-Security-Policy" && name != "Content-Length" {
				w.Header()[name] = values
			}
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
		if r.URL.Path == "/app.js" {
			_, _ = io.WriteString(w, more)
		}
	})
}

// The strip shows what the API says, hop by hop, in every scene and on every
// screen, and each of the five states is shown somewhere.
func TestPage_ShowsThePipelineOfTheAPI(t *testing.T) {
	t.Parallel()
	screens := []screen{{1280, false}, {375, false}, {375, true}}
	shownStates := map[string]bool{}
	for i, name := range []string{"busy", "idle", "behind", "failing", "http", "empty", "early", "small"} {
		scene := scenes(noon)[name]
		shown := scene.dashboard(at(noon))
		mustRefresh(t, shown)
		_ = shown.Refresh(t.Context()) // fails in failing
		status := shown.Status()
		page := screens[i%len(screens)].show(t, shown.Handler())
		if lost := browser.Find(page, browser.Has("id", "lost")); !browser.Has("hidden", "")(lost) {
			t.Errorf("%s: the page says %q", name, browser.Text(lost))
		}
		for _, hop := range status.Hops {
			shownStates[checkHop(t, name, page, hop, status)] = true
		}
		checkOverall(t, name, page, status)
		checkMeasures(t, name, page, status)
		checkRun(t, name, page, status.Transform)
		if waiting := browser.Find(page, browser.Has("id", "empty")); browser.Text(waiting) != status.WaitingFor || browser.Has("hidden", "")(waiting) != (status.WaitingFor == "") {
			t.Errorf("%s: the page waits for %q, the API for %q", name, browser.Text(waiting), status.WaitingFor)
		}
	}
	for _, state := range []dashboard.State{dashboard.NothingYet, dashboard.Flowing, dashboard.Idle, dashboard.Behind, dashboard.Failing} {
		if !shownStates[string(state)] {
			t.Errorf("no scene shows a hop that is %q", state)
		}
	}
}

// checkHop returns the state that is shown.
func checkHop(t *testing.T, scene string, page *html.Node, hop dashboard.HopStatus, status dashboard.Status) string {
	t.Helper()
	item := browser.Find(page, browser.Has("data-hop", string(hop.Hop)))
	if item == nil {
		t.Fatalf("%s: the page has no hop %s", scene, hop.Hop)
	}
	state := browser.Find(item, browser.Has("class", "state"))
	got := map[string]string{
		"name":  browser.Text(browser.Find(item, func(n *html.Node) bool { return n.Data == "h3" })),
		"state": browser.Text(state), "shape": browser.Attribute(state, "data-state"),
		"rate": browser.Text(browser.Find(item, browser.Has("class", "rate"))), "passed": browser.Text(browser.Find(item, browser.Has("class", "passed"))),
		"waiting": fact(item, "waiting"), "oldest": fact(item, "oldest"), "retries": fact(item, "retries"), "failures": fact(item, "failures"),
	}
	want := map[string]string{
		"name": hop.Name, "state": string(hop.State), "shape": string(hop.State),
		"rate": rateOf(hop, status), "passed": passedOf(hop, status),
		"retries": writtenCount(hop.Retries), "failures": writtenCount(hop.Failures), "waiting": "", "oldest": "",
	}
	if hop.Waiting != nil {
		want["waiting"], want["oldest"] = writtenCount(&hop.Waiting.Records), "–"
		if hop.Waiting.Records > 0 {
			want["oldest"] = writtenSeconds(&hop.Waiting.Seconds)
		}
	}
	for what, text := range want {
		if got[what] != text {
			t.Errorf("%s: %s of %s is shown as %q, the API says %q", scene, what, hop.Hop, got[what], text)
		}
	}
	return got["state"]
}

// fact is a line of a hop's; "" when it is hidden.
func fact(item *html.Node, name string) string {
	line := browser.Find(item, browser.Has("data-fact", name))
	if browser.Has("hidden", "")(line) {
		return ""
	}
	return browser.Text(browser.Find(line, func(n *html.Node) bool { return n.Data == "dd" }))
}

func rateOf(hop dashboard.HopStatus, status dashboard.Status) string {
	switch {
	case hop.Hop == dashboard.TransformRuns && status.Transform.LastTook == nil:
		return "–"
	case hop.Hop == dashboard.TransformRuns:
		return writtenSeconds(status.Transform.LastTook)
	case hop.Hop == dashboard.Prod:
		return writtenCount(&hop.Records) + " rows"
	case hop.PerSecond == nil:
		return "–"
	case *hop.PerSecond > 0 && *hop.PerSecond < 9.95:
		return grouped(*hop.PerSecond, 1) + " records/s"
	}
	return grouped(*hop.PerSecond, 0) + " records/s"
}

func passedOf(hop dashboard.HopStatus, status dashboard.Status) string {
	words := map[dashboard.Hop]string{dashboard.Kafka: "in Kafka", dashboard.Bridge: "published", dashboard.Transport: "delivered", dashboard.Ingest: "ingested", dashboard.Staging: "rows"}
	switch {
	case hop.Hop == dashboard.TransformRuns && status.Transform.LastFinished == nil:
		return "no run yet"
	case hop.Hop == dashboard.TransformRuns:
		return "last run, " + status.Transform.LastFinished.Format(time.TimeOnly)
	case hop.Hop == dashboard.Prod && hop.Records == 0:
		return "no figures yet"
	case hop.Hop == dashboard.Prod && hop.Records < 100: // the scene small
		return "computed 29 s ago"
	case hop.Hop == dashboard.Prod:
		return "computed 35 s ago"
	}
	return writtenCount(&hop.Records) + " " + words[hop.Hop]
}

func writtenCount(n *int64) string {
	if n == nil {
		return ""
	}
	return grouped(float64(*n), 0)
}

// writtenSeconds is how the page writes a duration.
func writtenSeconds(s *float64) string {
	switch {
	case s == nil:
		return "no data"
	case *s < 1:
		return grouped(math.Round(*s*1000), 0) + " ms"
	case *s < 10:
		return grouped(*s, 1) + " s"
	case *s < 120:
		return grouped(*s, 0) + " s"
	}
	return grouped(*s/60, 0) + " min"
}

// What needs attention is said with its reason and its remedy; all is quiet
// otherwise.
func checkOverall(t *testing.T, scene string, page *html.Node, status dashboard.Status) {
	t.Helper()
	overall := browser.Find(page, browser.Has("id", "overall"))
	if got := browser.Text(browser.Find(overall, browser.Has("class", "state"))); got != string(status.Overall.State) {
		t.Errorf("%s: overall is shown as %q, want %q", scene, got, status.Overall.State)
	}
	troubles := 0
	for _, hop := range status.Hops {
		line := browser.Find(page, browser.Has("data-trouble", string(hop.Hop)))
		if hop.State != dashboard.Failing && hop.State != dashboard.Behind {
			if line != nil {
				t.Errorf("%s: %s is %s, and the page says %q", scene, hop.Hop, hop.State, browser.Text(line))
			}
			continue
		}
		troubles++
		want := fmt.Sprintf("%s, %s: %s%s", hop.Name, hop.State, hop.Note, strings.ReplaceAll(hop.Remedy, "`", ""))
		if line == nil || browser.Text(line) != want {
			t.Errorf("%s: of %s the page says %q, want %q", scene, hop.Hop, browser.Text(line), want)
		}
	}
	simulated, note := browser.Find(page, browser.Has("id", "simulated")), ""
	if status.Simulation != nil {
		note = status.Simulation.Note
	}
	if browser.Text(simulated) != note || browser.Has("hidden", "")(simulated) != (note == "") {
		t.Errorf("%s: of the simulated time the page says %q, want %q", scene, browser.Text(simulated), note)
	}
	refused := browser.Find(page, browser.Has("id", "refused"))
	if want := strings.ReplaceAll(strings.TrimSpace(status.Refused.Note+" "+status.Refused.Remedy), "`", ""); browser.Text(refused) != want || browser.Has("hidden", "")(refused) != (want == "") {
		t.Errorf("%s: of the quarantine the page says %q, want %q", scene, browser.Text(refused), want)
	}
	if list := browser.Find(page, browser.Has("id", "attention")); browser.Has("hidden", "")(list) != (troubles == 0) {
		t.Errorf("%s: with %d troubles the list is hidden: %v", scene, troubles, browser.Has("hidden", "")(list))
	}
}

func checkMeasures(t *testing.T, scene string, page *html.Node, status dashboard.Status) {
	t.Helper()
	want := map[string]string{
		"p50": writtenSeconds(status.Freshness.P50), "p99": writtenSeconds(status.Freshness.P99),
		"quarantined": writtenCount(&status.Quarantined), "dead-letters": writtenCount(&status.DeadLetters),
		"last": "–", "last-status": "none yet", "next": status.Transform.Next.Format(time.TimeOnly),
	}
	if last := status.Transform.LastFinished; last != nil {
		want["last"] = last.Format(time.TimeOnly)
		want["last-status"] = *status.Transform.LastStatus + ", took " + writtenSeconds(status.Transform.LastTook)
	}
	if status.QuarantinedShare != nil {
		want["quarantined-share"] = strconv.FormatFloat(*status.QuarantinedShare*100, 'f', 2, 64) + " % of " + grouped(float64(status.Valid+status.Quarantined), 0) + " records"
	}
	for name, text := range want {
		if got := textOf(t, page, "data-measure", name); got != text {
			t.Errorf("%s: %s shows %q, want %q", scene, name, got, text)
		}
	}
	if window := textOf(t, page, "data-measure", "window"); !strings.Contains(window, "over the last 30 s") {
		t.Errorf("%s: the page does not say what rates are means over: %q", scene, window)
	}
}

// Each model of the last run has a row, each finding a line.
func checkRun(t *testing.T, scene string, page *html.Node, run dashboard.TransformStatus) {
	t.Helper()
	shown := browser.Find(page, browser.Has("id", "run"))
	if browser.Has("hidden", "")(shown) != (len(run.Models) == 0) {
		t.Errorf("%s: with %d models the run is hidden: %v", scene, len(run.Models), browser.Has("hidden", "")(shown))
	}
	var rows []string
	for row := range browser.Find(shown, func(n *html.Node) bool { return n.Data == "tbody" }).ChildNodes() {
		var cells []string
		for cell := range row.ChildNodes() {
			cells = append(cells, browser.Text(cell))
		}
		rows = append(rows, strings.Join(cells, "|"))
	}
	var want []string
	for _, m := range run.Models {
		size := "view"
		if m.Rows != nil {
			size = writtenCount(m.Rows)
		}
		want = append(want, fmt.Sprintf("%s%s|%s|%s|%s", m.Name, m.Error, m.Status, size, writtenSeconds(&m.Took)))
	}
	if !slices.Equal(rows, want) {
		t.Errorf("%s: the models are shown as\n%s\nwant\n%s", scene, strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
	findings := browser.Text(browser.Find(shown, browser.Has("class", "findings")))
	for _, f := range run.Findings {
		if line := fmt.Sprintf("%s %s: %s row", f.Status, f.Test, writtenCount(&f.Rows)); !strings.Contains(findings, line) {
			t.Errorf("%s: the findings %q lack %q", scene, findings, line)
		}
	}
}

// probe is added to the page's script. It writes into the document what a
// test cannot see from outside: how far the page is wider than the screen, and
// the least contrast of any text of answers and strip to what it stands on.
const probe = `
setTimeout(() => { for (const d of document.querySelectorAll("details")) d.open = true }, 3000)
setTimeout(() => {
  const root = document.documentElement
  root.dataset.wider = root.scrollWidth - root.clientWidth
  const rgb = (color) => color.match(/[\d.]+/g).map((n) => n * (color.startsWith("color(") ? 255 : 1))
  const light = (color) => rgb(color).slice(0, 3).map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0)
  const ground = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (rgb(c)[3] !== 0) return c } return "rgb(255,255,255)" }
  let least = 99, of = "", clipped = ""
  for (const e of document.querySelectorAll("header *, .ask *, .status *, #answers *, .pipeline *, .alerts *")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || !e.offsetParent) continue
    if (e.classList.contains("unseen")) continue
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x)
    const contrast = (a + 0.05) / (b + 0.05)
    if (contrast < least) { least = contrast; of = e.textContent.slice(0, 40) }
    const box = e.getBoundingClientRect()
    if (e.closest(".scroll")) continue // which shows the rest when it is scrolled, but for the lists below
    if (box.right > root.clientWidth + 0.5 || (e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0)) clipped += e.textContent.slice(0, 40) + "; "
  }
  for (const list of document.querySelectorAll(root.clientWidth <= 400 ? ".scroll" : "#now .scroll, #alerts .scroll, #freshness .scroll")) {
    if (list.scrollWidth > list.clientWidth) clipped += list.ariaLabel + " is " + list.scrollWidth + " wide in " + list.clientWidth + "; "
  }
  for (const canvas of document.querySelectorAll("canvas")) {
    const [box, room] = [canvas.getBoundingClientRect(), canvas.parentElement.getBoundingClientRect()]
    if (canvas.offsetParent && (box.right > room.right + 0.5 || box.width < room.width - 1)) clipped += "a chart of " + box.width + " in " + room.width + "; "
    for (const tick of Chart.getChart(canvas)?.scales.y.ticks ?? []) if (canvas.offsetParent && [tick.label].flat().some((l) => String(l).endsWith("…"))) clipped += "the label " + [tick.label].flat().join(" ") + "; "
    if (canvas.closest("[data-chart=entered_by_hour]") && Chart.getChart(canvas)?.data.labels.length > 0 && !Chart.getChart(canvas).scales.x.ticks[0]?.label.endsWith(":00")) clipped += "the hours below a chart; "
  }
  Object.assign(root.dataset, { contrast: least.toFixed(2), of, clipped, width: root.clientWidth, dark: matchMedia("(prefers-color-scheme: dark)").matches })
}, 5000)
`

// Every scene can be read on a desk and on a phone, by day and by night:
// nothing is wider than the screen or cut off, and text stands out.
func TestPage_CanBeRead(t *testing.T) {
	t.Parallel()
	all := scenes(noon)
	for _, test := range []struct {
		scene string
		screen
	}{
		{"busy", screen{1280, false}},
		{"failing", screen{1280, true}},
		{"behind", screen{820, false}},
		{"failing", screen{375, false}},
		{"behind", screen{375, true}},
		{"busy", screen{390, false}},
		{"empty", screen{375, true}},
		{"idle", screen{320, false}},
	} {
		shown := all[test.scene].dashboard(at(noon))
		mustRefresh(t, shown)
		_ = shown.Refresh(t.Context()) // fails in failing
		root := browser.Find(test.show(t, withScript(shown.Handler(), probe)), func(n *html.Node) bool { return n.Data == "html" })
		found := func(name string) string { return browser.Attribute(root, "data-"+name) }
		if found("width") != strconv.Itoa(test.width) || found("dark") != strconv.FormatBool(test.dark) {
			t.Fatalf("%+v: the screen is %s wide, dark %s", test, found("width"), found("dark"))
		}
		if found("wider") != "0" {
			t.Errorf("%+v: the page is %s pixels wider than the screen", test, found("wider"))
		}
		if found("clipped") != "" {
			t.Errorf("%+v: cut off: %s", test, found("clipped"))
		}
		if contrast, err := strconv.ParseFloat(found("contrast"), 64); err != nil || contrast < 4.5 {
			t.Errorf("%+v: the contrast of %q is %s, want 4.5 at least", test, found("of"), found("contrast"))
		}
	}
}
