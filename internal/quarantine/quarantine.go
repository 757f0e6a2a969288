// Package quarantine reads the records that are in quarantine, for people who
// look at them and for those who have them tried again.
package quarantine

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"

	bqconfig "github.com/stationflow/stationflow/internal/bigquery"
	"github.com/stationflow/stationflow/internal/bigquery/scan"
	"github.com/stationflow/stationflow/sql"
)

// A Place is where a record was in Kafka.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
}

func (p Place) String() string { return fmt.Sprintf("%s/%d/%d", p.Topic, p.Partition, p.Offset) }

// ParsePlace reads TOPIC/PARTITION/OFFSET.
func ParsePlace(text string) (Place, error) {
	parts := strings.Split(text, "/")
	if len(parts) == 3 && parts[0] != "" {
		partition, err := strconv.ParseInt(parts[1], 10, 32)
		offset, wrong := strconv.ParseInt(parts[2], 10, 64)
		if err == nil && wrong == nil && partition >= 0 && offset >= 0 {
			return Place{parts[0], int32(partition), offset}, nil
		}
	}
	return Place{}, fmt.Errorf("%q is not TOPIC/PARTITION/OFFSET, such as incidents/3/1042", text)
}

// A Row is one row of the quarantine: a record, and why it was refused.
type Row struct {
	Topic      string                 `bigquery:"kafka_topic"`
	TopicID    string                 `bigquery:"kafka_topic_id"`
	Partition  int64                  `bigquery:"kafka_partition"`
	Offset     int64                  `bigquery:"kafka_offset"`
	Timestamp  bigquery.NullTimestamp `bigquery:"kafka_timestamp"`
	Key        []byte                 `bigquery:"key"`
	Value      []byte                 `bigquery:"value"`
	Reason     string                 `bigquery:"reason"`
	Detail     bigquery.NullString    `bigquery:"detail"`
	IngestedAt time.Time              `bigquery:"ingested_at"`
	BatchID    string                 `bigquery:"batch_id"`
	SchemaID   bigquery.NullString    `bigquery:"schema_id"`
}

// Place is where the record was in Kafka.
func (r *Row) Place() Place { return Place{r.Topic, int32(r.Partition), r.Offset} }

// A Filter chooses records of the quarantine; the zero value chooses all.
type Filter struct {
	Topics, Reasons []string  // none for all
	From, To        time.Time // when they were refused last: from the first on, before the second; zero for no bound
	Places          []Place   // none for all
}

// A Table is the quarantine of a warehouse. It is safe for concurrent use.
type Table struct {
	client *bigquery.Client
	name   string // dataset.table
	full   string // with the project
	limits scan.Limits
}

// Open connects to the warehouse; Close ends the connection.
func Open(ctx context.Context, config bqconfig.Config, limits scan.Limits) (*Table, error) {
	client, err := bigquery.NewClient(ctx, config.Project, config.RESTOptions()...)
	if err != nil {
		return nil, fmt.Errorf("connecting to BigQuery in project %s: %w", config.Project, err)
	}
	name := config.StagingDataset + ".quarantine"
	return &Table{client, name, config.Project + "." + name, limits}, nil
}

// Close ends the connection.
func (t *Table) Close() error { return t.client.Close() }

// A Group is the records of one topic that were refused for one reason.
type Group struct {
	Topic    string    `bigquery:"kafka_topic"`
	Reason   string    `bigquery:"reason"`
	Records  int64     `bigquery:"records"`
	First    time.Time `bigquery:"first"` // when the first of them came into quarantine
	Last     time.Time `bigquery:"last"`  // when the last of them did
	Tried    time.Time `bigquery:"tried"` // when the newest of them was refused last: by a retry, or when it came
	Examples []Example `bigquery:"-"`     // the newest, newest first
}

// An Example is one record of a group.
type Example struct {
	Topic     string              `bigquery:"kafka_topic"`
	Reason    string              `bigquery:"reason"`
	Partition int64               `bigquery:"kafka_partition"`
	Offset    int64               `bigquery:"kafka_offset"`
	Detail    bigquery.NullString `bigquery:"detail"`
}

// Groups counts the chosen records by topic and reason, the most first, each
// with so many examples. It reads neither keys nor values.
func (t *Table) Groups(ctx context.Context, f Filter, examples int) (groups []Group, err error) {
	at := make(map[[2]string]int) // by topic and reason
	statement := t.held(f) + `,
arrivals as (
  select kafka_topic_id, kafka_partition, kafka_offset, min(ingested_at) as arrived_at
  from ` + t.name + `
  where reason != 'accepted'
  group by kafka_topic_id, kafka_partition, kafka_offset
)
select kafka_topic, reason, count(*) as records, min(arrived_at) as first, max(arrived_at) as last, max(ingested_at) as tried
from held
join arrivals using (kafka_topic_id, kafka_partition, kafka_offset)
where ` + f.condition() + `
group by kafka_topic, reason
order by records desc, kafka_topic, reason`
	for group, err := range read[Group](ctx, t, t.limits, statement, f.parameters()) {
		if err != nil {
			return nil, fmt.Errorf("counting what is in quarantine: %w", err)
		}
		at[[2]string{group.Topic, group.Reason}] = len(groups)
		groups = append(groups, group)
	}
	if examples == 0 || len(groups) == 0 {
		return groups, nil
	}
	statement = t.held(f) + fmt.Sprintf(`
select kafka_topic, reason, kafka_partition, kafka_offset, detail
from held
where %s
qualify row_number() over (partition by kafka_topic, reason order by ingested_at desc, kafka_partition, kafka_offset) <= %d
order by kafka_topic, reason, ingested_at desc, kafka_partition, kafka_offset`, f.condition(), examples)
	for example, err := range read[Example](ctx, t, t.limits, statement, f.parameters()) {
		if err != nil {
			return nil, fmt.Errorf("looking for examples in quarantine: %w", err)
		}
		if i, known := at[[2]string{example.Topic, example.Reason}]; known { // else it came in between
			groups[i].Examples = append(groups[i].Examples, example)
		}
	}
	return groups, nil
}

