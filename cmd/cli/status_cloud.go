package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/storage"

	"github.com/stationflow/stationflow/functions/alert"
	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/bigquery/scan"
	"github.com/stationflow/stationflow/internal/dbt/project"
	"github.com/stationflow/stationflow/internal/lake"
	"github.com/stationflow/stationflow/internal/ledger"
	"github.com/stationflow/stationflow/internal/status"
	"github.com/stationflow/stationflow/terraform"
)

// A survey looks at a project, part by part: what keeps it from one part does
// not keep it from the others.
type survey struct {
	status.Status
	call       *statusCall
	proof      *proof
	deployment terraform.Deployment
	hops       map[status.Hop]*status.OfHop
	written    time.Time // when the marts were; zero where that is not known
	faults     []error   // what could not be found out
}

// cloud puts together what the page shows of a local system, as far as Kafka,
// BigQuery, Pub/Sub and the lake tell it.
func (c *statusCall) cloud(ctx context.Context) (status.Status, []byte, error) {
	deployment, err := terraform.ReadDeployment()
	if err != nil {
		return status.Status{}, nil, err
	}
	proof, err := new(proofFlags).open(ctx, &c.streams, false)
	if err != nil {
		return status.Status{}, nil, err
	}
	defer func() { _ = proof.Close() }()
	s := &survey{call: c, proof: proof, deployment: deployment, hops: map[status.Hop]*status.OfHop{}}
	s.At, s.RateWindow = time.Now().In(proof.location), deployment.QuarantineWindow().Seconds()
	s.Alerts, s.Transform.Models, s.Transform.Findings, s.Refused.Topics = []status.Alert{}, []status.Model{}, []status.Finding{}, []status.Refusals{}
	order := []status.Hop{status.Kafka, status.Bridge, status.Transport, status.Staging, status.TransformRuns}
	for i, name := range []string{"Kafka", "Bridge", "Pub/Sub", "Staging", "Transform"} {
		s.hops[order[i]] = &status.OfHop{Hop: order[i], Name: name, Unit: status.Records, Health: status.Health{State: status.Flowing}}
	}
	s.hops[status.TransformRuns].Unit = status.Rows
	for _, look := range []func(context.Context) error{s.kafka, s.letters, s.transform, s.warehouse, s.alerts} {
		if err := look(ctx); err != nil {
			s.faults = append(s.faults, err)
		}
	}
	for _, hop := range order {
		s.Hops = append(s.Hops, *s.hops[hop])
	}
	s.Overall, s.CountNote = status.Overall(s.Hops), status.CountNote(s.Hops)
	return s.Status, nil, errors.Join(s.faults...)
}

// late is how old what waits may be: a bridge that sleeps needs two minutes to
// wake, and commits with the lake's minute.
const late = 4 * time.Minute

// kafka asks what the topics hold, and what waits for the bridge.
func (s *survey) kafka(ctx context.Context) error {
	topics, bridge := s.hops[status.Kafka], s.hops[status.Bridge]
	standing, err := s.proof.config.Kafka.Standing(ctx, s.At)
	if err != nil {
		topics.Health = status.Health{State: status.Failing, Note: err.Error()}
		bridge.State = status.NothingYet
		return fmt.Errorf("asking Kafka: %w", err)
	}
	topics.Records, bridge.Records = standing.Held, standing.Committed
	bridge.Waiting = &status.Lag{Records: standing.Waiting, Seconds: standing.Oldest.Seconds()}
	if len(standing.Unread) > 0 {
		topics.Health = status.Health{State: status.Failing, Note: strings.Join(standing.Unread, "; ") + "."}
	} else if standing.Held == 0 {
		topics.Health = status.Health{State: status.NothingYet, Note: "No record has been appended."}
	}
	switch {
	case standing.Oldest > late:
		bridge.Health = status.Health{State: status.Behind, Note: fmt.Sprintf("%d records wait, the oldest for %s.", standing.Waiting, ageText(standing.Oldest.Seconds())),
			Remedy: "See docs/runbooks.md, lag. To read its log: stationflow logs --cloud bridge"}
	case standing.Waiting == 0:
		bridge.State = status.Idle
	}
	return nil
}

