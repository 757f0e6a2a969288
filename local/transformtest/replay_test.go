package transformtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/local/staged"
	"github.com/stationflow/stationflow/sql"
)

// One record of thousands is put back as fast as one of a few.
func TestReplay_OneOfThousands(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Hour)
	s := start(t, time.UTC, now)
	g := staged.NewGenerator(32, staged.Within(now.Add(-2*time.Hour), now))
	s.Append(now.Add(-time.Minute), g.Records(20_000)...)
	const topic, count = "ticket_validations", "select count(*) from staging_data.ticket_validations"
	all := fmt.Sprint(s.Query(count))
	for _, statement := range []string{
		"create table staging_data.ticket_validations_lake as select *, date(timestamp) as dt, format_timestamp('%H', timestamp) as hour from staging_data.ticket_validations",
		"delete from staging_data.ticket_validations where kafka_offset = 7 and kafka_partition = 0",
	} {
		s.Query(statement)
	}
	view := &bigquery.TableMetadata{ViewQuery: sql.RecordsView(staged.Project + "." + staged.Staging + ".quarantine")}
	check(t, s.Client.Dataset(staged.Staging).Table("quarantine_records").Create(t.Context(), view))
	statement, _, err := sql.Replay(topic)
	check(t, err)
	query := s.Client.Query(statement)
	query.Parameters = []bigquery.QueryParameter{{Name: "from_time", Value: now.Add(-72 * time.Hour)}, {Name: "to_time", Value: now}}
	patience, cancel := context.WithTimeout(t.Context(), time.Minute) // all pairs of records would take longer
	defer cancel()
	_, err = query.Read(patience)
	check(t, err)
	if after := fmt.Sprint(s.Query(count)); after != all {
		t.Errorf("%s rows after the replay, %s before", after, all)
	}
}

// What staging has lost is put back from the lake, once, with its values, and
// the dashboards then show all of it. Plain tables stand in for those over the
// lake's files, which the local warehouse does not have.
func TestReplay_PutsBackWhatStagingLacks(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Hour)
	s := start(t, time.UTC, now)
	g := staged.NewGenerator(31, staged.Within(now.Add(-60*time.Hour), now))
	s.Append(now.Add(-time.Minute), g.Records(400)...)
	const values = "select * except (ingested_at) from staging_data.%s order by kafka_topic_id, kafka_partition, kafka_offset"
	before := map[string]string{}
	for _, topic := range event.Topics() {
		before[topic] = fmt.Sprint(s.Query(fmt.Sprintf(values, topic)))
		for _, statement := range []string{
			"create table staging_data.%[1]s_lake as select *, date(timestamp) as dt, format_timestamp('%%H', timestamp) as hour from staging_data.%[1]s",
			"insert into staging_data.%[1]s_lake select * from staging_data.%[1]s_lake where mod(kafka_offset, 3) = 0", // in two files
			"delete from staging_data.%[1]s where mod(kafka_offset, 2) = 0",
		} {
			s.Query(fmt.Sprintf(statement, topic))
		}
	}
	s.run()
	if len(s.differences()) == 0 {
		t.Fatal("the dashboards are right without half of the records")
	}

	view := &bigquery.TableMetadata{ViewQuery: sql.RecordsView(staged.Project + "." + staged.Staging + ".quarantine")}
	check(t, s.Client.Dataset(staged.Staging).Table("quarantine_records").Create(t.Context(), view))
	period := func(from, to time.Time) {
		t.Helper()
		for _, topic := range event.Topics() {
			statement, _, err := sql.Replay(topic)
			check(t, err)
			query := s.Client.Query(statement)
			query.Parameters = []bigquery.QueryParameter{{Name: "from_time", Value: from}, {Name: "to_time", Value: to}}
			_, err = query.Read(t.Context())
			check(t, err)
		}
	}
	period(now.Add(-240*time.Hour), now.Add(-120*time.Hour)) // others
	for _, topic := range event.Topics() {
		if after := fmt.Sprint(s.Query(fmt.Sprintf(values, topic))); after == before[topic] {
			t.Errorf("%s: rows are back although their days were not asked for", topic)
		}
	}
	for range 2 {
		period(now.Add(-72*time.Hour), now)
		for _, topic := range event.Topics() {
			if after := fmt.Sprint(s.Query(fmt.Sprintf(values, topic))); after != before[topic] {
				t.Errorf("%s: staging holds other rows than before", topic)
			}
		}
	}
	s.run()
	s.verify("after the replay")
}
