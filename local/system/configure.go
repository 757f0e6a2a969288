package system

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/stationflow/stationflow/internal/env"
	"github.com/stationflow/stationflow/local/endpoints"
	"github.com/stationflow/stationflow/terraform"
)

// configure chooses the ports and works out the environment of the deployed
// parts.
func (s *System) configure(getenv func(string) string) error {
	r := env.NewReader(getenv)
	s.location = r.Location("STATION_TIMEZONE", "UTC")
	if err := r.Err(); err != nil {
		return err
	}
	var err error
	if s.deployment, err = terraform.ReadDeployment(); err != nil {
		return err
	}
	s.refused.window, s.refused.share = s.deployment.QuarantineWindow(), s.deployment.QuarantineAlertShare
	chosen, err := choosePorts(s.options.Port, func(name string) bool {
		return !(name == "kafka" && s.options.Kafka != "") && !(name == "functions" && s.options.without(name)) &&
			!(name == "schema_registry" && s.options.SchemaRegistry != "") &&
			!(name == "admin" && s.options.Idle != "stop") &&
			!(name == "traces" && !s.options.Traces)
	}, s.options.without)
	if err != nil {
		return err
	}
	url := func(name string) string {
		if chosen[name] == "" {
			return ""
		}
		return "http://" + chosen[name]
	}
	s.Endpoints = endpoints.Endpoints{
		Project: project, Bucket: bucket,
		StagingDataset: r.String("STAGING_DATASET", "staging_data"), ProdDataset: r.String("PROD_DATASET", "prod_data"),
		Kafka: chosen["kafka"], PubSub: chosen["pubsub"], BigQueryGRPC: chosen["bigquery_grpc"],
		BigQuery: url("bigquery"), Storage: url("storage"), Functions: url("functions"), Bridge: url("bridge"), Dashboard: url("dashboard"),
		SchemaRegistry: url("schema_registry"), Traces: url("traces"),
	}
	if s.options.Kafka != "" {
		s.Endpoints.Kafka = s.options.Kafka
	}
	if s.options.SchemaRegistry != "" {
		s.Endpoints.SchemaRegistry = s.options.SchemaRegistry
	}
	if s.options.FunctionsURL != "" {
		s.Endpoints.Functions = s.options.FunctionsURL
	}
	s.settings = s.Endpoints.Environment(s.deployment.RecordsTopic)
	if s.options.Simulate && r.String("ALERT_LATE", "") == "" {
		s.settings = append(s.settings, "ALERT_LATE=24h") // the stations play today from its beginning
	}
	if s.options.Canary {
		s.settings = append(s.settings, "BRIDGE_CANARY=on", "TRANSFORM_CANARY=on")
	}
	if s.options.AlertWebhook != "" {
		s.settings = append(s.settings, "ALERT_WEBHOOK="+s.options.AlertWebhook)
	}
	if s.options.Kafka != "" && r.String("KAFKA_GROUP_ID", "") == "" {
		group, err := s.ownGroup()
		if err != nil {
			return err
		}
		s.settings = append(s.settings, "KAFKA_GROUP_ID="+group)
	}
	if s.admin = chosen["admin"]; s.admin != "" {
		s.settings = append(s.settings, "SCALE_POOL="+s.poolName(), "RUN_EMULATOR_HOST=http://"+s.admin)
	}
	s.settings = append(s.settings, s.traceSettings(r)...)
	s.getenv = overlay(getenv, s.settings)
	if s.options.without("bridge") {
		s.inquiry = newInquiry(s.Endpoints.Bridge+"/status", s.arrived)
	}
	if s.environ, err = filepath.Abs(filepath.Join(s.folder, "environment")); err != nil {
		return fmt.Errorf("finding the folder of this run: %w", err)
	}
	return export(s.settings)
}

// writeEnvironment writes what programs of the user's need to a file that a
// shell reads.
func (s *System) writeEnvironment() error {
	variables := s.settings
	if s.options.without("bridge") {
		variables = append(slices.Clip(variables), s.bridgeSettings()...)
	}
	return endpoints.WriteEnvironment(s.environ, variables)
}

// bridgeSettings are what the bridge needs besides.
func (s *System) bridgeSettings() []string {
	return []string{
		"BRIDGE_ADDR=" + host(s.Endpoints.Bridge),
		"BRIDGE_TRANSPORT=" + s.options.Transport,
		"BRIDGE_HTTP_URL=" + s.Endpoints.Functions + "/ingest",
		"BRIDGE_DEAD_LETTER_TOPIC=" + s.deployment.DeadLetterTopic,
		"BRIDGE_ALERT_COPIES_TOPIC=" + s.deployment.AlertCopiesTopic,
	}
}

// ownGroup names the consumer group for a broker of the user's: never the
// deployed bridge's, whose records this system would take away, and a new one
// whenever the warehouse starts empty.
func (s *System) ownGroup() (string, error) {
	file := filepath.Join(s.folder, "consumer-group")
	if name, err := os.ReadFile(file); err == nil {
		return string(name), nil
	}
	name := "stationflow-local-" + rand.Text()
	if err := os.WriteFile(file, []byte(name), 0o644); err != nil {
		return "", fmt.Errorf("naming the consumer group: %w", err)
	}
	return name, nil
}
