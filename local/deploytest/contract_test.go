package deploytest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/functions/audit"
	"github.com/stationflow/stationflow/functions/compact"
	"github.com/stationflow/stationflow/functions/ingest"
	"github.com/stationflow/stationflow/functions/transform"
	"github.com/stationflow/stationflow/internal/kafka"
	"github.com/stationflow/stationflow/internal/lake"
	"github.com/stationflow/stationflow/terraform"
)

func deployment(t *testing.T) terraform.Deployment {
	t.Helper()
	d, err := terraform.ReadDeployment()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestContract_KafkaTopics(t *testing.T) {
	p := planOf(t, "defaults")
	var names []string
	for _, topic := range p.all("confluent_kafka_topic") {
		names = append(names, topic.text("topic_name"))
		if got := topic.number("partitions_count"); got != kafka.Partitions {
			t.Errorf("%s has %v partitions, want %d", topic.text("topic_name"), got, kafka.Partitions)
		}
	}
	want := event.Topics()
	slices.Sort(want)
	slices.Sort(names)
	if !slices.Equal(names, want) {
		t.Errorf("topics are %v, want %v", names, want)
	}
	if got := strings.Split(environments(p)["bridge"]["KAFKA_TOPICS"].value, ","); !slices.Equal(got, want) {
		t.Errorf("the bridge reads %v, want %v", got, want)
	}
}

// The bridge may read every topic and its group, and nothing more.
func TestContract_KafkaRights(t *testing.T) {
	p := planOf(t, "demo")
	rights := map[string][]string{}
	for _, rule := range p.all("confluent_kafka_acl") {
		client, _, _ := strings.Cut(rule.Address[strings.IndexByte(rule.Address, '"')+1:], "-")
		right := rule.text("operation") + " " + rule.text("resource_type")
		if rule.text("permission") != "ALLOW" || rule.text("pattern_type") != "LITERAL" {
			t.Errorf("%s is %s %s", rule.Address, rule.text("permission"), rule.text("pattern_type"))
		}
		if rule.text("resource_type") == "GROUP" && rule.text("resource_name") != environments(p)["bridge"]["KAFKA_GROUP_ID"].value {
			t.Errorf("the group is %s, the bridge's another", rule.text("resource_name"))
		}
		rights[client] = append(rights[client], right)
	}
	topics := len(event.Topics())
	for client, want := range map[string]map[string]int{
		"bridge":    {"READ TOPIC": topics, "DESCRIBE TOPIC": topics, "READ GROUP": 1},
		"simulator": {"WRITE TOPIC": topics, "DESCRIBE TOPIC": topics},
	} {
		got := map[string]int{}
		for _, right := range rights[client] {
			got[right]++
		}
		if !maps.Equal(got, want) {
			t.Errorf("the %s may %v, want %v", client, got, want)
		}
	}
}

func TestContract_Tables(t *testing.T) {
	p := planOf(t, "defaults")
	for _, table := range append(event.Topics(), "quarantine") {
		columns, clustering := event.QuarantineColumns(), []any{"kafka_topic", "reason"}
		if schema, ok := event.SchemaOf(table); ok {
			columns, clustering = schema.StagingColumns(), []any{"station"}
		}
		r := p.one(t, fmt.Sprintf("module.warehouse.google_bigquery_table.staging[%q]", table))
		var planned []struct{ Name, Type, Mode string }
		if err := json.Unmarshal([]byte(r.text("schema")), &planned); err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		if len(planned) != len(columns) {
			t.Fatalf("%s has %d columns, want %d", table, len(planned), len(columns))
		}
		for i, c := range columns {
			if got := planned[i]; got.Name != c.Name || got.Type != c.Type.String() || (got.Mode == "NULLABLE") != c.Nullable {
				t.Errorf("%s: column %d is %v, want %s %s", table, i, got, c.Name, c.Type)
			}
		}
		if r.text("time_partitioning.0.field") != "ingested_at" || r.text("time_partitioning.0.type") != "HOUR" || r.number("time_partitioning.0.expiration_ms") != 90*24*60*60*1000 {
			t.Errorf("%s is partitioned by %v", table, r.get("time_partitioning"))
		}
		if got, _ := r.get("clustering").([]any); !slices.Equal(got, clustering) {
			t.Errorf("%s is clustered by %v", table, got)
		}
		view := p.one(t, fmt.Sprintf("module.warehouse.google_bigquery_table.records[%q]", table)).text("view.0.query")
		for _, part := range []string{"`my-stations-4711.staging_data." + table + "`", "kafka_topic_id, kafka_partition, kafka_offset", "row_number()"} {
			if !strings.Contains(view, part) {
				t.Errorf("the view of %s lacks %q:\n%s", table, part, view)
			}
		}
	}
}

// The external tables find the objects that ingest writes: an object's name
// matches the pattern, and its folders are the partition columns.
func TestContract_Lake(t *testing.T) {
	p := planOf(t, "defaults")
	b := &batch.Batch{
		TopicID: "0f1e2d3c-0000-4000-8000-000000000000",
		Records: []batch.Record{{Partition: 3, Offset: 42}},
	}
	for _, topic := range event.Topics() {
		b.Topic = topic
		object := "gs://my-stations-4711-stationflow-lake/" + lake.RawObject(b, time.Date(2026, 11, 22, 7, 0, 0, 0, time.UTC))
		r := p.one(t, fmt.Sprintf("module.warehouse.google_bigquery_table.lake[%q]", topic))

		uris, _ := r.get("external_data_configuration.0.source_uris").([]any)
		if len(uris) != 1 || !strings.HasPrefix(object, strings.TrimSuffix(fmt.Sprint(uris[0]), "*")) {
			t.Errorf("%s reads %v, ingest writes %s", topic, uris, object)
		}
		prefix := r.text("external_data_configuration.0.hive_partitioning_options.0.source_uri_prefix")
		columns := regexp.MustCompile(`\{(\w+):(\w+)\}`).ReplaceAllString(prefix, `$1=[^/]+`)
		if !regexp.MustCompile("^" + columns + "/[^/]+\\.parquet$").MatchString(object) {
			t.Errorf("%s has partitions %s, ingest writes %s", topic, prefix, object)
		}
		if r.text("external_data_configuration.0.hive_partitioning_options.0.mode") != "CUSTOM" || r.get("external_data_configuration.0.schema") != nil {
			t.Errorf("%s guesses its columns", topic)
		}
		reference := p.one(t, fmt.Sprintf("module.lake.google_storage_bucket_object.reference[%q]", topic))
		if strings.HasPrefix(reference.text("name"), "raw/") {
			t.Errorf("the reference file %s would be read as data", reference.text("name"))
		}
		if got, want := r.text("external_data_configuration.0.reference_file_schema_uri"), "gs://my-stations-4711-stationflow-lake/"+reference.text("name"); got != want {
			t.Errorf("%s takes its columns from %s, want %s", topic, got, want)
		}
		if path.Base(reference.text("source")) != topic+".parquet" {
			t.Errorf("the reference file of %s is %s", topic, reference.text("source"))
		}
	}
}

// What is deleted from the lake is kept, and billed, as long as its versions are,
// and not for the days of the soft deletion that buckets have by themselves.
func TestContract_LakeKeepsWhatIsDeletedOnce(t *testing.T) {
	bucket := planOf(t, "defaults").one(t, "module.lake.google_storage_bucket.lake")
	if kept, is := bucket.get("soft_delete_policy.0.retention_duration_seconds").(float64); !is || kept != 0 || bucket.get("versioning.0.enabled") != true {
		t.Errorf("soft deletion keeps objects for %v s, versioning is %v", bucket.get("soft_delete_policy.0.retention_duration_seconds"), bucket.get("versioning.0.enabled"))
	}
}

func TestContract_Delivery(t *testing.T) {
	d := deployment(t)
	p := planOf(t, "defaults")
	seconds := func(n int) string { return fmt.Sprintf("%ds", n) }

	push := p.one(t, "module.transport.google_pubsub_subscription.ingest")
	for path, want := range map[string]any{
		"name":                 d.IngestSubscription,
		"ack_deadline_seconds": float64(d.PushAckDeadline),
		"dead_letter_policy.0.max_delivery_attempts": float64(d.PushMaxDeliveryAttempts),
		"retry_policy.0.minimum_backoff":             seconds(d.PushMinimumBackoff),
		"retry_policy.0.maximum_backoff":             seconds(d.PushMaximumBackoff),
		"push_config.0.no_wrapper.0.write_metadata":  true,
		"expiration_policy.0.ttl":                    "",
	} {
		if got := push.get(path); got != want {
			t.Errorf("the push subscription's %s is %v, want %v", path, got, want)
		}
	}
	kept, err := time.ParseDuration(push.text("message_retention_duration"))
	if tried := d.RetriesTake() + time.Duration(d.PushMaxDeliveryAttempts)*d.AckDeadline(); err != nil || kept < tried {
		t.Errorf("messages are kept for %v (%v), and tried for up to %v", kept, err, tried)
	}
	var topics []string
	for _, topic := range p.all("google_pubsub_topic") {
		topics = append(topics, topic.text("name"))
	}
	slices.Sort(topics)
	if want := []string{d.DeadLetterTopic, d.RecordsTopic}; !slices.Equal(topics, want) {
		t.Errorf("topics are %v, want %v", topics, want)
	}
	if got := environments(p)["bridge"]["BRIDGE_PUBSUB_TOPIC"].value; got != d.RecordsTopic {
		t.Errorf("the bridge publishes to %s", got)
	}
	if got := environments(p)["bridge"]["BRIDGE_LANES"].value; got != "rows,lake" {
		t.Errorf("the bridge sends the lanes %s", got)
	}
	dead := p.one(t, "module.transport.google_pubsub_subscription.dead_letter")
	if dead.text("name") != d.DeadLetterSubscription {
		t.Errorf("dead letters wait in %s", dead.text("name"))
	}
	// A new project has no identity of Pub/Sub's yet to grant anything to.
	if made, _ := p.one(t, "module.foundation.terraform_data.agents").get("triggers_replace").([]any); !slices.Contains(made, any("pubsub")) {
		t.Errorf("Pub/Sub's agent is not made before it is granted rights: %v", made)
	}
	for address, role := range map[string]string{
		"module.transport.google_pubsub_topic_iam_member.forwards":        "roles/pubsub.publisher",
		"module.transport.google_pubsub_subscription_iam_member.forwards": "roles/pubsub.subscriber",
		"module.transport.google_service_account_iam_member.pubsub_signs": "roles/iam.serviceAccountTokenCreator",
	} {
		if r := p.one(t, address); r.text("role") != role || !r.from("member", "var.pubsub_agent") {
			t.Errorf("%s does not give Pub/Sub %s", address, role)
		}
	}
}

// The transform may keep its artifacts where Terraform tells it to.
func TestContract_Artifacts(t *testing.T) {
	p := planOf(t, "defaults")
	grant := p.one(t, "module.functions.google_storage_bucket_iam_member.transform")
	bucket, folder, _ := strings.Cut(strings.TrimPrefix(environments(p)["transform"]["TRANSFORM_ARTIFACTS"].value, "gs://"), "/")
	want := fmt.Sprintf("resource.name.startsWith(%q)", "projects/_/buckets/"+bucket+"/objects/"+folder+"/")
	if got := grant.text("condition.0.expression"); got != want || folder == "" {
		t.Errorf("the transform may write where %s, want %s", got, want)
	}
	if role := grant.text("role"); role != "roles/storage.objectUser" { // creates, and deletes what it replaces
		t.Errorf("the transform has %s on its artifacts", role)
	}
}

func TestContract_FunctionsAndSchedule(t *testing.T) {
	d := deployment(t)
	p := planOf(t, "alert")
	registered, err := os.ReadFile(repository + "/functions.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, match := range regexp.MustCompile(`functions\.\w+\("(\w+)"`).FindAllStringSubmatch(string(registered), -1) {
		names = append(names, match[1])
	}
	var planned []string
	for _, f := range p.all("google_cloudfunctions2_function") {
		planned = append(planned, f.text("name"))
		if f.text("build_config.0.entry_point") != f.text("name") {
			t.Errorf("%s starts %s", f.text("name"), f.text("build_config.0.entry_point"))
		}
		version := regexp.MustCompile(`(?m)^go (\d+)\.(\d+)`).FindStringSubmatch(read(t, "go.mod"))
		if got := f.text("build_config.0.runtime"); got != "go"+version[1]+version[2] {
			t.Errorf("%s runs on %s, the module needs go %s.%s", f.text("name"), got, version[1], version[2])
		}
	}
	slices.Sort(names)
	slices.Sort(planned)
	if !slices.Equal(names, planned) {
		t.Errorf("functions are %v, registered are %v", planned, names)
	}

	for name, want := range map[string]struct {
		schedule string
		deadline int
	}{
		"compact[0]": {d.CompactSchedule, d.CompactAttemptDeadline},
		"audit":      {d.AuditSchedule, d.AuditAttemptDeadline},
		"scale":      {d.ScaleSchedule, d.ScaleAttemptDeadline},
		"transform":  {d.TransformSchedule, d.TransformAttemptDeadline},
	} {
		job := p.one(t, "module.scheduling.google_cloud_scheduler_job."+name)
		if job.text("schedule") != want.schedule || job.text("time_zone") != "Etc/UTC" {
			t.Errorf("%s runs at %s %s, locally at %s", name, job.text("schedule"), job.text("time_zone"), want.schedule)
		}
		if job.text("attempt_deadline") != fmt.Sprintf("%ds", want.deadline) || job.text("http_target.0.http_method") != "POST" {
			t.Errorf("the scheduler waits %s for %s of %s", job.text("attempt_deadline"), job.text("http_target.0.http_method"), name)
		}
	}
}

// Functions give up before their callers do, so that nothing works on for
// nobody, and not before their own limits, so that they tell why. And no call
// waits in an instance while another instance could take it.
func TestContract_LimitsNest(t *testing.T) {
	d := deployment(t)
	p := planOf(t, "defaults")
	limit := map[string]float64{}
	for _, f := range p.all("google_cloudfunctions2_function") {
		limit[f.text("name")] = f.number("service_config.0.timeout_seconds")
	}
	getenv := func(name string) string {
		return map[string]string{"GOOGLE_CLOUD_PROJECT": "p", "LAKE_BUCKET": "b"}[name]
	}
	receiving, err := ingest.FromEnv(getenv)
	if err != nil {
		t.Fatal(err)
	}
	ingest := p.one(t, `module.functions.google_cloudfunctions2_function.function["ingest"]`)
	if told := environments(p)["ingest"]["INGEST_CONCURRENCY"].value; told != fmt.Sprint(ingest.number("service_config.0.max_instance_request_concurrency")) {
		t.Errorf("ingest gets %v calls at once and works on %s", ingest.number("service_config.0.max_instance_request_concurrency"), told)
	}
	if limit["ingest"] <= receiving.CallTimeout.Seconds() || limit["ingest"] >= float64(d.PushAckDeadline) {
		t.Errorf("ingest may take %v s: more than its own %v, less than Pub/Sub's %d s", limit["ingest"], receiving.CallTimeout, d.PushAckDeadline)
	}
	if limit["compact"] <= compact.CallTimeout.Seconds() || limit["compact"] >= float64(d.CompactAttemptDeadline) {
		t.Errorf("compact may take %v s: more than its own %v, less than the scheduler's %d s", limit["compact"], compact.CallTimeout, d.CompactAttemptDeadline)
	}
	if limit["audit"] <= audit.CallTimeout.Seconds() || limit["audit"] >= float64(d.AuditAttemptDeadline) {
		t.Errorf("audit may take %v s: more than its own %v, less than the scheduler's %d s", limit["audit"], audit.CallTimeout, d.AuditAttemptDeadline)
	}
	running, err := transform.FromEnv(getenv)
	if err != nil {
		t.Fatal(err)
	}
	if own := running.Wait + running.Run; limit["transform"] <= own.Seconds() {
		t.Errorf("transform may take %v s, no more than its own wait and run, %v", limit["transform"], own)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(repository + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every alert has a section in the runbooks, and every section an alert.
func TestRunbooks_AreThereForEveryAlert(t *testing.T) {
	p := planOf(t, "everything")
	var told []string
	for _, section := range regexp.MustCompile(`(?m)^## ([a-z-]+)$`).FindAllStringSubmatch(read(t, "docs/runbooks.md"), -1) {
		told = append(told, section[1])
	}
	var linked []string
	for _, alert := range p.all("google_monitoring_alert_policy") {
		_, section, found := strings.Cut(alert.text("documentation.0.content"), "/docs/runbooks.md#")
		if !found || !slices.Contains(told, section) {
			t.Errorf("%s names no runbook: %s", alert.Address, alert.text("documentation.0.content"))
		}
		linked = append(linked, section)
		if !alert.from("notification_channels", "google_monitoring_notification_channel.email") {
			t.Errorf("%s tells nobody", alert.Address)
		}
	}
	slices.Sort(told)
	slices.Sort(linked)
	if !slices.Equal(told, linked) {
		t.Errorf("runbooks are %v, alerts %v", told, linked)
	}
	if len(p.all("google_monitoring_notification_channel")) != 1 {
		t.Error("the address has no channel")
	}
}
