package main

// A written timestamp is how a program writes 2026-11-22T07:30:00Z without
// being told how. What has a version was made with it.
type written struct {
	By   string
	Text string // as JSON
	Unit string // STATION_EPOCH_UNIT with which it is read; "" where none is needed
	Not  string // the reason for which it is refused nevertheless
}

var serializers = []written{
	{By: "Python 3.11 `isoformat`, polars 2.1, orjson 3.13", Text: `"2026-11-22T07:30:00+00:00"`},
	{By: "Python 3.11 `str`, pandas 3.1 `Timestamp` by `default=str`", Text: `"2026-11-22 07:30:00+00:00"`},
	{By: "Python 3.11 `timestamp`", Text: `1795332600.0`, Unit: "s"},
	{By: "pandas 3.1 `to_json`", Text: `1795332600000`, Unit: "ms"},
	{By: "pandas 3.1 `to_json` with `date_format=\"iso\"`, Node 20", Text: `"2026-11-22T07:30:00.000Z"`},
	{By: "Jackson 2.18, `Instant` and `ZonedDateTime`", Text: `1795332600.000000000`, Unit: "s"},
	{By: "Jackson 2.18, `Date`", Text: `1795332600000`, Unit: "ms"},
	{By: "Jackson 2.18, `LocalDateTime`", Text: `[2026,11,22,7,30]`, Not: "wrong_type"},
	{By: "Jackson 2.18 where dates are text, `Date`", Text: `"2026-11-22T07:30:00.000+00:00"`},
	{By: "Yasson 3.0, `Date` and `ZonedDateTime` in UTC", Text: `"2026-11-22T07:30:00Z[UTC]"`},
	{By: "Yasson 3.0, jiff 0.2, `ZonedDateTime` in Paris", Text: `"2026-11-22T08:30:00+01:00[Europe/Paris]"`},
	{By: "Java 17 `ZonedDateTime.toString`", Text: `"2026-11-22T07:30Z[UTC]"`},
	{By: "Java 17 `Date.toString`", Text: `"Sun Nov 22 07:30:00 UTC 2026"`, Not: "bad_timestamp"},
	{By: "Gson 2.11, `Date`", Text: `"Nov 22, 2026, 7:30:00 AM"`, Not: "bad_timestamp"},
	{By: "Ruby 3.1 json 2.6, `Time` in UTC; BigQuery's export", Text: `"2026-11-22 07:30:00 UTC"`},
	{By: "Ruby 3.1 json 2.6, `Time` in Paris", Text: `"2026-11-22 08:30:00 +0100"`},
	{By: "Rust time 0.3 with serde", Text: `"2026-11-22 07:30:00.0 +00:00:00"`},
	{By: "Rust chrono 0.4 with serde, pydantic 2.14, msgspec 0.22", Text: `"2026-11-22T07:30:00Z"`},
	{By: "Go 1.26 `Time.String`", Text: `"2026-11-22 07:30:00 +0000 UTC"`},
	{By: "Avro's JSON of `timestamp-micros` (fastavro 1.13)", Text: `1795332600000000`, Unit: "us"},
}

// theEvent says that a value is taken for the event in it.
const theEvent = "the event"

// A wrapping is what a program makes of an event as a whole; … stands for the
// event as JSON.
type wrapping struct {
	By   string
	Text string
	Is   string // theEvent, or the reason
}

var wrappings = []wrapping{
	{"Kafka Connect 3.9's JsonConverter", `{"schema":{"type":"struct","fields":[],"optional":false},"payload":…}`, theEvent},
	{"the same, of null with a schema", `{"schema":{"type":"struct","fields":[],"optional":true},"payload":null}`, "tombstone"},
	{"Debezium 3.0, create, update and read", `{"before":null,"after":…,"source":{"db":"d"},"op":"c","ts_ms":1795332600000,"ts_us":1795332600000000,"ts_ns":1795332600000000000,"transaction":null}`, theEvent},
	{"Debezium 3.0, delete", `{"before":…,"after":null,"source":{"db":"d"},"op":"d","ts_ms":1795332600000,"ts_us":1795332600000000,"ts_ns":1795332600000000000,"transaction":null}`, "deleted"},
	{"a structured CloudEvent (Python cloudevents 1.13)", `{"specversion": "1.0", "id": "7e35c76c-089f-4519-b09b-1b58a29265e1", "source": "/stations", "type": "io.x.incident", "time": "2026-11-28T19:34:57.948990+00:00", "data": …}`, theEvent},
	{"Python 3.11 with `utf-8-sig`: a byte order mark first", "\ufeff…", theEvent},
	{"Protobuf's JSON (Python protobuf 7.36)", `{"trainId": "x", "passengers": "412", "timestamp": "2026-11-22T07:30:00Z"}`, "missing_field"},
	{"ksqlDB's style", `{"ID": "x", "TYPE": "Technique", "STATION": "Station B"}`, "missing_field"},
}
