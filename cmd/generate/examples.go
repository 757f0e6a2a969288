package main

import "github.com/stationflow/stationflow/event"

// A refusal is one of the reasons for quarantine as the reference page tells
// it. The example is a member that replaces the one of that name in the
// topic's example, or is added to it; without a topic it is a whole value.
type refusal struct {
	Reason  event.Reason
	Meaning string
	Topic   string
	Example string
	Shown   string // how the page writes an example that is no text
}

var reasons = []refusal{
	{Reason: event.Tombstone, Meaning: "The value is null, as the deletion of a key is written. Shares and alerts leave these out.", Shown: "null as Kafka has it"},
	{Reason: event.Empty, Meaning: "The value has no bytes.", Shown: "no bytes"},
	{Reason: event.NoRegistry, Meaning: "The value names a schema of a registry, is not JSON, and `SCHEMA_REGISTRY_URL` is not set.", Shown: "Avro behind `00` and an id"},
	{Reason: event.UnknownSchema, Meaning: "The registry does not have the schema that the value names, after it was asked for some seconds.", Shown: "an id of another registry"},
	{Reason: event.Undecodable, Meaning: "The bytes do not fit the schema that the value names, or that schema cannot be used.", Shown: "Avro that is cut off"},
	{Reason: event.NotUTF8, Meaning: "The value is not UTF-8.", Example: "{\"id\": \"\xe9t\xe9\"}", Shown: "`{\"id\": \"été\"}` in Latin-1"},
	{Reason: event.NotJSON, Meaning: "The value is not one JSON text (RFC 8259), or breaks one of the stricter rules above.", Example: `{"id": "x", "id": "y"}`},
	{Reason: event.NotObject, Meaning: "The value is JSON, but no object.", Example: `[{"id": "x"}]`},
	{Reason: event.Deleted, Meaning: "A change event says that a row was deleted.", Example: `{"before": {"id": "x"}, "after": null, "op": "d"}`},
	{Reason: event.MissingField, Meaning: "A field that is not optional is absent or null, or id or station is empty.", Topic: "incidents", Example: `"station": null`},
	{Reason: event.WrongType, Meaning: "A field has another JSON type than its own, or a whole number has a fraction.", Topic: "train_arrivals", Example: `"passengers": "412"`},
	{Reason: event.OutOfRange, Meaning: "A number is outside the field's bounds or beyond its 64 bits.", Topic: "passenger_flow", Example: `"reduced_flow_factor": 1.5`},
	{Reason: event.UnknownValue, Meaning: "A field has a value that is not in its list; case counts.", Topic: "train_departures", Example: `"direction": "north"`},
	{Reason: event.BadTimestamp, Meaning: "A timestamp cannot be read.", Topic: "incidents", Example: `"timestamp": "22/11/2026 07:30"`},
	{Reason: event.AbsurdTimestamp, Meaning: "A timestamp is before 2000-01-01 UTC, or more than a day ahead of the record's Kafka timestamp (of the time of receipt, if that is missing or itself absurd).", Topic: "ticket_validations", Example: `"timestamp": "1970-01-01T00:00:00Z"`},
	{Reason: event.TooLarge, Meaning: "The record is larger than a batch holds (8 MiB). Its bytes are in the lake under quarantine/, and detail has their URI; where the key or headers had to go there too, their URIs follow after `key:` and `headers:`.", Shown: "an event with a note of 9 MiB"},
	{Reason: event.RefusedByWarehouse, Meaning: "The event is as it should be, but BigQuery refuses its row, or the row is larger than an append takes (3 MiB); detail says which, or has the URI of the bytes.", Shown: "any event, while its table lacks a column"},
}

// A reading is what a timestamp is read as in a network in Europe/Paris.
type reading struct{ Text, UTC, Remark string }

const refused = "refused"

var timestamps = []reading{
	{"2026-11-22T07:30:00", "2026-11-22T06:30:00Z", "no offset: local to the network"},
	{"2026-11-22T07:30:00Z", "2026-11-22T07:30:00Z", "UTC; z, t and a space instead of T will do"},
	{"2026-11-22T07:30:00+02:00", "2026-11-22T05:30:00Z", "offsets are +02:00, +0200 or +02"},
	{"2026-11-22T07:30", "2026-11-22T06:30:00Z", "without seconds"},
	{"2026-11-22T07:30:00,1234567", "2026-11-22T06:30:00.123456Z", "a fraction, behind a dot or a comma; microseconds are kept, the rest is cut off"},
	{"20261122T073000Z", "2026-11-22T07:30:00Z", "the basic format, for date and time alike"},
	{"2026-11-22T24:00:00", "2026-11-22T23:00:00Z", "the end of the day (ISO 8601-1:2019/Amd 1:2022)"},
	{"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z", "a leap second counts as the second after it"},
	{"2026-11-22T07:30:60Z", refused, "leap seconds end a day in UTC"},
	{"2026-10-25T02:30:00", "2026-10-25T00:30:00Z", "clocks go back and this time occurs twice: the earlier moment"},
	{"2026-03-29T02:30:00", "2026-03-29T01:30:00Z", "clocks go forward and this time is skipped: the offset before the change"},
	{"2026-11-22T07:30:00+01:00[Europe/Paris]", "2026-11-22T06:30:00Z", "a suffix in brackets (RFC 9557): the offset counts"},
	{"2026-11-22T07:30:00[America/New_York]", "2026-11-22T12:30:00Z", "without an offset the zone counts"},
	{"2026-11-22 07:30:00 UTC", "2026-11-22T07:30:00Z", "an offset behind a space, where date and time have one between them"},
	{"2026-11-22 07:30:00.0 +02:00:00", "2026-11-22T05:30:00Z", "there it may also have seconds, or a zone's abbreviation behind it"},
	{"2026-11-22", refused, "no time of day"},
	{"2026-11-22T07", refused, "no minutes"},
	{"2026-W47-7T07:30:00", refused, "week and ordinal dates are not read"},
	{"2026-02-29T07:30:00", refused, "no such day"},
}