// History returns all rows of the record, the oldest first: also those that say
// that it was accepted. It is empty where the quarantine never had it. A topic
// that was made again may have had two records of the place.
func (t *Table) History(ctx context.Context, p Place) ([]Row, error) {
	where := "where kafka_topic = @topic and kafka_partition = @partition and kafka_offset = @offset"
	parameters := []bigquery.QueryParameter{{Name: "topic", Value: p.Topic}, {Name: "partition", Value: int64(p.Partition)}, {Name: "offset", Value: p.Offset}}
	var rows []Row
	for row, err := range read[Row](ctx, t, t.limits, "select * from "+t.name+" "+where+" order by ingested_at, batch_id", parameters) {
		if err != nil {
			return nil, fmt.Errorf("looking for %v in quarantine: %w", p, err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Records yields the chosen records, each with its newest reason, in the order
// of topics, partitions and offsets. An error is the last that it yields.
func (t *Table) Records(ctx context.Context, f Filter) iter.Seq2[Row, error] {
	return read[Row](ctx, t, t.limits, t.held(f)+"\nselect * from held where "+f.condition()+
		"\norder by kafka_topic, kafka_topic_id, kafka_partition, kafka_offset", f.parameters())
}

// Outcome counts, by reason, the records that the batches brought since a
// moment: what was accepted has the reason event.Accepted.
func (t *Table) Outcome(ctx context.Context, batches []string, since time.Time) (map[string]int64, error) {
	counts := make(map[string]int64)
	type count struct {
		Reason  string `bigquery:"reason"`
		Records int64  `bigquery:"records"`
	}
	statement := `select reason, count(*) as records
from (
  select reason from ` + t.name + ` where ingested_at >= @since and batch_id in unnest(@batches)
  group by reason, kafka_topic_id, kafka_partition, kafka_offset
)
group by reason`
	parameters := []bigquery.QueryParameter{{Name: "since", Value: since}, {Name: "batches", Value: batches}}
	for one, err := range read[count](ctx, t, scan.Limits{}, statement, parameters) {
		if err != nil {
			return nil, fmt.Errorf("counting what became of the records: %w", err)
		}
		counts[one.Reason] = one.Records
	}
	return counts, nil
}

// held is the beginning of a statement: what is in quarantine, one row for each
// record. Bounds that keep BigQuery from reading partitions of the table are
// in there; a record's newest row and the one that says it was accepted are the
// last that came.
func (t *Table) held(f Filter) string {
	view := sql.RecordsView(t.full)
	var bounds []string
	if !f.From.IsZero() {
		bounds = append(bounds, "ingested_at >= @from")
	}
	if len(f.Topics) > 0 {
		bounds = append(bounds, "kafka_topic in unnest(@topics)")
	}
	if len(bounds) > 0 {
		view = strings.Replace(view, "where true", "where "+strings.Join(bounds, " and "), 1)
	}
	return "with held as (\n" + view + ")"
}

// condition chooses of what is held.
func (f *Filter) condition() string {
	all := []string{"true"}
	if len(f.Reasons) > 0 {
		all = append(all, "reason in unnest(@reasons)")
	}
	if !f.To.IsZero() {
		all = append(all, "ingested_at < @to")
	}
	if len(f.Places) > 0 {
		all = append(all, "concat(kafka_topic, '/', cast(kafka_partition as string), '/', cast(kafka_offset as string)) in unnest(@places)")
	}
	return strings.Join(all, " and ")
}

func (f *Filter) parameters() (all []bigquery.QueryParameter) {
	add := func(name string, value any) { all = append(all, bigquery.QueryParameter{Name: name, Value: value}) }
	if !f.From.IsZero() {
		add("from", f.From)
	}
	if !f.To.IsZero() {
		add("to", f.To)
	}
	if len(f.Topics) > 0 {
		add("topics", f.Topics)
	}
	if len(f.Reasons) > 0 {
		add("reasons", f.Reasons)
	}
	if len(f.Places) > 0 {
		places := make([]string, len(f.Places))
		for i := range places {
			places[i] = f.Places[i].String()
		}
		add("places", places)
	}
	return all
}

// read yields the rows of a statement.
func read[R any](ctx context.Context, t *Table, limits scan.Limits, statement string, parameters []bigquery.QueryParameter) iter.Seq2[R, error] {
	query := t.client.Query(statement)
	query.Parameters = parameters
	return scan.Rows[R](ctx, limits, query)
}

// A Coordinate is the identity of a record: the topic's id, as a topic can be
// made again, and the place.
type Coordinate struct {
	TopicID   string `bigquery:"kafka_topic_id"`
	Partition int64  `bigquery:"kafka_partition"`
	Offset    int64  `bigquery:"kafka_offset"`
}

// Coordinates returns those of the chosen records.
func (t *Table) Coordinates(ctx context.Context, f Filter) (map[Coordinate]bool, error) {
	all := make(map[Coordinate]bool)
	statement := t.held(f) + "\nselect kafka_topic_id, kafka_partition, kafka_offset from held where " + f.condition()
	for one, err := range read[Coordinate](ctx, t, t.limits, statement, f.parameters()) {
		if err != nil {
			return nil, fmt.Errorf("reading which records are in quarantine: %w", err)
		}
		all[one] = true
	}
	return all, nil
}
