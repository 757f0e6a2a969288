// Package browser shows pages in headless Chromium, for tests of what a person
// sees.
package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// Open shows a page, lets its scripts run for some seconds of virtual time and
// returns what its document has become. The test is skipped where there is no
// Chromium.
func Open(t testing.TB, url string, options ...string) *html.Node {
	t.Helper()
	return OpenAfter(t, func() {}, url, options...)
}

// OpenAfter is Open of a page whose server remembers what it was asked for:
// prepare makes it forget that. It is called before Chromium runs, and again
// before it is run once more.
func OpenAfter(t testing.TB, prepare func(), url string, options ...string) *html.Node {
	t.Helper()
	document, err := html.Parse(bytes.NewReader(run(t, prepare, url, append(slices.Clone(options), "--dump-dom", unpainted))))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// unpainted lets Chromium draw nothing that it is not asked for. Without it the
// frames of 9 s of virtual time are drawn as fast as they can be, and where other
// programs want the same two cores, the page's scripts get no turn: of six
// Chromium 156, three at a time beside three busy loops, one ended within three
// minutes, and with it each did in 5 to 7 seconds. A screenshot cannot be taken
// with it.
const unpainted = "--disable-threaded-compositing"

// Screenshot writes what a page looks like to a PNG file. Otherwise it is like
// Open.
func Screenshot(t testing.TB, url, file string, options ...string) {
	t.Helper()
	run(t, func() {}, url, append(slices.Clone(options), "--screenshot="+file))
}

// run returns what Chromium printed.
func run(t testing.TB, prepare func(), url string, options []string) []byte {
	t.Helper()
	chromium := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			chromium = path
			break
		}
	}
	if chromium == "" {
		t.Skip("no chromium on this machine: the page is not tested in a browser")
	}
	for try := 1; ; try++ {
		prepare()
		printed, err := show(t, chromium, url, options)
		if err == nil {
			return printed
		}
		if try == tries || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		t.Logf("chromium did not end within %v with %s: once more", patience, url)
	}
}

// Chromium takes seconds, and on a busy machine a minute. Before it was started
// unpainted, it was seen not to end at all; that is known of screenshots, too,
// where they are taken together with the document.
const (
	patience = 3 * time.Minute
	tries    = 3
)

// show runs Chromium once.
func show(t testing.TB, chromium, url string, options []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	arguments := append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--hide-scrollbars", "--user-data-dir=" + t.TempDir(), "--virtual-time-budget=9000",
	}, options...)
	var complaints strings.Builder
	command := exec.CommandContext(ctx, chromium, append(arguments, url)...)
	command.Stderr = &complaints
	command.WaitDelay = 10 * time.Second
	printed, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("running %s: %w\n%s", chromium, errors.Join(ctx.Err(), err), complaints.String())
	}
	return printed, nil
}

// Find returns the first element below root of which is holds, or nil.
func Find(root *html.Node, is func(*html.Node) bool) *html.Node {
	for node := range root.Descendants() {
		if node.Type == html.ElementNode && is(node) {
			return node
		}
	}
	return nil
}

// Has reports whether an element has an attribute of a value.
func Has(name, value string) func(*html.Node) bool {
	return func(node *html.Node) bool {
		return slices.ContainsFunc(node.Attr, func(a html.Attribute) bool { return a.Key == name && a.Val == value })
	}
}

// Attribute is the value of an element's attribute, or "".
func Attribute(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// Text is the text below a node, without the space around it; "" for nil.
func Text(node *html.Node) string {
	if node == nil {
		return ""
	}
	var all strings.Builder
	for below := range node.Descendants() {
		if below.Type == html.TextNode {
			all.WriteString(below.Data)
		}
	}
	return strings.TrimSpace(all.String())
}
