// Package artifact writes what dbt's other tools read of a run: manifest.json
// (schema v12), run_results.json (v6) and sources.json (v3), as published at
// https://schemas.getdbt.com. Fields that the schemas do not require, and that
// would only repeat the project's files, are left out.
package artifact

import (
	"crypto/md5" // as dbt names projects
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// Names of the artifacts.
const (
	ManifestName   = "manifest.json"
	RunResultsName = "run_results.json"
	SourcesName    = "sources.json"
)

// writtenBy is the version of dbt whose project the runner runs.
const writtenBy = "1.12.0"

const stamp = "2006-01-02T15:04:05.000000Z"

// fields is a JSON object.
type fields = map[string]any

// Metadata is what all artifacts begin with.
func Metadata(schema, invocation string, at time.Time) fields {
	return fields{
		"dbt_schema_version": "https://schemas.getdbt.com/dbt/" + schema + ".json",
		"dbt_version":        writtenBy,
		"generated_at":       at.UTC().Format(stamp),
		"invocation_id":      invocation,
		"env":                fields{},
	}
}

// A Result is what became of a model, seed or test.
type Result struct {
	ID       string
	Status   string // dbt's: success, error, skipped, no-op, pass, warn or fail
	Started  time.Time
	Took     time.Duration
	Message  string
	Failures *int64 // of a test
	SQL      string // compiled; "" for none
	Relation string

	IsFailure bool // the message says what a test found
}

// RunResults is run_results.json.
func RunResults(invocation string, at time.Time, took time.Duration, results []Result) []byte {
	list := make([]fields, len(results))
	for i, r := range results {
		list[i] = fields{
			"status": r.Status, "unique_id": r.ID, "thread_id": "main", "execution_time": r.Took.Seconds(),
			"adapter_response": fields{}, "message": orNull(r.Message), "failures": r.Failures,
			"compiled": r.SQL != "", "compiled_code": orNull(r.SQL), "relation_name": orNull(r.Relation), "batch_results": nil,
			"timing": []fields{{"name": "execute", "started_at": r.Started.UTC().Format(stamp), "completed_at": r.Started.Add(r.Took).UTC().Format(stamp)}},
		}
	}
	return Encode(fields{"metadata": Metadata("run-results/v6", invocation, at), "results": list, "elapsed_time": took.Seconds(), "args": fields{}})
}

// orNull is a text, or null for "".
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// Encode is an artifact's text.
func Encode(object map[string]any) []byte {
	content, err := json.MarshalIndent(object, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("artifact: %v", err)) // texts, numbers and what yml files hold
	}
	return content
}

// projectID is dbt's id of a project.
func projectID(name string) string {
	sum := md5.Sum([]byte(name))
	return hex.EncodeToString(sum[:])
}
