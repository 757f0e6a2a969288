package cli

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/functions/alert"
)

func TestAlerts_Print(t *testing.T) {
	at := time.Date(2026, 11, 22, 7, 30, 0, 0, time.UTC)
	about := func(text string) alert.Notification { return alert.Notification{Text: text, BeganAt: at} }
	marks := []alert.Mark{
		{Notification: about("Major incident at Station B: smoke"), Sent: map[string]time.Time{"webhook": at.Add(2 * time.Second), "topic": at.Add(time.Second)}, Done: true},
		{Notification: about("Escalator out of order"), Sent: map[string]time.Time{"topic": at}, Failed: map[string]string{"webhook": "it answered\n500"}},
		{Notification: about("nobody listens"), Done: true},
		{Notification: about("on its way")},
	}
	var out strings.Builder
	c := &alertsCall{streams: &Streams{Out: &out}, location: time.UTC}
	err := c.print(marks)
	if diff := cmp.Diff(`2026-11-22 07:30 UTC  Major incident at Station B: smoke
                      told: topic at 2026-11-22 07:30:01 UTC, webhook at 2026-11-22 07:30:02 UTC
2026-11-22 07:30 UTC  Escalator out of order
                      told: topic at 2026-11-22 07:30:00 UTC
                      not told: webhook: it answered 500
2026-11-22 07:30 UTC  nobody listens
                      told: nobody, because no channel is set
2026-11-22 07:30 UTC  on its way
                      told: nobody yet
`, out.String()); diff != "" || !errors.Is(err, errUntold) {
		t.Errorf("%v %s", err, diff)
	}
	out.Reset()
	c.simulated = true
	if _ = c.print(marks[2:3]); !strings.HasPrefix(out.String(), "2026-11-22 07:30 UTC (simulated)  nobody listens\n") {
		t.Error(out.String())
	}
	out.Reset()
	c.asJSON = true
	if err := c.print(marks[:1]); err != nil {
		t.Error(err)
	}
	var got struct{ Alerts []alert.Mark }
	if !strings.Contains(out.String(), `"claimed_until": null`) {
		t.Errorf("nobody sends it, and it says otherwise: %s", out.String())
	}
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil || len(got.Alerts) != 1 || !got.Alerts[0].Sent["topic"].Equal(at.Add(time.Second)) {
		t.Errorf("%v %s", err, out.String())
	}
	out.Reset()
	if err := c.print(nil); err != nil || !strings.Contains(out.String(), `"alerts": []`) {
		t.Errorf("%v %s", err, out.String())
	}
}
