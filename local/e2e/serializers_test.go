package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A language is a program that serializes with the stock clients of one.
type language struct {
	name    string
	command []string
	ways    []string // in which any registry serves it
	headers []string // in which a registry must tell a schema's GUID
	missing string   // what is not there, and who brings it; "" else
}

// languages returns those of folder serializers.
func languages(t *testing.T) []language {
	t.Helper()
	python := os.Getenv("STATIONFLOW_REGISTRY_PYTHON")
	confluent, inHeader := []string{"avro", "protobuf", "json"}, []string{"avro-header", "protobuf-header", "json-header"}
	all := []language{
		{name: "Python", command: []string{python, "serializers.py"}, ways: confluent, headers: inHeader},
		{name: "Node", command: []string{"node", "serializers.mjs"}, headers: inHeader,
			ways: append([]string{"avro-kafkajs", "protobuf-kafkajs", "json-kafkajs"}, confluent...)},
		{name: "Java", command: []string{"java", "-cp", filepath.Join("target", "jars", "*") + string(os.PathListSeparator) + schemasFolder(t), "Serializers.java"},
			ways: []string{"avro", "protobuf", "json", "avro-header", "protobuf-header", "json-header", "avro-long", "json-long", "avro-text"}},
	}
	if python == "" {
		all[0].missing = "STATIONFLOW_REGISTRY_PYTHON does not name a Python with local/e2e/serializers/requirements.txt installed"
	}
	for i, folder := range map[int]string{1: "node_modules", 2: filepath.Join("target", "jars")} {
		if _, err := os.Stat(filepath.Join("serializers", folder)); err != nil {
			all[i].missing = "local/e2e/serializers/" + folder + " is not there: make registry fetches it"
		}
	}
	return all
}

// realRegistry is the address of one; without it the test is skipped.
func realRegistry(t *testing.T) string {
	t.Helper()
	address := os.Getenv("STATIONFLOW_REGISTRY_URL")
	if address == "" {
		t.Skip("STATIONFLOW_REGISTRY_URL does not name a registry: see make registry")
	}
	return address
}

func schemasFolder(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs("../../event/schemas")
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// serialize has the program write each event in one of the ways, in turn.
func (l *language) serialize(t *testing.T, registry string, events []*message, ways func(i int) []string) {
	t.Helper()
	var lines, said bytes.Buffer
	for i, m := range events {
		fmt.Fprintf(&lines, "%s\t%s\t%s\n", ways(i)[i%len(ways(i))], m.topic, m.value)
	}
	command := exec.CommandContext(t.Context(), l.command[0], append(l.command[1:len(l.command):len(l.command)], registry, schemasFolder(t))...)
	command.Dir, command.Stdin, command.Stderr = "serializers", &lines, &said
	output, err := command.Output()
	if err != nil {
		t.Fatalf("serializing in %s: %v: %.4000s", l.name, err, said.Bytes())
	}
	decoder := json.NewDecoder(bytes.NewReader(output))
	for i, m := range events {
		var written struct {
			Value   []byte
			Headers map[string][]byte
		}
		if err := decoder.Decode(&written); err != nil {
			t.Fatalf("%s wrote %d of %d events: %v", l.name, i, len(events), err)
		}
		m.wire = written.Value
		for name, value := range written.Headers {
			m.headers = append(m.headers, kgo.RecordHeader{Key: name, Value: value})
		}
	}
}

// One topic holds what the stock serializers of three languages write in each of
// their formats and framings, through a real registry, with faults of each kind
// among it, while ingest loses the registry and its password: see
// holdThroughOutages.
func TestRegistry_SerializersOfThreeLanguages(t *testing.T) {
	real := realRegistry(t)
	at, err := url.Parse(real)
	if err != nil {
		t.Fatal(err)
	}
	all := languages(t)
	for _, l := range all {
		if l.missing != "" {
			t.Skip(l.missing)
		}
	}
	s := startSwitchboard(t, httputil.NewSingleHostReverseProxy(at))
	system := s.up(t)
	events := arrivals(t, 10_000)
	reasons := s.spoil(t, events)
	for n, l := range all {
		var own []*message
		first := 0 // how many of them are early
		for i := range events {
			if i%len(all) != n || reasons[i] != "" {
				continue
			}
			if own = append(own, &events[i]); early(events, i) {
				first++
			}
		}
		registry := real
		if l.name == "Java" { // Apicurio's serializers use its own API
			registry = strings.Replace(real, "/apis/ccompat/v7", "/apis/registry/v3", 1)
		}
		l.serialize(t, registry, own, func(i int) []string {
			if i < first {
				return without(l.ways, "protobuf")
			}
			return l.ways
		})
	}
	s.holdThroughOutages(t, system, events, reasons)
}

func without(ways []string, format string) (left []string) {
	for _, way := range ways {
		if !strings.HasPrefix(way, format) {
			left = append(left, way)
		}
	}
	return left
}

// The local registry serves Confluent's serializers and KafkaJS's, also where they
// name the schema in a header: events of all topics are read as they are in JSON.
func TestRegistry_LocalServesSerializers(t *testing.T) {
	realRegistry(t) // not asked, but it says that make registry runs
	for _, l := range languages(t)[:2] {
		t.Run(l.name, func(t *testing.T) {
			if l.missing != "" {
				t.Skip(l.missing)
			}
			system := up(t, nil)
			events := goodEvents(t, 3000)
			ways := append(l.ways[:len(l.ways):len(l.ways)], l.headers...)
			var own []*message
			for i := range events {
				own = append(own, &events[i])
			}
			l.serialize(t, system.SchemaRegistry, own, func(int) []string { return ways })
			send(t, producer(t, system.Kafka), events)
			system.awaitRecords(len(events))
			system.checkStaging(events, nil)
			system.checkQuarantine(events, nil)
			system.checkSchemas(events, nil)
			system.stop()
		})
	}
}
