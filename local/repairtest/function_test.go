package repairtest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/functions/replay"
	"github.com/stationflow/stationflow/internal/serve"
)

// The function does what fits its time, a step at least, and says where the next
// call goes on. All calls together do what the command does.
func TestReplay_FunctionGoesOnWhereItsTimeWasUp(t *testing.T) {
	l := newLab(t)
	begin := time.Now().UTC().Add(-3 * time.Hour).Truncate(time.Hour)
	l.produce(l.kafka("incidents"), begin, 20)
	config, err := replay.FromEnv(func(name string) string { return l.env[name] })
	check(t, err)
	calls := 0
	config.Now = func() time.Time { // the time is up when the first step is done
		calls++
		return time.Now().Add(time.Duration(calls) * time.Hour)
	}
	from := begin.Format(time.RFC3339)
	count, after, answers := int64(0), "", 0
	for complete := false; !complete; answers++ {
		if answers > 5 {
			t.Fatalf("it never ends: %s", after)
		}
		result, err := config.Replay(t.Context(), fmt.Appendf(nil, `{"source": "kafka", "topics": ["incidents"], "from": %q, "resume_after": %q}`, from, after))
		check(t, err)
		r := result.(*replay.Result)
		if r.Complete != (r.ResumeAfter == "") || r.Records == 0 || r.Error != "" {
			t.Fatalf("call %d: %+v", answers, r)
		}
		count, after, complete = count+r.Records, r.ResumeAfter, r.Complete
	}
	if got := l.counted(); answers != 3 || count != 60 || got.staged != 45 || got.quarantined != 15 || got.missing != 0 {
		t.Errorf("%d calls replayed %d records: %+v", answers, count, got)
	}

	// Of the lake a day is a step; those without objects are soon done.
	l.Query("create table staging_data.incidents_lake as select *, date(timestamp) as dt, format_timestamp('%H', timestamp) as hour from staging_data.incidents")
	l.Query("delete from staging_data.incidents where kafka_partition = 1")
	lake := fmt.Sprintf(`{"source": "lake", "topics": ["incidents"], "from": %q, "to": %q}`, begin.AddDate(0, 0, -1).Format(time.RFC3339), begin.Add(24*time.Hour).Format(time.RFC3339))
	config.Now = nil
	for _, want := range []int64{15, 0} {
		result, err := config.Replay(t.Context(), []byte(lake))
		check(t, err)
		if r := result.(*replay.Result); !r.Complete || r.Records != want {
			t.Errorf("from the lake: %+v, want %d records", r, want)
		}
	}
	if got := l.counted(); got.staged != 45 || got.quarantined != 15 {
		t.Errorf("after the lake: %+v", got)
	}

	handle := serve.Function("replay", func(context.Context) (serve.Task, error) { return config.Replay, nil })
	for body, want := range map[string]struct {
		status int
		says   string
	}{
		strings.Replace(lake, "}", `, "dry_run": true}`, 1): {http.StatusOK, `"dry_run":true`},
		`{"source": "lake"}`: {http.StatusBadRequest, "say of which time"},
		fmt.Sprintf(`{"source": "kafka", "from": %q, "topics": ["incidents"], "resume_after": "incidents/9/1"}`, from): {http.StatusBadRequest, "resume_after: incidents/9/1 is in no partition"},
		`{"source": "kafka", "topics": ["incidents"], "partition": 1, "offsets": [5, 500]}`:                            {http.StatusInternalServerError, `"error":"Kafka has the offsets 0 to 19 of incidents/1`},
	} {
		answer := httptest.NewRecorder()
		handle(answer, httptest.NewRequest(http.MethodPost, "/replay", strings.NewReader(body)))
		if answer.Code != want.status || !strings.Contains(answer.Body.String(), want.says) {
			t.Errorf("%s: %d %s, want %d %s", body, answer.Code, answer.Body, want.status, want.says)
		}
	}
}
