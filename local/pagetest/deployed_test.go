package pagetest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/stationflow/stationflow/internal/page/view"
	"github.com/stationflow/stationflow/local/browser"
	"github.com/stationflow/stationflow/local/built"
	"github.com/stationflow/stationflow/local/freeport"
)

// deploy starts the program as Cloud Run does, for the page alone, and has the
// test ask that.
func (c *cloud) deploy() {
	c.t.Helper()
	address, err := freeport.Address()
	check(c.t, err)
	host, port, err := net.SplitHostPort(address)
	check(c.t, err)
	program := exec.Command(built.Program(c.t, "functions"))
	program.Env = append(os.Environ(), "FUNCTION_TARGET=page", "PORT="+port, "FUNCTION_HOST="+host,
		"GOOGLE_CLOUD_PROJECT="+c.Config.Project, "PROD_DATASET="+c.Config.ProdDataset, "BIGQUERY_EMULATOR_HOST="+c.Config.RESTEndpoint)
	var log strings.Builder
	program.Stdout, program.Stderr = io.Discard, &log
	check(c.t, program.Start())
	c.t.Cleanup(func() {
		_ = program.Process.Kill()
		_ = program.Wait()
		if c.t.Failed() {
			c.t.Logf("the program says:\n%s", log.String())
		}
	})
	c.url = "http://" + address
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get(c.url + "/healthz")
		if err == nil {
			answer.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("the page does not answer: %v\n%s", err, log.String())
		}
	}
}

// As deployed the page shows in a browser what its API says, and has no part that
// it cannot fill.
func TestPage_InABrowser(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.run()
	c.deploy()
	shown := browser.Open(t, c.url+"/?range=7d")
	var answer view.Answer
	c.get("/api/view?range=7d", &answer)
	for _, f := range answer.Figures {
		if f.ID != "arrivals" && f.ID != "incidents" {
			continue
		}
		value := browser.Text(browser.Find(browser.Find(shown, browser.Has("data-figure", f.ID)), browser.Has("class", "value")))
		if want := fmt.Sprint(*f.Value); value != want {
			t.Errorf("%s shows %q, want %s", f.ID, value, want)
		}
	}
	if overall := browser.Text(browser.Find(shown, browser.Has("id", "overall"))); !strings.HasPrefix(overall, "Figures flowing") {
		t.Errorf("the page says %q", overall)
	}
	for _, part := range []string{"pipeline", "alerts", "bill", "simulated", "canary", "refused", "attention", "lost", "empty", "unread"} {
		if node := browser.Find(shown, browser.Has("id", part)); !hidden(node) {
			t.Errorf("the page shows %s: %q", part, browser.Text(node))
		}
	}
	if stations := browser.Find(shown, browser.Has("id", "stations")); strings.Count(browser.Text(stations), "Station")+len(answer.Stations) < 3 {
		t.Errorf("stations to choose from: %q", browser.Text(stations))
	}
	c.Billed(view.Component)
	tables := browser.Open(t, c.url+"/#all")
	if arrivals := browser.Text(browser.Find(tables, browser.Has("data-metric", "train_arrivals"))); !strings.HasSuffix(arrivals, "trains") {
		t.Errorf("the dashboard tables show %q arrivals", arrivals)
	}
	if n := len(c.Billed(view.Component)); n != 5 {
		t.Errorf("opening the dashboard tables took %d statements, want one for each", n)
	}
}

// hidden reports whether an element or what it is in is hidden.
func hidden(node *html.Node) bool {
	for ; node != nil; node = node.Parent {
		if browser.Has("hidden", "")(node) {
			return true
		}
	}
	return false
}
