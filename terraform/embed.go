// Package terraform holds the facts of a deployment that Terraform and the
// local system share, so that both are told once: the table schemas (written
// by go generate from package event) and the names, schedule and delivery
// policy in deployment.json.
package terraform

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

//go:embed deployment.json schemas/*.json canary/*.json
var files embed.FS

// A Deployment is what deployment.json says.
type Deployment struct {
	TransformSchedule        string   `json:"transform_schedule"` // unix cron, in UTC
	TransformAttemptDeadline int      `json:"transform_attempt_deadline_seconds"`
	StagingPartitions        string   `json:"staging_partitions"` // of ingested_at: BigQuery's word
	ScaleSchedule            string   `json:"scale_schedule"`     // likewise
	ScaleAttemptDeadline     int      `json:"scale_attempt_deadline_seconds"`
	AuditSchedule            string   `json:"audit_schedule"` // likewise
	AuditAttemptDeadline     int      `json:"audit_attempt_deadline_seconds"`
	CompactSchedule          string   `json:"compact_schedule"` // likewise
	CompactAttemptDeadline   int      `json:"compact_attempt_deadline_seconds"`
	BridgePool               string   `json:"bridge_pool"`
	RecordsTopic             string   `json:"records_topic"`
	IngestSubscription       string   `json:"ingest_subscription"`
	AlertTopics              []string `json:"alert_topics"` // of Kafka: those that the rules of alerts name
	AlertFilter              string   `json:"alert_filter"` // of both subscriptions: these topics, in the lane rows
	AlertSubscription        string   `json:"alert_subscription"`
	AlertRetention           int      `json:"alert_retention_seconds"` // after which an alert that could not be told is given up
	AlertMaximumBackoff      int      `json:"alert_maximum_backoff_seconds"`
	AlertCopiesTopic         string   `json:"alert_copies_topic"` // where the bridge's http transport puts their batches as well
	AlertCopiesSubscription  string   `json:"alert_copies_subscription"`
	DeadLetterTopic          string   `json:"dead_letter_topic"`
	DeadLetterSubscription   string   `json:"dead_letter_subscription"`
	PushAckDeadline          int      `json:"push_ack_deadline_seconds"`
	PushMinimumBackoff       int      `json:"push_minimum_backoff_seconds"`
	PushMaximumBackoff       int      `json:"push_maximum_backoff_seconds"`
	PushMaxDeliveryAttempts  int      `json:"push_max_delivery_attempts"`

	// Of a batch that the bridge posts itself: refusals by the function, and
	// the longest pause between them. Its partition waits, unlike what Pub/Sub
	// delivers.
	HTTPMaxRefusals           int `json:"http_max_refusals"`
	HTTPRefusedMaximumBackoff int `json:"http_refused_maximum_backoff_seconds"`

	// IngestLogShare is how much of ingest's log is kept of batches that were
	// taken; 0..1.
	IngestLogShare float64 `json:"ingest_log_share"`

	// A person is told when more than this share of the records of so many
	// minutes was refused.
	QuarantineAlertShare   float64 `json:"quarantine_alert_share"` // 0..1
	QuarantineAlertMinutes int     `json:"quarantine_alert_minutes"`
}

// TransformDeadline is how long the scheduler waits for one run's answer.
func (d Deployment) TransformDeadline() time.Duration {
	return time.Duration(d.TransformAttemptDeadline) * time.Second
}

// ScaleDeadline is how long the scheduler waits for the answer of one check.
func (d Deployment) ScaleDeadline() time.Duration {
	return time.Duration(d.ScaleAttemptDeadline) * time.Second
}

// CompactDeadline is how long the scheduler waits for the answer of one call.
func (d Deployment) CompactDeadline() time.Duration {
	return time.Duration(d.CompactAttemptDeadline) * time.Second
}

// AckDeadline is how long Pub/Sub waits for the answer of one delivery.
func (d Deployment) AckDeadline() time.Duration {
	return time.Duration(d.PushAckDeadline) * time.Second
}

// RetriesTake is how long Pub/Sub tries to deliver a message whose attempts all
// fail at once, until it becomes a dead letter: the pauses between the
// attempts, each twice the one before, up to the longest.
func (d Deployment) RetriesTake() (all time.Duration) {
	pause := d.PushMinimumBackoff
	for range d.PushMaxDeliveryAttempts - 1 {
		all += time.Duration(min(pause, d.PushMaximumBackoff)) * time.Second
		pause = min(2*pause, d.PushMaximumBackoff)
	}
	return all
}

// QuarantineWindow is how far back the share of refused records is looked at.
func (d Deployment) QuarantineWindow() time.Duration {
	return time.Duration(d.QuarantineAlertMinutes) * time.Minute
}

// FullName completes the short name of a Pub/Sub topic or subscription;
// collection is topics or subscriptions. A full name stays as it is.
func FullName(project, collection, name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	return "projects/" + project + "/" + collection + "/" + name
}

// ReadDeployment returns the deployment's shared facts.
func ReadDeployment() (Deployment, error) {
	text, err := files.ReadFile("deployment.json")
	if err != nil {
		return Deployment{}, fmt.Errorf("reading deployment.json: %w", err)
	}
	var d Deployment
	if err := json.Unmarshal(text, &d); err != nil {
		return Deployment{}, fmt.Errorf("reading deployment.json: %w", err)
	}
	return d, nil
}

// TableSchema returns the BigQuery JSON schema of a staging table: one of the
// topics, quarantine, or that of the canary.
func TableSchema(table string) ([]byte, error) {
	text, err := files.ReadFile("schemas/" + table + ".json")
	if errors.Is(err, fs.ErrNotExist) {
		text, err = files.ReadFile("canary/" + table + ".json")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the schema of table %s: %w", table, err)
	}
	return text, nil
}