// letters counts the dead letters, and takes none away.
func (s *survey) letters(ctx context.Context) error {
	err := s.proof.openDeadLetters(ctx, s.deployment.DeadLetterSubscription, 2*time.Second)
	var found []ledger.DeadLetter
	if err == nil {
		found, err = s.proof.DeadLetters(ctx)
	}
	if err != nil {
		s.hops[status.Transport].Health = status.Health{State: status.Failing, Note: err.Error()}
		return fmt.Errorf("looking for dead letters: %w", err)
	}
	s.DeadLetters = int64(len(found))
	var foreign []string
	for _, letter := range found {
		if letter.Topic == "" {
			foreign = append(foreign, letter.ID)
		}
	}
	if len(found) > 0 {
		s.hops[status.Transport].Health = status.Buried(s.DeadLetters, foreign)
	}
	return nil
}

// A recent is what arrived lately.
type recent struct {
	Records     int64                `bigquery:"records"`
	Quarantined int64                `bigquery:"quarantined"`
	P50         bigquery.NullFloat64 `bigquery:"p50"`
	P99         bigquery.NullFloat64 `bigquery:"p99"`
	Overdue     int64                `bigquery:"overdue"` // rows of staging that no run has taken
}

// overdue is how old a row may be that came after the marts were written: a run
// begins each minute, and most take a few seconds.
const overdue = 5 * time.Minute

// behind says what the transform has not taken, unless it fails, which says more.
func behind(transform *status.OfHop, rows int64, written time.Time) {
	if rows == 0 || transform.State == status.Failing {
		return
	}
	transform.Health = status.Health{State: status.Behind, Remedy: "See docs/runbooks.md, missing-transforms. To read its log: stationflow logs --cloud transform",
		Note: fmt.Sprintf("Rows that came to staging are older than %s and not in the marts, which were written at %s: %d.", ageText(overdue.Seconds()), written.Format("15:04:05 on 2006-01-02"), rows)}
}

// warehouse asks what arrived in staging and in quarantine lately.
func (s *survey) warehouse(ctx context.Context) error {
	query := s.proof.BigQuery.Query(recentSQL(s.proof.config.BigQuery.StagingDataset, s.proof.config.Kafka.Topics, s.deployment.QuarantineAlertMinutes, s.written))
	limits := scan.Limits{MaxBytes: s.call.maxBytes, Told: func(bytes int64) { tellReading(&s.call.streams, bytes) }}
	staging := s.hops[status.Staging]
	for row, err := range scan.Rows[recent](ctx, limits, query) {
		if err != nil {
			staging.Health = status.Health{State: status.Failing, Note: explainTooMuch(asked(err)).Error()}
			return fmt.Errorf("asking the warehouse: %w", explainTooMuch(asked(err)))
		}
		rate := float64(row.Records) / s.RateWindow
		staging.Records, staging.PerSecond = row.Records, &rate
		if !s.written.IsZero() {
			behind(s.hops[status.TransformRuns], row.Overdue, s.written)
		}
		s.Valid, s.Quarantined = row.Records-row.Quarantined, row.Quarantined
		s.Freshness.Records = row.Records
		if row.P50.Valid && row.P99.Valid {
			s.Freshness.P50, s.Freshness.P99 = &row.P50.Float64, &row.P99.Float64
		}
		if row.Records == 0 {
			staging.State = status.Idle
			continue
		}
		share := float64(row.Quarantined) / float64(row.Records)
		if s.QuarantinedShare = &share; share > s.deployment.QuarantineAlertShare {
			s.Refused.Window = s.RateWindow
			s.Refused.Note = fmt.Sprintf("Refused within %d minutes: %d of %d records.", s.deployment.QuarantineAlertMinutes, row.Quarantined, row.Records)
			s.Refused.Remedy = fmt.Sprintf("See which and why: stationflow quarantine list --from %dm", s.deployment.QuarantineAlertMinutes)
		}
	}
	return nil
}

// recentSQL reads the partitions of the last minutes of every table. A record
// counts once, however often it came; what is tried again is left out. Rows are
// overdue that came after the marts were written.
func recentSQL(dataset string, topics []string, minutes int, written time.Time) string {
	var parts []string
	for _, table := range ledger.Tables(topics) {
		parts = append(parts, fmt.Sprintf("select %t as refused, concat(kafka_topic_id, '/', cast(kafka_partition as string), '/', cast(kafka_offset as string)) as record, timestamp_diff(ingested_at, kafka_timestamp, millisecond) / 1000 as age, ingested_at from `%s`.%s where ingested_at > timestamp_sub(current_timestamp(), interval %d minute) and ifnull(batch_id, '') not like '%%-retry-%%'",
			table == ledger.QuarantineTable, dataset, table, minutes))
	}
	return "select count(distinct record) as records, count(distinct if(refused, record, null)) as quarantined, approx_quantiles(age, 100)[safe_offset(50)] as p50, approx_quantiles(age, 100)[safe_offset(99)] as p99, " +
		fmt.Sprintf("countif(not refused and ingested_at > timestamp '%s' and ingested_at < timestamp_sub(current_timestamp(), interval %d second)) as overdue", written.UTC().Format("2006-01-02 15:04:05.000000+00"), int(overdue.Seconds())) + "\nfrom (\n" +
		strings.Join(parts, "\nunion all\n") + "\n)"
}

