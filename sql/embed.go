// Package sql holds the statements that people and tools run by hand against
// the warehouse. They name the datasets staging_data and prod_data.
package sql

import (
	"embed"
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

// Replays holds a statement for each topic, replay/<topic>.sql, which puts
// records of the lake back into the staging table. Its parameters are from_day
// and to_day (DATE).
//
//go:embed replay
var Replays embed.FS
