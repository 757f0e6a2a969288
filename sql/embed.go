// Package sql holds the statements that people and tools run by hand against
// the warehouse. They name the datasets staging_data and prod_data.
package sql

import (
	"embed"
	"fmt"
	"strings"
)

// Ledger says what became of the records of every topic and partition.
//
//go:embed ops/ledger.sql
var Ledger string

//go:embed views/records.sql
var recordsView string

//go:embed views/quarantine.sql
var quarantineView string

// RecordsView is the query of the view that has one row for each Kafka record of
// a staging table, or of the quarantine; table is project.dataset.table.
func RecordsView(table string) string {
	view := recordsView
	if strings.HasSuffix(table, ".quarantine") {
		view = quarantineView
	}
	return strings.ReplaceAll(view, "${table}", table)
}

//go:embed replay
var replays embed.FS

// Replay returns, for a topic, the statement that puts records of the lake back
// into the staging table, and the one that counts what that would put back, as
// the column records. The parameters of both are from_time and to_time
// (TIMESTAMP).
func Replay(topic string) (insert, count string, err error) {
	text, err := replays.ReadFile("replay/" + topic + ".sql")
	if err != nil {
		return "", "", fmt.Errorf("there is no replay of topic %s: %w", topic, err)
	}
	_, query, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(string(text)), ";"), "\n)\n")
	return string(text), "select count(*) as records from (\n" + query + "\n)", nil
}
