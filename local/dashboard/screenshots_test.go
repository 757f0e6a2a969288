package dashboard_test

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/stationflow/stationflow/local/browser"
)

var (
	screenshots = flag.String("screenshots", "", "write pictures of the page to this folder")
	of          = flag.String("of", "", "of the page at this URL instead of made-up data")
)

// TestScreenshots is make screenshots: the page on a desk, on a phone and by
// night.
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("give -screenshots FOLDER to write pictures of the page")
	}
	shown := scenes(noon)["busy"].dashboard(at(noon))
	mustRefresh(t, shown)
	handler := shown.Handler()
	if *of != "" {
		there, err := url.Parse(*of)
		if err != nil {
			t.Fatal(err)
		}
		handler = httputil.NewSingleHostReverseProxy(there)
	}
	for _, picture := range []struct {
		name   string
		width  int
		height int
		dark   bool
	}{
		{"dashboard", 1280, 2050, false}, {"dashboard-dark", 1280, 2050, true}, {"dashboard-phone", 390, 1500, false},
	} {
		framed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/frame" { // Chromium makes no window as narrow as a phone
				withScript(handler, "").ServeHTTP(w, r)
				return
			}
			w.Header().Set("Content-Type", "text/html")
			_, _ = fmt.Fprintf(w, `<!doctype html><meta name="color-scheme" content="light dark"><body style="margin: 0"><iframe src="/" style="width: %dpx; height: %dpx; border: 0"></iframe>`, picture.width, picture.height)
		})
		options := []string{fmt.Sprintf("--window-size=%d,%d", picture.width, picture.height)}
		if picture.dark {
			options = append(options, "--blink-settings=preferredColorScheme=0")
		}
		browser.Screenshot(t, serving(t, framed)+"frame", filepath.Join(*screenshots, picture.name+".png"), options...)
	}
}
