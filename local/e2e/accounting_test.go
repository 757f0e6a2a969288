package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/sql"
)

// A coordinate is the identity of a record; the topic id is the same for all
// records of a topic within one test.
type coordinate struct {
	topic     string
	partition int64
	offset    int64
}

func (m message) coordinate() coordinate {
	return coordinate{m.topic, int64(m.partition), m.offset}
}

// Every good record is in staging once, with its values, and every bad one in
// quarantine with its bytes, its coordinates and the reason.
func TestAccounting(t *testing.T) {
	t.Parallel()
	good := 50_000
	if testing.Short() {
		good = 5_000
	}
	system := up(t, []string{"BRIDGE_LAKE_AGE=5s"}) // a minute teaches no more
	sent, reasons := mix(t, goodEvents(t, good), good/100)
	send(t, producer(t, system.Kafka), sent)

	system.awaitRecords(len(sent))
	system.checkStaging(sent, reasons)
	system.checkQuarantine(sent, reasons)
	system.checkLedger(len(sent))
	checkReaders(t, system, sent, reasons)
	system.stop()
}

// mix puts bad records at random places among the good ones and says which
// messages must be quarantined, and why.
func mix(t *testing.T, good []message, bad int) ([]message, map[int]event.Reason) {
	t.Helper()
	small, large := faults()
	random := rand.New(rand.NewPCG(1, 2))
	place := map[int]fault{}
	for i := range bad {
		f := small[i%len(small)]
		if i < 2*len(large) {
			f = large[i%len(large)]
		}
		for {
			at := random.IntN(len(good) + bad)
			if _, taken := place[at]; !taken {
				place[at] = f
				break
			}
		}
	}
	var sent []message
	reasons := map[int]event.Reason{}
	for len(sent) < len(good)+bad {
		i := len(sent)
		if f, spoiled := place[i]; spoiled {
			reasons[i] = f.reason
			sent = append(sent, message{topic: f.topic, key: fmt.Appendf(nil, "bad-%d", i), value: f.value(i)})
			continue
		}
		sent = append(sent, good[i-len(reasons)])
	}
	return sent, reasons
}

// landed counts the distinct coordinates in staging and quarantine.
func (l *local) landed() (int, error) {
	rows, err := l.tryQuery(sql.Ledger)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, row := range rows {
		total += int(row[5].(int64))
	}
	return total, nil
}

// awaitRecords waits until so many distinct records have landed. It asks the
// dashboard, which counts without scanning, before it asks the warehouse.
func (l *local) awaitRecords(n int) {
	l.t.Helper()
	eventually(l.t, fmt.Sprintf("%d records have landed", n), func() error {
		if rows := l.appendedRows(); rows < n {
			return fmt.Errorf("%d rows were appended", rows)
		}
		landed, err := l.landed()
		if err == nil && landed != n {
			err = fmt.Errorf("%d of %d records have landed", landed, n)
		}
		return err
	})
}

func (l *local) checkLedger(n int) {
	l.t.Helper()
	for _, row := range l.query(sql.Ledger) {
		if missing := row[9].(int64); missing != 0 || row[3].(int64) != 0 {
			l.t.Errorf("ledger of %v/%v: first offset %v, %d missing, want 0 and 0", row[0], row[2], row[3], missing)
		}
	}
	if landed, err := l.landed(); err != nil || landed != n {
		l.t.Errorf("the ledger accounts for %d records (%v), want %d", landed, err, n)
	}
}

func (l *local) checkStaging(sent []message, reasons map[int]event.Reason) {
	l.t.Helper()
	want := map[string]map[coordinate][]byte{}
	for _, topic := range event.Topics() {
		want[topic] = map[coordinate][]byte{}
	}
	for i, m := range sent {
		if reasons[i] == "" {
			want[m.topic][m.coordinate()] = m.value
		}
	}
	for topic, records := range want {
		schema, _ := event.SchemaOf(topic)
		names := make([]string, 0, len(schema.Columns))
		for _, column := range schema.Columns {
			names = append(names, "`"+column.Name+"`")
		}
		seen := map[coordinate]bool{}
		for _, row := range l.query("select kafka_partition, kafka_offset, kafka_topic, extra, " + strings.Join(names, ", ") + " from " + l.StagingDataset + "." + topic) {
			at := coordinate{row[2].(string), row[0].(int64), row[1].(int64)}
			value, expected := records[at]
			if !expected {
				l.t.Errorf("%v is in staging, but it is not a good record", at)
				continue
			}
			if !seen[at] { // a second row is a redelivery, which the views drop
				l.checkValues(at, schema, value, row[4:])
			}
			seen[at] = true
		}
		if len(seen) != len(records) {
			l.t.Errorf("%s: %d of %d good records are in staging", topic, len(seen), len(records))
		}
	}
}

