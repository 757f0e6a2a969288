package event

import "time"

// A Receipt is the moment at which records were received. It says which Kafka
// timestamps can be believed: a producer may put any number there, such as 0,
// or seconds instead of milliseconds.
type Receipt struct {
	at     time.Time
	latest int64 // milliseconds since 1970-01-01 UTC
}

// ReceivedAt returns the receipt of records that were received at a moment.
func ReceivedAt(at time.Time) Receipt {
	return Receipt{at: at, latest: at.Add(tolerance).UnixMilli()}
}

// Believes reports whether a Kafka timestamp, in milliseconds since 1970-01-01
// UTC, can be when the record was written: it is neither missing, which is a
// number below zero, nor absurd.
func (r Receipt) Believes(timestamp int64) bool {
	return timestamp >= earliest/1000 && timestamp <= r.latest
}

// Reference returns what the timestamps of a record's event are compared with:
// the record's Kafka timestamp if that can be believed, else the receipt.
func (r Receipt) Reference(timestamp int64) time.Time {
	if r.Believes(timestamp) {
		return time.UnixMilli(timestamp)
	}
	return r.at
}