// transform tells when prod_data was written, and how the last run that wrote
// went, as the artifacts have it.
func (s *survey) transform(ctx context.Context) error {
	hop := s.hops[status.TransformRuns]
	marts := s.proof.BigQuery.Dataset(s.proof.config.BigQuery.ProdDataset).Table("station_hours")
	about, err := marts.Metadata(ctx)
	if err != nil {
		hop.Health = status.Health{State: status.NothingYet, Note: "There are no marts."}
		if !bqconfig.IsMissing(err) {
			hop.Health = status.Health{State: status.Failing, Note: asked(err).Error()}
		}
		return fmt.Errorf("asking when prod_data was written: %w", asked(err))
	}
	s.written = about.LastModifiedTime.In(s.proof.location)
	written := s.written
	s.Transform.LastFinished, hop.Records = &written, int64(about.NumRows)
	folder, isSet := strings.CutPrefix(s.call.streams.Getenv("TRANSFORM_ARTIFACTS"), "gs://")
	if !isSet {
		return nil
	}
	bucket, folder, _ := strings.Cut(folder, "/")
	text, err := lake.Read(ctx, s.proof.Storage.Bucket(bucket), strings.Trim(folder, "/")+"/run_results.json")
	if errors.Is(err, storage.ErrObjectNotExist) {
		return nil
	}
	var results runResults
	if err == nil {
		err = json.Unmarshal(text, &results)
	}
	if err != nil {
		return fmt.Errorf("reading the results of the last run: %w", err)
	}
	results.tell(&s.Transform, hop, s.proof.location)
	return nil
}

// runResults is what is read of dbt's artifact of that name.
type runResults struct {
	Metadata struct {
		At time.Time `json:"generated_at"`
	} `json:"metadata"`
	Took    float64 `json:"elapsed_time"`
	Results []struct {
		ID       string  `json:"unique_id"`
		Status   string  `json:"status"`
		Message  string  `json:"message"`
		Took     float64 `json:"execution_time"`
		Failures int64   `json:"failures"`
	} `json:"results"`
}

func (r *runResults) tell(t *status.Transform, hop *status.OfHop, location *time.Location) {
	at, ok := r.Metadata.At.In(location), "ok"
	t.LastFinished, t.LastTook, t.LastStatus = &at, &r.Took, &ok
	for _, one := range r.Results {
		kind, _, _ := strings.Cut(one.ID, ".")
		name := project.NameOf(one.ID)
		bad := one.Status == "error" || one.Status == "fail"
		if bad {
			ok = "failed"
			hop.Health = status.Health{State: status.Failing, Note: fmt.Sprintf("%s failed: %s", name, one.Message), Remedy: "See docs/runbooks.md, failed-transforms."}
		}
		switch {
		case kind == "test":
			t.TestsRun++
			if bad || one.Status == "warn" {
				t.Findings = append(t.Findings, status.Finding{Test: name, Status: one.Status, Rows: one.Failures, Error: one.Message})
			}
		case one.Status == "success":
			t.Changed++
			t.Models = append(t.Models, status.Model{Name: name, Status: one.Status, Took: one.Took})
		default:
			t.Models = append(t.Models, status.Model{Name: name, Status: one.Status, Took: one.Took, Error: one.Message})
		}
	}
}

// alerts are those that are open.
func (s *survey) alerts(ctx context.Context) error {
	marks, err := alert.OpenAt(ctx, s.proof.Storage.Bucket(s.proof.config.Bucket), s.At)
	if err != nil {
		return err
	}
	for i := range marks {
		n := &marks[i].Notification
		severity, place := n.Where()
		s.Alerts = append(s.Alerts, status.Alert{Key: n.Key, Text: n.Text, Topic: n.Topic, Severity: severity, Station: n.Station, Place: place,
			BeganAt: n.BeganAt.In(s.proof.location), EndsAt: n.EndsAt.In(s.proof.location), Age: max(0, s.At.Sub(n.BeganAt).Seconds()), Told: marks[i].Done,
			Trouble: marks[i].Trouble()})
	}
	return nil
}
