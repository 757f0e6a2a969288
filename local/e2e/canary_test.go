package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// A canary goes through all hops to the table beside the marts, with a run of
// the transform that has something to do, and is in none of the figures.
func TestUp_Canary(t *testing.T) {
	t.Parallel()
	l := up(t, []string{"BRIDGE_LAKE_AGE=500ms", "LAKE_BUCKET=", "KAFKA_TOPICS="}, "--canary")
	const arrived = "select count(*) from staging_data.stationflow_canary where kafka_topic = 'stationflow_canary' and kafka_partition = 0"
	eventually(t, "a canary is in staging", func() error {
		n, err := l.count(arrived)
		if err == nil && n == 0 {
			err = fmt.Errorf("none is there")
		}
		return err
	})
	const carried = "select count(*) from prod_data.stationflow_canary"
	before, err := l.count(carried)
	if err != nil {
		t.Fatal(err)
	}
	l.transform() // it has nothing to do: a canary is no news
	if now, err := l.count(carried); err != nil || now != before {
		t.Errorf("an idle transform carried %d canaries, %v", now-before, err)
	}

	at := time.Now().UTC().Format(time.RFC3339)
	send(t, producer(t, l.Kafka), []message{{topic: "incidents", key: []byte("i"), value: fmt.Appendf(nil,
		`{"id":"i","type":"Technique","station":"A","location":"Dock 1","timestamp":%q,"severity":"Minor","duration":3}`, at)}})
	eventually(t, "the incident is in staging", func() error {
		n, err := l.count("select count(*) from staging_data.incidents")
		if err == nil && n == 0 {
			err = fmt.Errorf("it is not there")
		}
		return err
	})
	l.transform()
	rows := l.query("select count(*), max(timestamp_diff(published_at, sent_at, second)), countif(sent_at <= ingested_at and ingested_at <= published_at) from prod_data.stationflow_canary")
	if n, age, ordered := rows[0][0].(int64), rows[0][1], rows[0][2].(int64); n != before+1 || age.(int64) > 600 || ordered != n {
		t.Errorf("%d canaries beside the marts, %d before; the oldest took %v s, %d passed the hops in order", n, before, age, ordered)
	}
	eventually(t, "a canary is in the lake", func() error {
		page, err := get(l.Storage + "/storage/v1/b/" + l.Bucket + "/o?prefix=raw/stationflow_canary/")
		if err == nil && !strings.Contains(string(page), ".parquet") {
			err = fmt.Errorf("there is no object: %s", page)
		}
		return err
	})
	page, err := get(l.Dashboard + "/api/pipeline")
	if err != nil {
		t.Fatal(err)
	}
	for _, hop := range []string{`"staging"`, `"lake"`, `"marts"`} {
		if _, canaries, _ := strings.Cut(string(page), `"canaries"`); !strings.Contains(canaries, hop) {
			t.Errorf("the pipeline's state has no canary at %s: %s", hop, canaries)
		}
	}

	if n := l.appendedRows(); n != 1 {
		t.Errorf("the page counts %d records in staging, want the incident alone", n)
	}
	verify := start(t, append(os.Environ(), l.environment()...), "stationflow", "verify", "--wait", "100ms", "--in-flight", "0s")
	if err := <-verify.done; err != nil || strings.Contains(verify.output(), "canary") {
		t.Errorf("verify: %v\n%s", err, verify.output())
	}
	verify.done <- nil
	l.stop()
	if !strings.Contains(l.output(), "accounted for 1 of 1 records in Kafka") {
		t.Error("the sum at the end counts canaries")
	}
}
