package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stationflow/stationflow/event"
	"github.com/stationflow/stationflow/internal/ledger"
)

// trace returns what the tool says of a record, and its exit code.
func (l *local) trace(args ...string) (traces []*ledger.Trace, code int) {
	l.t.Helper()
	out, faults, code := l.tool(append([]string{"trace", "--json", "--wait", "500ms"}, args...)...)
	var said struct{ Records []*ledger.Trace }
	if err := json.Unmarshal([]byte(out), &said); err != nil || code > 1 || !strings.Contains(faults, "to read: ") {
		l.t.Fatalf("stationflow trace %v ended with %d: %v\n%s%s", args, code, err, out, faults)
	}
	return said.Records, code
}

func (c coordinate) String() string { return fmt.Sprintf("%s/%d/%d", c.topic, c.partition, c.offset) }

// checkTraces follows records of a system in which all is well.
func checkTraces(t *testing.T, system *local, sent []message, reasons map[int]event.Reason) {
	t.Helper()
	system.transform()
	find := func(good bool) message {
		for i, m := range sent {
			if (reasons[i] == "") == good && m.key != nil && (m.topic == "train_arrivals" || !good) {
				return m
			}
		}
		t.Fatal("there is none")
		panic("unreachable")
	}
	good := find(true)
	traces, code := system.trace(good.coordinate().String())
	if code != 0 || len(traces) != 1 {
		t.Fatalf("%v: ended with %d, %d traces", good.coordinate(), code, len(traces))
	}
	one := traces[0]
	switch {
	case one.State != ledger.InStaging, one.Kafka == nil || !one.Kafka.Held || !one.Kafka.HandedOn || one.Kafka.At == nil || *one.Kafka.Key != string(good.key),
		len(one.Rows) == 0 || one.Rows[0].BatchID == "" || *one.Rows[0].Key != string(good.key) || one.Rows[0].At.Before(*one.Kafka.At),
		len(one.Lake) == 0 || !strings.HasPrefix(one.Lake[0].Name, "raw/train_arrivals/dt="),
		one.Marts == nil || !one.Marts.Included || one.Marts.At == nil || !slices.Contains(one.Marts.Models, "train_dashboard"):
		t.Errorf("the trace of %v is %+v\nKafka %+v\nmarts %+v", good.coordinate(), one, one.Kafka, one.Marts)
	}
	for _, by := range []string{"--id", "--key"} {
		traces, code := system.trace(by, string(good.key))
		if code != 0 || !slices.ContainsFunc(traces, func(t *ledger.Trace) bool { return t.Topic == good.topic && t.Offset == good.offset }) {
			t.Errorf("%s %s: ended with %d, %d traces", by, good.key, code, len(traces))
		}
	}
	bad := find(false)
	if traces, code := system.trace(bad.coordinate().String()); code != 0 || traces[0].State != ledger.InQuarantine || traces[0].Quarantine[0].Reason == "" {
		t.Errorf("%v: ended with %d: %+v", bad.coordinate(), code, traces[0])
	}
	if traces, code := system.trace("train_arrivals/0/999999"); code != 1 || traces[0].State != ledger.IsUnknown {
		t.Errorf("an offset that Kafka has not come to: ended with %d: %+v", code, traces[0])
	}
	out, _, code := system.tool("trace", "--wait", "100ms", good.coordinate().String())
	if code != 0 || strings.Count(out, "\n") != 5 {
		t.Errorf("ended with %d, wrote\n%s", code, out)
	}
	for _, args := range [][]string{{"trace"}, {"trace", "incidents"}, {"trace", "incidents/x/1"}, {"trace", "--id", "a", "incidents/1/2"}} {
		if _, faults, code := system.tool(args...); code != 2 || strings.Count(faults, "\n") != 1 {
			t.Errorf("%v ended with %d: %s", args, code, faults)
		}
	}
}
