// Package sql holds the statements that people and tools run by hand against
// the warehouse. They name the datasets staging_data and prod_data.
package sql

import _ "embed"

// Ledger says what became of the records of every topic and partition.
//
//go:embed ops/ledger.sql
var Ledger string
