package dashboard_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"image/color"
	"image/png"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/html"

	"github.com/stationflow/stationflow/local/browser"
	"github.com/stationflow/stationflow/local/dashboard"
)

// serving returns the URL of a server of handler that ends with the test.
func serving(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL + "/"
}

// open returns what the document of a page has become.
func open(t *testing.T, handler http.Handler, path string, options ...string) *html.Node {
	t.Helper()
	return browser.Open(t, serving(t, handler)+path, options...)
}

// textOf is the text below the first element with an attribute.
func textOf(t *testing.T, root *html.Node, name, value string) string {
	t.Helper()
	node := browser.Find(root, browser.Has(name, value))
	if node == nil {
		t.Fatalf("the page has no element with %s=%q", name, value)
	}
	return browser.Text(node)
}

// written is how the page writes a metric's value.
func written(metric string, value *float64, unit string) string {
	switch {
	case value == nil:
		return "no data"
	case strings.HasSuffix(metric, "_rate"):
		return grouped(*value*100, 1) + " %"
	case unit == "minutes":
		return grouped(*value, 1) + " min"
	case *value == math.Trunc(*value):
		return grouped(*value, 0) + " " + unit
	}
	return grouped(*value, 1) + " " + unit
}

// grouped writes a number with commas between thousands.
func grouped(value float64, digits int) string {
	number := strconv.FormatFloat(math.Abs(value), 'f', digits, 64)
	end, _, _ := strings.Cut(number, ".")
	for i := len(end) - 3; i > 0; i -= 3 {
		number = number[:i] + "," + number[i:]
	}
	if value < 0 {
		number = "-" + number
	}
	return number
}

// Every headline and every cell of every table equals what the API says.
func TestPage_ShowsTheFiguresOfTheAPI(t *testing.T) {
	t.Parallel()
	for _, period := range []string{"today", "all"} {
		shown := scenes(noon)["busy"].dashboard(at(noon))
		mustRefresh(t, shown)
		var figures dashboard.Figures
		if err := json.Unmarshal([]byte(get(t, shown.Handler(), "/api/dashboard")), &figures); err != nil {
			t.Fatal(err)
		}
		page := open(t, shown.Handler(), "#"+period)
		headlines, cells := 0, 0
		for node := range page.Descendants() {
			switch {
			case browser.Attribute(node, "data-metric") != "":
				headlines++
				checkHeadline(t, node, figures.Periods[period])
			case browser.Attribute(node, "data-by") != "":
				cells += checkTable(t, node, figures.Periods[period])
			}
		}
		if headlines != 20 || cells < 300 {
			t.Errorf("%s: compared %d headlines and %d cells, want 20 and at least 300", period, headlines, cells)
		}
	}
}

func checkHeadline(t *testing.T, node *html.Node, metrics dashboard.Period) {
	t.Helper()
	id := browser.Attribute(node, "data-metric")
	metric := metrics[id]
	want := written(id, metric.Total, metric.Unit)
	if top := browser.Attribute(node, "data-top"); top != "" {
		first := metric.By[top][0]
		want = first.Name + " " + written(id, first.Value, metric.Unit)
	}
	if got := browser.Text(node); got != want {
		t.Errorf("headline %s shows %q, the API says %q", id, got, want)
	}
}

// checkTable compares the table under a chart with the API and returns how
// many cells it has.
func checkTable(t *testing.T, figure *html.Node, metrics dashboard.Period) int {
	t.Helper()
	dimension, ids := browser.Attribute(figure, "data-by"), strings.Fields(browser.Attribute(figure, "data-metrics"))
	want := map[string]string{}
	for _, id := range ids {
		if dimension == "hour" {
			for hour := range 24 {
				want[fmt.Sprintf("%02d %s", hour, id)] = "no data"
			}
		}
		for _, point := range metrics[id].By[dimension] {
			want[point.Name+" "+id] = written(id, point.Value, metrics[id].Unit)
		}
	}
	got := 0
	body := browser.Find(figure, func(n *html.Node) bool { return n.Data == "tbody" })
	if body == nil {
		t.Fatalf("the chart of %s by %s has no table", ids, dimension)
	}
	for row := range body.ChildNodes() {
		name := browser.Text(row.FirstChild)
		cell := row.FirstChild.NextSibling
		for _, id := range ids {
			got++
			if said := cmp.Or(want[name+" "+id], "no data"); browser.Text(cell) != said {
				t.Errorf("%s of %s %s shows %q, the API says %q", id, dimension, name, browser.Text(cell), said)
			}
			cell = cell.NextSibling
		}
	}
	if got < len(want) {
		t.Errorf("the table of %s by %s has %d cells, the API %d values", ids, dimension, got, len(want))
	}
	return got
}

// The bill says what a month would cost, and of what; there is none before
// enough has been counted.
func TestPage_ShowsTheBill(t *testing.T) {
	t.Parallel()
	page := open(t, scenes(noon)["busy"].dashboard(at(noon)).Handler(), "")
	got := strings.Join(strings.Fields(textOf(t, page, "id", "bill")), " ")
	for _, want := range []string{
		"a month like the last 5 min would cost 542 dollars at list prices, 10.45 dollars per million records",
		"queries of the transform", "492.50", "91 %", "0.00",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the bill does not say %q:\n%s", want, got)
		}
	}
	empty := open(t, scenes(noon)["empty"].dashboard(at(noon)).Handler(), "")
	if node := browser.Find(empty, browser.Has("id", "bill")); node == nil || !browser.Has("hidden", "")(node) {
		t.Error("a bill is shown before anything was counted")
	}
}

