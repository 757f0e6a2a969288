package console_test

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/local/console"
	"github.com/stationflow/stationflow/local/dashboard"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// status is of a pipeline that flows, so many seconds after noon.
func status(second int, change func(*dashboard.Status)) dashboard.Status {
	s := dashboard.Status{
		At:      noon.Add(time.Duration(second) * time.Second),
		Overall: dashboard.Health{State: dashboard.Flowing},
		Hops: []dashboard.HopStatus{
			{Hop: dashboard.Kafka, Name: "Kafka", Health: dashboard.Health{State: dashboard.Flowing}, PerSecond: new(561.4)},
			{Hop: dashboard.Bridge, Name: "Bridge", Health: dashboard.Health{State: dashboard.Flowing}, Waiting: &dashboard.LagStatus{Records: 130, Seconds: 0.24}, Retries: new(int64(1))},
			{Hop: dashboard.Transport, Name: "Pub/Sub", Health: dashboard.Health{State: dashboard.Flowing}, Waiting: &dashboard.LagStatus{Records: 167, Seconds: 0.41}, Retries: new(int64(2))},
			{Hop: dashboard.Ingest, Name: "Ingest", Health: dashboard.Health{State: dashboard.Flowing}, PerSecond: new(559.0)},
			{Hop: dashboard.TransformRuns, Name: "Transform", Health: dashboard.Health{State: dashboard.Flowing}, Waiting: &dashboard.LagStatus{Records: 22_040, Seconds: 39}},
		},
		Quarantined: 2_611, QuarantinedShare: new(0.002),
		Freshness: dashboard.FreshnessStatus{Records: 9, P50: new(0.38), P99: new(1.24)},
		Transform: dashboard.TransformStatus{LastTook: new(2.3), LastStatus: new("ok")},
	}
	if change != nil {
		change(&s)
	}
	return s
}

// ingest puts the ingest hop, and the whole, into a state.
func ingest(state dashboard.State, note string) func(*dashboard.Status) {
	return func(s *dashboard.Status) {
		s.Overall = dashboard.Health{State: state, Note: note}
		s.Hops[3].Health = dashboard.Health{State: state, Note: note, Remedy: "Look at the log."}
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*dashboard.Status)
		want   string
	}{
		"well": {nil, "12:00:00 flowing  559/s  lag 297 0.4s  fresh 0.4s p99 1.2s  transform 2.3s"},
		"nothing": {func(s *dashboard.Status) {
			*s = dashboard.Status{At: s.At, Overall: dashboard.Health{State: dashboard.NothingYet}}
		}, "12:00:00 nothing yet  lag 0"},
		"dead letters come first": {func(s *dashboard.Status) { s.Overall.State, s.DeadLetters = dashboard.Failing, 2 },
			"12:00:00 failing  2 dead letters  559/s  lag 297 0.4s  fresh 0.4s p99 1.2s"},
		"much that is refused comes early": {func(s *dashboard.Status) {
			s.Refused.Topics = []dashboard.RefusalsStatus{{Topic: "ticket_validations", Share: 1}}
		}, "12:00:00 flowing  ticket_validations 100.0% refused  559/s  lag 297 0.4s"},
		"simulated": {func(s *dashboard.Status) {
			s.Simulation = &dashboard.SimulationStatus{At: noon.Add(150 * time.Minute), Pace: 60}
		}, "12:00:00 flowing  simulated 14:30  559/s  lag 297 0.4s  fresh 0.4s p99 1.2s"},
		"one": {func(s *dashboard.Status) { s.DeadLetters = 1 }, "12:00:00 flowing  1 dead letter  559/s  lag 297 0.4s  fresh 0.4s p99 1.2s"},
		"failed transform": {func(s *dashboard.Status) { s.Transform.LastStatus = new("failed") },
			"12:00:00 flowing  559/s  lag 297 0.4s  fresh 0.4s p99 1.2s  transform failed"},
		"far behind": {func(s *dashboard.Status) {
			s.Overall.State, s.Hops[1].Waiting = dashboard.Behind, &dashboard.LagStatus{Records: 1_234_567_890, Seconds: 86_400}
			s.Freshness = dashboard.FreshnessStatus{P50: new(4_000.0), P99: new(86_400.0)}
		}, "12:00:00 behind  559/s  lag 1.2G 24h  fresh 67min p99 24h  transform 2.3s"},
		"idle": {func(s *dashboard.Status) {
			s.Overall.State, s.Freshness, s.Hops[3].PerSecond = dashboard.Idle, dashboard.FreshnessStatus{}, new(0.0)
		}, "12:00:00 idle  0/s  lag 297 0.4s  transform 2.3s  3 retries"},
		"little": {func(s *dashboard.Status) { s.Hops[3].PerSecond, s.Freshness = new(0.25), dashboard.FreshnessStatus{} },
			"12:00:00 flowing  0.2/s  lag 297 0.4s  transform 2.3s  3 retries"},
	} {
		got := console.Line(status(0, test.change))
		if got != test.want || utf8.RuneCountInString(got) > console.Width {
			t.Errorf("%s: the line is\n%s (%d wide), want\n%s", name, got, utf8.RuneCountInString(got), test.want)
		}
	}
}

// play shows one status a second and returns what was written.
func play(terminal bool, seconds int, at func(second int) func(*dashboard.Status)) string {
	var out bytes.Buffer
	shown := console.New(&out, terminal)
	for second := range seconds {
		shown.Show(status(second, at(second)))
	}
	shown.Done()
	return out.String()
}

