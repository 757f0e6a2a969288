package replay

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/program"
	"github.com/stationflow/stationflow/internal/replay"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestParse(t *testing.T) {
	half := now.Add(-30 * time.Minute)
	for body, want := range map[string]replay.Request{
		`{"source": "lake", "topics": ["incidents", "incidents"], "from": "2026-11-22T12:30:00+01:00", "to": "2026-11-22T12:00:00Z", "dry_run": true, "resume_after": "incidents/2026-11-22"}`: {
			Source: "lake", Topics: []string{"incidents"}, Partition: -1, First: -1, Last: -1, From: half, To: now, DryRun: true, After: "incidents/2026-11-22"},
		`{"source": "kafka", "topics": ["incidents"], "partition": 0, "offsets": [5, 5]}`: {
			Source: "kafka", Topics: []string{"incidents"}, Partition: 0, First: 5, Last: 5},
	} {
		got, err := parse([]byte(body), now)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", body, err, diff)
		}
	}
	if got, err := parse([]byte(`{"source": "kafka", "from": "2026-11-22T00:00:00Z"}`), now); err != nil || len(got.Topics) != len(event.Topics()) {
		t.Errorf("all topics are %v, %v", got.Topics, err)
	}
}

func TestParse_Mistakes(t *testing.T) {
	for body, want := range map[string]string{
		``:                                     "the body is no request",
		`{}`:                                   `"source" is "": say "kafka" or "lake"`,
		`{"source": "lake"}`:                   `say of which time: "from" TIME "to" TIME`,
		`{"sorce": "lake"}`:                    `unknown field "sorce"`,
		`[]`:                                   "the body is no request",
		`{"source": "kafka"}`:                  `say what to replay: "topic"`,
		`{"source":"lake"} {}`:                 "more than one request",
		`{"source": "kafka", "partition": -3}`: `"partition" is -3`,
		`{"source": "kafka", "topics": ["incidents"], "partition": 1, "offsets": [5]}`:                     `"offsets" is [5]`,
		`{"source": "kafka", "topics": ["incidents"], "partition": 1, "offsets": [5, 4]}`:                  `"offsets" is [5 4]`,
		`{"source": "kafka", "topics": ["incidents"], "offsets": [5, 9]}`:                                  `"offsets" are of one partition`,
		`{"source": "kafka", "topics": ["stationflow_canary"], "from": "2026-11-22T00:00:00Z"}`:            `there is no topic "stationflow_canary"`,
		`{"source": "kafka", "from": "yesterday"}`:                                                         `"from" is "yesterday": write a time`,
		`{"source": "kafka", "from": "2026-11-23T00:00:00Z"}`:                                              "in the future",
		`{"source": "lake", "from": "2026-11-22T00:00:00Z", "to": "2026-11-21T00:00:00Z"}`:                 "is not before",
		`{"source": "lake", "from": "2026-11-21T00:00:00Z", "to": "2026-11-22T00:00:00Z", "partition": 1}`: "are Kafka's",
	} {
		_, err := parse([]byte(body), now)
		if mistake := new(program.Mistake); !errors.As(err, mistake) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}