func TestPage_ShowsNoDataForNull(t *testing.T) {
	t.Parallel()
	shown := scene{rows: small()}.dashboard(at(noon))
	mustRefresh(t, shown)
	page := open(t, shown.Handler(), "#today")
	for metric, want := range map[string]string{
		"tickets_validated": "0 tickets",
		"tickets_rejected":  "no data",
		"rejection_rate":    "no data", // NaN
		"incidents":         "no data", // no row at all
		"busiest_station":   "no data",
	} {
		if got := textOf(t, page, "data-metric", metric); got != want {
			t.Errorf("%s shows %q, want %q", metric, got, want)
		}
	}
}

// Names come from any producer: markup in them stays text.
func TestPage_MarkupInNamesIsText(t *testing.T) {
	t.Parallel()
	const (
		image  = `<img src=x onerror="document.title='owned'">`
		script = `</td><script>document.title='owned'</script>`
		link   = `"><a href="javascript:document.title='owned'" autofocus onfocus=document.title='owned'>`
	)
	var rows []dashboard.Row
	flow := table{"passenger_flow_dashboard", "today", noon.UTC(), &rows}
	flow.total("passengers_total", script, new(3.0)) // units too
	flow.by("station", image, "busiest_station", link, new(2.0))
	flow.by("station", image, "passengers_entered", "passengers", new(2.0))
	flow.by("station", script, "passengers_entered", "passengers", new(1.0))
	flow.by("station", link, "passengers_entered", "passengers", nil)
	hostile := scene{rows: rows, pipeline: dashboard.Pipeline{
		TransportName: image,
		Flows:         map[dashboard.Hop]dashboard.Flow{dashboard.Bridge: {Fault: image + script}},
		Transform:     dashboard.Transform{Models: []dashboard.Model{{Name: link, Status: image}}, Findings: []dashboard.Finding{{Test: script}}},
	}}
	shown := hostile.dashboard(at(noon))
	mustRefresh(t, shown)
	page := open(t, shown.Handler(), "#today")

	if title := browser.Text(browser.Find(page, func(n *html.Node) bool { return n.Data == "title" })); strings.Contains(title, "owned") {
		t.Error("markup in a name was executed")
	}
	if node := browser.Find(page, func(n *html.Node) bool { return n.Data == "img" || browser.Attribute(n, "autofocus") != "" }); node != nil {
		t.Errorf("markup in a name became the element %s", node.Data)
	}
	scripts := 0
	for node := range page.Descendants() {
		if node.Type == html.ElementNode && node.Data == "script" {
			scripts++
		}
	}
	if scripts != 2 {
		t.Errorf("the page has %d scripts, want its own 2", scripts)
	}
	if got, want := textOf(t, page, "data-metric", "busiest_station"), image+" 2 "+link; got != want {
		t.Errorf("busiest station shows %q, want %q", got, want)
	}
	everything := browser.Text(page)
	for _, name := range []string{image, script, link} {
		if !strings.Contains(everything, name) {
			t.Errorf("the page does not show the name %s as text", name)
		}
	}
}

// The charts are drawn: the colours of their bars are on the screen.
func TestPage_DrawsCharts(t *testing.T) {
	t.Parallel()
	shown := scenes(noon)["busy"].dashboard(at(noon))
	mustRefresh(t, shown)
	file := filepath.Join(t.TempDir(), "page.png")
	browser.Screenshot(t, serving(t, shown.Handler())+"#today", file, "--window-size=1440,9000")
	screenshot, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer screenshot.Close()
	screen, err := png.Decode(screenshot)
	if err != nil {
		t.Fatal(err)
	}
	pixels := map[color.Color]int{}
	for y := range screen.Bounds().Dy() {
		for x := range screen.Bounds().Dx() {
			pixels[color.NRGBAModel.Convert(screen.At(x, y))]++
		}
	}
	for name, bars := range map[string]color.NRGBA{"first": {0x3a, 0x74, 0xba, 0xff}, "second": {0x23, 0x93, 0x82, 0xff}, "bad": {0xcc, 0x5f, 0x38, 0xff}} {
		if pixels[bars] < 10_000 {
			t.Errorf("%d pixels have the colour %s of style.css, want bars of it", pixels[bars], name)
		}
	}
	if banner := (color.NRGBA{0xb3, 0x26, 0x1e, 0xff}); pixels[banner] > 10_000 {
		t.Error("the page shows that it lost the connection or stopped")
	}
}

// A server that stops answering is noticed, and what was shown stays.
func TestPage_ConnectionLost(t *testing.T) {
	t.Parallel()
	shown := scenes(noon)["busy"].dashboard(at(noon))
	mustRefresh(t, shown)
	var answers atomic.Int32
	dying := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/pipeline" {
			if answers.Add(1) > 1 {
				w.WriteHeader(http.StatusBadGateway)
				_, _ = io.WriteString(w, "away")
				return
			}
		}
		shown.Handler().ServeHTTP(w, r)
	})
	page := browser.OpenAfter(t, func() { answers.Store(0) }, serving(t, dying)+"#today")
	if lost := browser.Find(page, browser.Has("id", "lost")); browser.Has("hidden", "")(lost) || !strings.HasPrefix(browser.Text(lost), "Connection lost: showing what was known at 12:00:40") {
		t.Errorf("the page says %q, want that the connection is lost", browser.Text(lost))
	}
	if got := textOf(t, page, "data-metric", "train_arrivals"); got != "1,204 trains" {
		t.Errorf("train_arrivals shows %q, want what was known", got)
	}
	if n := answers.Load(); n > 4 {
		t.Errorf("the page asked %d times in 9 s: it does not back off", n)
	}
}