// Where nothing can be written over there is a line every ten seconds, and a
// failure has its own, with the reason and the remedy, when it comes and goes.
func TestConsole_Log(t *testing.T) {
	t.Parallel()
	got := play(false, 60, func(second int) func(*dashboard.Status) {
		if second >= 12 && second < 45 {
			return ingest(dashboard.Failing, "A batch fails: writing rows of train_arrivals-3-1200-3199 to staging_data.train_arrivals: connection refused")
		}
		return nil
	})
	var lines []string
	for line := range strings.Lines(got) {
		if i := strings.Index(line, "  559/s"); i > 0 {
			line = line[:i] + " …\n"
		}
		lines = append(lines, line)
	}
	want := `12:00:00 flowing …
12:00:10 flowing …
12:00:15 failing  Ingest: A batch fails: writing rows of
                  train_arrivals-3-1200-3199 to staging_data.train_arrivals:
                  connection refused
                  Look at the log.
12:00:20 failing …
12:00:30 failing …
12:00:40 failing …
12:00:48 flowing  Ingest is well again.
12:00:50 flowing …
`
	if diff := cmp.Diff(want, strings.Join(lines, "")); diff != "" {
		t.Errorf("the log differs (-want +got):\n%s", diff)
	}
}

// On a terminal there is one line, written over; what else is said stays above
// it.
func TestConsole_Terminal(t *testing.T) {
	t.Parallel()
	got := play(true, 20, func(second int) func(*dashboard.Status) {
		if second >= 5 {
			return ingest(dashboard.Behind, "8 records wait.")
		}
		return nil
	})
	screen := ""
	for i, part := range strings.Split(got, "\r\x1b[K") { // carriage return and erase
		if i > 0 {
			screen = screen[:strings.LastIndex(screen, "\n")+1]
		}
		screen += part
	}
	want := "12:00:08 behind  Ingest: 8 records wait.\n                 Look at the log.\n" + console.Line(status(19, ingest(dashboard.Behind, ""))) + "\n"
	if diff := cmp.Diff(want, screen); diff != "" {
		t.Errorf("the screen differs (-want +got):\n%s", diff)
	}
	if strings.Count(got, "\n") != 3 {
		t.Errorf("%d lines were ended, want 3:\n%q", strings.Count(got, "\n"), got)
	}
}

// What is refused is told once, with a command that can be copied whole, and
// so is that it is over.
func TestConsole_Refused(t *testing.T) {
	t.Parallel()
	const command = "stationflow quarantine list --topic equipment_failures --topic ticket_validations --topic passenger_flow --from 15m"
	const remedy = "Each is kept: " + command
	got := play(false, 60, func(second int) func(*dashboard.Status) {
		return func(s *dashboard.Status) {
			if second >= 5 && second < 45 {
				s.Refused.Note, s.Refused.Remedy = strings.Repeat("Refused are many of them. ", 40), remedy
			}
		}
	})
	for part, times := range map[string]int{"refusing  Quarantine: Refused are many": 1, remedy: 1, "flowing  Quarantine is well again.": 1} {
		if found := strings.Count(strings.Join(strings.Fields(got), " "), strings.Join(strings.Fields(part), " ")); found != times {
			t.Errorf("%q is told %d times, want %d:\n%s", part, found, times, got)
		}
	}
	if !strings.Contains(got, " "+command+"\n") {
		t.Errorf("the command is not whole on one line:\n%s", got)
	}
}

// A hop that wavers, and one that fails for a moment, do not flood.
func TestConsole_NeverFloods(t *testing.T) {
	t.Parallel()
	for name, period := range map[string]int{"each second": 1, "two seconds": 2, "each five seconds": 5, "each minute": 60} {
		got := play(false, 3600, func(second int) func(*dashboard.Status) {
			if second/period%2 == 1 {
				return ingest(dashboard.Failing, "no")
			}
			return nil
		})
		status, told := strings.Count(got, "  559/s"), strings.Count(got, "Ingest")
		most := map[bool]int{true: 0, false: 120}[period < 3]
		if status != 360 || told > most || period >= 5 && told == 0 {
			t.Errorf("%s: %d status lines and %d changes in an hour, want 360 and %d at most", name, status, told, most)
		}
	}
}

// Whatever the reason is, no line is too wide, and nothing in it steers the
// terminal.
func TestConsole_HostileReasons(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{
		strings.Repeat("x", 5_000), strings.Repeat("word ", 2_000), "a\nb\r\nc\x1b[2Jd\u009b31m\a", strings.Repeat("é", 300), "",
	} {
		got := play(false, 9, func(int) func(*dashboard.Status) { return ingest(dashboard.Failing, reason) })
		if strings.ContainsAny(got, "\r\x1b\a\u009b") {
			t.Errorf("the reason %.20q steers the terminal: %q", reason, got)
		}
		if !strings.Contains(got, "Look at the log.") || strings.Count(got, "\n") > 8 {
			t.Errorf("the reason %.20q is told in %d lines:\n%s", reason, strings.Count(got, "\n"), got)
		}
		for line := range strings.Lines(got) {
			if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > console.Width {
				t.Errorf("a line is wider than %d: %s", console.Width, line)
			}
		}
	}
}
