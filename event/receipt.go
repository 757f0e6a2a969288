package event

import "time"

// A Receipt is the moment at which records were received. It says which
// Kafka timestamps are to be believed: a producer may put any number there, 0,
// or seconds, where milliseconds belong.
type Receipt struct {
	at     time.Time
	latest int64 // milliseconds since 1970-01-01 UTC
}

// ReceivedAt returns the receipt of records that were received at a moment.
func ReceivedAt(at time.Time) Receipt {
	return Receipt{at: at, latest: at.Add(tolerance).UnixMilli()}
}

// Believes tells whether a Kafka timestamp, in milliseconds since 1970-01-01
// UTC, can be when the record was written: it is neither missing, which is a
// number below zero, nor absurd.
func (r Receipt) Believes(timestamp int64) bool {
	return timestamp >= earliest/1000 && timestamp <= r.latest
}

// Reference returns what the timestamps of a record's event are held against:
// the record's Kafka timestamp if that is to be believed, else the receipt.
func (r Receipt) Reference(timestamp int64) time.Time {
	if r.Believes(timestamp) {
		return time.UnixMilli(timestamp)
	}
	return r.at
}
