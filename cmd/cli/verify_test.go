package cli

import (
	"strings"
	"testing"
	"time"
)

// A mistake is told in one sentence and ends with 2: 1 would say that records
// are missing. So does whatever keeps the tool from finding out.
func TestVerifyAndTrace_Mistakes(t *testing.T) {
	environment := map[string]string{
		"GOOGLE_CLOUD_PROJECT": "p", "LAKE_BUCKET": "b", "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "BIGQUERY_EMULATOR_HOST": "http://127.0.0.1:1",
	}
	for args, want := range map[string]string{
		"verify now":                        `unexpected argument "now"`,
		"verify --from yesterday":           "write it as 2026-11-22, ",
		"verify --from 1h --to 2h":          "is not before --to",
		"verify --from -1h":                 "--from is in the future",
		"verify --in-flight -1s":            "--in-flight is -1s",
		"verify":                            "nothing listens at 127.0.0.1:1 (BIGQUERY_EMULATOR_HOST)",
		"trace incident/1/2":                `there is no topic "incident": the topics are `,
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
		"2026-11-20T07:30": "2026-11-20T07:30:00Z", "2026-11-20T07:30Z": "2026-11-20T07:30:00Z", "2026-11-20T07:30:05+01:00": "2026-11-20T06:30:05Z",
	} {
		var at time.Time
		if err := moment(now, &at)(text); err != nil || at.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s is %v, %v; want %s", text, at, err, want)
		}
	}
}
