// Package meter counts what Google Cloud and Confluent Cloud would bill for
// what the local system does, so that the model of docs/costs.md can be held
// against a running system.
//
// It counts uses, not dollars; internal/cost puts prices to them. Everything
// counts since New and never falls. A Meter is safe for concurrent use, and
// counting costs a few atomic additions.
package meter

import (
	"sync/atomic"
	"time"

	"github.com/stationflow/stationflow/terraform"
)

// A Meter counts. The zero value is not usable; New makes one.
type Meter struct {
	now func() time.Time

	objects, objectBytes atomic.Int64
	alertWrites          atomic.Int64
	statements           atomic.Int64
	tables, billed       atomic.Int64
	logged               atomic.Int64 // bytes that are kept
	loggedTaken          atomic.Int64 // bytes of which a share is
	share                float64      // of them

	ingest, transform instances
}

// New returns a Meter that has counted nothing.
func New(now func() time.Time) *Meter {
	m := &Meter{now: now, share: 1}
	if d, err := terraform.ReadDeployment(); err == nil { // it is part of the program
		m.share = d.IngestLogShare
	}
	return m
}

// Object counts an object of so many bytes that was written. Each write is an
// operation of class A (https://cloud.google.com/storage/pricing).
func (m *Meter) Object(bytes int64) {
	m.objects.Add(1)
	m.objectBytes.Add(bytes)
}

// Statement counts a statement: the tables it refers to, and the bytes it is
// billed for.
func (m *Meter) Statement(tables int, billed int64) {
	m.statements.Add(1)
	m.tables.Add(int64(tables))
	m.billed.Add(billed)
}

// A Reading is what a Meter has counted, with what other parts of the system
// count for themselves.
type Reading struct {
	At time.Time `json:"at"`

	Records         int64         `json:"records"`      // that the bridge sent on
	KafkaBytes      int64         `json:"kafka_bytes"`  // of these records
	PubSubBytes     int64         `json:"pubsub_bytes"` // published and delivered, 1,000 at least for each request
	IngestCalls     int64         `json:"ingest_calls"`
	IngestBusy      time.Duration `json:"ingest_busy_nanoseconds"` // of its instances, in started 100 ms
	Objects         int64         `json:"objects"`
	ObjectBytes     int64         `json:"object_bytes"`
	AlertWrites     int64         `json:"alert_writes"`  // of the marks of alerts
	AppendedRows    int64         `json:"appended_rows"` // over the Storage Write API
	AppendedBytes   int64         `json:"appended_bytes"`
	TransformCalls  int64         `json:"transform_calls"`
	TransformBusy   time.Duration `json:"transform_busy_nanoseconds"`
	Statements      int64         `json:"statements"`       // of BigQuery
	TableReferences int64         `json:"table_references"` // of these statements
	BilledBytes     int64         `json:"billed_bytes"`     // by these statements
	LogBytes        int64         `json:"log_bytes"`
}

// Read returns what was counted so far. The caller adds what it knows from
// elsewhere: Pub/Sub, Kafka, and rows appended.
func (m *Meter) Read() Reading {
	r := Reading{
		At: m.now(), Objects: m.objects.Load(), ObjectBytes: m.objectBytes.Load(), AlertWrites: m.alertWrites.Load(),
		Statements: m.statements.Load(), TableReferences: m.tables.Load(), BilledBytes: m.billed.Load(),
		LogBytes: m.logged.Load() + int64(m.share*float64(m.loggedTaken.Load())),
	}
	r.IngestCalls, r.IngestBusy = m.ingest.read()
	r.TransformCalls, r.TransformBusy = m.transform.read()
	return r
}

// Since returns what was counted after an earlier reading of the same Meter.
func (r Reading) Since(earlier Reading) Reading {
	return Reading{
		At:              r.At,
		Objects:         r.Objects - earlier.Objects,
		ObjectBytes:     r.ObjectBytes - earlier.ObjectBytes,
		AlertWrites:     r.AlertWrites - earlier.AlertWrites,
		Statements:      r.Statements - earlier.Statements,
		TableReferences: r.TableReferences - earlier.TableReferences,
		BilledBytes:     r.BilledBytes - earlier.BilledBytes,
		LogBytes:        r.LogBytes - earlier.LogBytes,
		IngestCalls:     r.IngestCalls - earlier.IngestCalls,
		TransformCalls:  r.TransformCalls - earlier.TransformCalls,
		IngestBusy:      r.IngestBusy - earlier.IngestBusy,
		TransformBusy:   r.TransformBusy - earlier.TransformBusy,
		PubSubBytes:     r.PubSubBytes - earlier.PubSubBytes,
		Records:         r.Records - earlier.Records,
		KafkaBytes:      r.KafkaBytes - earlier.KafkaBytes,
		AppendedRows:    r.AppendedRows - earlier.AppendedRows,
		AppendedBytes:   r.AppendedBytes - earlier.AppendedBytes,
	}
}
