package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/stationflow/stationflow/functions/alert"
	"github.com/stationflow/stationflow/local/browser"
)

// What people must know reaches a webhook and the page, each event once, also
// when the webhook was away, which keeps no record from staging.
func TestAlert(t *testing.T) { testAlert(t, "pubsub") }

// Likewise over http, where the bridge publishes copies.
func TestFaults_AlertOverHTTP(t *testing.T) { testAlert(t, "http") }

// A pager is a webhook that may be away.
type pager struct {
	*httptest.Server
	mu     sync.Mutex
	back   bool
	missed int
	got    []alert.Notification
}

func (p *pager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.back {
		p.missed++
		http.Error(w, "away", http.StatusBadGateway)
		return
	}
	var n alert.Notification
	if err := json.Unmarshal(body, &n); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.got = append(p.got, n)
}

func (p *pager) comeBack() (missed int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.back = true
	return p.missed
}

func (p *pager) texts() (texts []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.got {
		texts = append(texts, n.State+": "+n.Text)
	}
	slices.Sort(texts)
	return texts
}

func testAlert(t *testing.T, transport string) {
	t.Parallel()
	p := &pager{}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	system := up(t, nil, "--transport", transport, "--alert-webhook", p.URL+"/page")

	now := time.Now().UTC()
	incident := func(severity, kind string, began time.Time, more string) message {
		return message{topic: "incidents", key: []byte(kind), value: fmt.Appendf(nil,
			`{"id":%q,"type":%q,"station":"Station B","location":"Platform 2","timestamp":%q,"severity":%q,"duration":45%s}`,
			kind, kind, began.Format(time.RFC3339), severity, more)}
	}
	sent := []message{
		incident("Major", "Fire", now.Add(-time.Minute), ""),
		incident("Minor", "Litter", now, ""),
		incident("Major", "Flood", now.Add(-46*time.Minute), ""),
		incident("Major", "Long ago", now.Add(-48*time.Hour), ""),
		incident("Major", "Refused", now, `,"id":"twice"`),
		{topic: "equipment_failures", key: []byte("l"), value: fmt.Appendf(nil,
			`{"id":"l","equipment":"Lift","station":"Station C","location":"Exit","timestamp":%q,"duration":20}`, now.Format(time.RFC3339))},
	}
	send(t, producer(t, system.Kafka), sent)
	system.awaitRecords(len(sent)) // though nobody is told yet
	eventually(t, "an alert was tried", func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.missed == 0 {
			return errors.New("it was not")
		}
		return nil
	})
	p.comeBack()
	want := []string{
		"closed: Major incident at Station B, Platform 2: Flood",
		"open: Major incident at Station B, Platform 2: Fire",
		"open: Out of order at Station C, Exit: Lift",
	}
	eventually(t, "everybody is told", func() error {
		if got := p.texts(); len(got) < len(want) {
			return fmt.Errorf("told %q", got)
		}
		return nil
	})
	var shown []string
	eventually(t, "the page says so", func() error {
		page := browser.Open(t, system.Dashboard)
		section := browser.Find(page, browser.Has("id", "alerts"))
		shown = nil
		var rows func(*html.Node)
		rows = func(n *html.Node) {
			if n.Data == "tr" && n.Parent.Data == "tbody" {
				shown = append(shown, browser.Text(n))
			}
			for child := range n.ChildNodes() {
				rows(child)
			}
		}
		rows(section)
		if len(shown) != 2 || strings.Contains(strings.Join(shown, " "), "being tried") {
			return fmt.Errorf("it shows %q", shown)
		}
		return nil
	})
	for _, part := range []string{"Major incident at Station B, Platform 2: Fire", "Out of order at Station C, Exit: Lift"} {
		if !strings.Contains(strings.Join(shown, "\n"), part) {
			t.Errorf("the page shows %q, not %q", shown, part)
		}
	}
	system.stop()
	if got := p.texts(); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}
