// Package endpoints says where the parts of a local system listen, to people
// and programs outside of it.
package endpoints

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// An Endpoints says where everything listens; it is what --endpoints writes.
type Endpoints struct {
	Project        string `json:"project"`
	Bucket         string `json:"bucket"`
	StagingDataset string `json:"staging_dataset"`
	ProdDataset    string `json:"prod_dataset"`

	Kafka        string `json:"kafka"`         // bootstrap servers
	PubSub       string `json:"pubsub"`        // host:port
	BigQueryGRPC string `json:"bigquery_grpc"` // host:port of the Storage Write API

	BigQuery  string `json:"bigquery"` // these are http://host:port
	Storage   string `json:"storage"`
	Functions string `json:"functions"`
	Bridge    string `json:"bridge"` // of one that is run elsewhere: where it is asked how it does
	Dashboard string `json:"dashboard"`

	SchemaRegistry string `json:"schema_registry"` // one that the user named may have a path too

	Traces string `json:"traces,omitempty"` // http://host:port, where spans are taken by OTLP over HTTP; "" for nowhere
}

// Environment returns the variables that give the bridge, the functions, the
// simulator and Google's own clients these endpoints, as NAME=value. topic is
// the Pub/Sub topic that the bridge publishes to.
func (e Endpoints) Environment(topic string) []string {
	return []string{
		"GOOGLE_CLOUD_PROJECT=" + e.Project,
		"LAKE_BUCKET=" + e.Bucket,
		"TRANSFORM_ARTIFACTS=gs://" + e.Bucket + "/dbt",
		"STAGING_DATASET=" + e.StagingDataset,
		"PROD_DATASET=" + e.ProdDataset,
		"KAFKA_BOOTSTRAP_SERVERS=" + e.Kafka,
		"BRIDGE_PUBSUB_TOPIC=" + topic,
		"PUBSUB_EMULATOR_HOST=" + e.PubSub,
		"STORAGE_EMULATOR_HOST=" + e.Storage,
		"BIGQUERY_EMULATOR_HOST=" + e.BigQuery,
		"BIGQUERY_STORAGE_EMULATOR_HOST=" + e.BigQueryGRPC,
		"SCHEMA_REGISTRY_URL=" + e.SchemaRegistry,
	}
}

// WriteEnvironment writes variables, NAME=value, to a file for a shell to read.
func WriteEnvironment(path string, variables []string) error {
	text := "export " + strings.Join(variables, " \\\n  ") + "\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("writing the variables of the endpoints: %w", err)
	}
	return nil
}

// CanWrite says in one sentence why the file could not be written, as far as
// can be told beforehand; "" stands for no file.
func CanWrite(path string) error {
	if path == "" {
		return nil
	}
	folder := filepath.Dir(path)
	if about, err := os.Stat(folder); err != nil || !about.IsDir() {
		return fmt.Errorf("--endpoints %s: there is no folder %s: make it first, or name another file", path, folder)
	}
	if about, err := os.Stat(path); err == nil && about.IsDir() {
		return fmt.Errorf("--endpoints %s is a folder: name a file", path)
	}
	return nil
}

// Write writes the endpoints to a file at once: a reader sees the whole
// object or no file.
func (e Endpoints) Write(path string) error {
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return fmt.Errorf("writing endpoints: %w", err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".endpoints-*")
	if err != nil {
		return fmt.Errorf("writing endpoints to %s: %w", path, err)
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(append(text, '\n'))
	if closing := temporary.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("writing endpoints to %s: %w", path, err)
	}
	return nil
}
