package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/internal/ledger"
)

// A mistake is told in one sentence and ends with 2: 1 would say that records
// are missing. So does whatever keeps the tool from finding out.
func TestVerifyAndTrace_Mistakes(t *testing.T) {
	environment := map[string]string{
		"GOOGLE_CLOUD_PROJECT": "p", "LAKE_BUCKET": "b", "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "BIGQUERY_EMULATOR_HOST": "http://127.0.0.1:1",
	}
	for args, want := range map[string]string{
		"verify now":                        `unexpected argument "now"`,
		"verify --from yesterday":           "write a time such as",
		"verify --from 1h --to 2h":          "--from must be before --to",
		"verify --from -1h":                 "--from is in the future",
		"verify --in-flight -1s":            "--in-flight is -1s",
		"verify":                            "nothing listens at 127.0.0.1:1 (BIGQUERY_EMULATOR_HOST)",
		"trace":                             `"" names no record`,
		"trace incidents/1":                 `"incidents/1" names no record`,
		"trace incidents/one/2":             "partition and offset are numbers",
		"trace incidents/1/-2":              "partition and offset are numbers",
		"trace --id a incidents/1/2":        "name the record once",
		"trace --id a --key b":              "name the record once",
		"trace incidents/1/2 incidents/1/3": "unexpected argument",
		"trace incidents/1/2":               "nothing listens at 127.0.0.1:1 (BIGQUERY_EMULATOR_HOST)",
	} {
		var out, faults strings.Builder
		code := Main(t.Context(), strings.Fields(args), Streams{Getenv: func(name string) string { return environment[name] }, Out: &out, Err: &faults}, Commands())
		if code != 2 || !strings.Contains(faults.String(), want) || strings.Count(faults.String(), "\n") != 1 || out.Len() > 0 {
			t.Errorf("%s ended with %d: %s%s, want %q", args, code, out.String(), faults.String(), want)
		}
	}
}

func TestMoment(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"90m": "2026-11-22T10:30:00Z", "2026-11-20": "2026-11-20T00:00:00Z",
		"2026-11-20T07:30Z": "2026-11-20T07:30:00Z", "2026-11-20T07:30:05+01:00": "2026-11-20T06:30:05Z",
	} {
		var at time.Time
		if err := moment(now, &at)(text); err != nil || at.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s is %v, %v; want %s", text, at, err, want)
		}
	}
}

// What a dead letter says of itself, in either form of the event.
func TestLetter_InLedger(t *testing.T) {
	const id = "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11"
	place := func(partition int64) ledger.Place {
		return ledger.Place{Topic: "incidents", TopicID: id, Partition: partition}
	}
	for name, c := range map[string]struct {
		attributes map[string]string
		want       ledger.DeadLetter
	}{
		"v2": {
			map[string]string{"ce-source": "//kafka/c/incidents", "ce-topicid": id, "ce-lane": "rows", "ce-ranges": "3:41-44,11:7-7"},
			ledger.DeadLetter{ID: "m", Topic: "incidents", Rows: true, Ranges: map[ledger.Place]ledger.Span{place(3): {First: 41, Next: 45}, place(11): {First: 7, Next: 8}}},
		},
		"v1": {
			map[string]string{"ce-source": "//kafka/c/incidents/3", "ce-topicid": id, "ce-firstoffset": "41", "ce-lastoffset": "44"},
			ledger.DeadLetter{ID: "m", Topic: "incidents", Rows: true, Lake: true, Ranges: map[ledger.Place]ledger.Span{place(3): {First: 41, Next: 45}}},
		},
		"no batch":    {map[string]string{"a": "b"}, ledger.DeadLetter{ID: "m"}},
		"no ranges":   {map[string]string{"ce-source": "//kafka/c/incidents", "ce-topicid": id, "ce-ranges": "3:9-1"}, ledger.DeadLetter{ID: "m"}},
		"no topic id": {map[string]string{"ce-source": "//kafka/c/incidents", "ce-ranges": "3:1-9"}, ledger.DeadLetter{ID: "m"}},
	} {
		if diff := cmp.Diff(c.want, (&letter{id: "m", attributes: c.attributes}).inLedger()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
