// Package sql holds the statements that people and tools run by hand against
// the warehouse. They name the datasets staging_data and prod_data.
package sql

import "embed"

// Ledger says what became of the records of every topic and partition.
//
//go:embed ops/ledger.sql
var Ledger string

// Replays holds a statement for each topic, replay/<topic>.sql, which puts
// records of the lake back into the staging table. Its parameters are from_day
// and to_day (DATE).
//
//go:embed replay
var Replays embed.FS