func (l *local) checkValues(at coordinate, schema *event.Schema, value []byte, row []bigquery.Value) {
	l.t.Helper()
	fields := object(l.t, value)
	for i, column := range schema.Columns {
		if want, got := fields[column.Name], row[i]; !same(want, got) {
			l.t.Errorf("%v %s: staging has %#v, the event %#v", at, column.Name, got, want)
		}
	}
}

// same compares a field of an event with a value from the warehouse.
func same(want any, got bigquery.Value) bool {
	switch got := got.(type) {
	case nil:
		return want == nil
	case string:
		return want == got
	case int64, float64:
		number, isNumber := want.(json.Number)
		w, ok := new(big.Float).SetString(string(number))
		if !isNumber || !ok {
			return false
		}
		exact, _ := w.Float64()
		if n, isInt := got.(int64); isInt {
			return exact == float64(n)
		}
		return exact == got.(float64)
	case time.Time:
		text, _ := want.(string)
		at, err := time.Parse(time.RFC3339Nano, text)
		return err == nil && at.Equal(got)
	}
	return false
}

func (l *local) checkQuarantine(sent []message, reasons map[int]event.Reason) {
	l.t.Helper()
	want := map[coordinate]int{}
	for i := range reasons {
		want[sent[i].coordinate()] = i
	}
	seen := map[coordinate]bool{}
	for _, row := range l.query("select kafka_topic, kafka_partition, kafka_offset, key, value, reason, detail from " + l.StagingDataset + ".quarantine") {
		at := coordinate{row[0].(string), row[1].(int64), row[2].(int64)}
		i, expected := want[at]
		if !expected {
			l.t.Errorf("%v is in quarantine for %v: %v, but it is a good record", at, row[5], row[6])
			continue
		}
		seen[at] = true
		if got := row[5].(string); got != string(reasons[i]) {
			l.t.Errorf("%v is in quarantine for %s (%v), want %s; its value begins %.80q", at, got, row[6], reasons[i], sent[i].sent())
		}
		key, _ := row[3].([]byte)
		value, _ := row[4].([]byte)
		if uri, _ := row[6].(string); strings.HasPrefix(uri, "gs://") {
			value = l.object(uri)
		}
		if !bytes.Equal(key, sent[i].key) || !bytes.Equal(value, sent[i].sent()) {
			l.t.Errorf("%v (%s): quarantine has key %.60q and %d bytes, want %.60q and %d bytes", at, reasons[i], key, len(value), sent[i].key, len(sent[i].sent()))
		}
	}
	if len(seen) != len(want) {
		l.t.Errorf("%d of %d bad records are in quarantine", len(seen), len(want))
	}
}

// object reads an object of the lake by its gs:// URI.
func (l *local) object(uri string) []byte {
	l.t.Helper()
	name := strings.TrimPrefix(uri, "gs://"+l.Bucket+"/")
	body, err := get(l.Storage + "/storage/v1/b/" + l.Bucket + "/o/" + url.PathEscape(name) + "?alt=media")
	if err != nil {
		l.t.Fatalf("reading %s: %v", uri, err)
	}
	return body
}

// objects lists the names of the lake's objects below a prefix.
func (l *local) objects(prefix string) []string {
	l.t.Helper()
	var names []string
	for token := ""; ; {
		response, err := http.Get(l.Storage + "/storage/v1/b/" + l.Bucket + "/o?prefix=" + url.QueryEscape(prefix) + "&pageToken=" + url.QueryEscape(token))
		if err != nil {
			l.t.Fatal(err)
		}
		var page struct {
			Items         []struct{ Name string }
			NextPageToken string
		}
		err = json.NewDecoder(io.LimitReader(response.Body, 64<<20)).Decode(&page)
		response.Body.Close()
		if err != nil {
			l.t.Fatal(err)
		}
		for _, item := range page.Items {
			names = append(names, item.Name)
		}
		if token = page.NextPageToken; token == "" {
			return names
		}
	}
}
