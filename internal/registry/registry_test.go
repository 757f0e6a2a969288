package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stationflow/stationflow/event/payload"
	"github.com/stationflow/stationflow/internal/env"
)

// A fake answers paths with bodies; others are 404. A body that is a number is
// a status.
type fake struct {
	mu      sync.Mutex
	answers map[string]string
	asked   map[string]int
	late    map[string]int // which of the requests for a path is the first to find something
	gate    chan struct{}  // where set, each request waits for it
}

func (f *fake) set(path, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[path] = body
}

func (f *fake) count(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[path]
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.asked[r.URL.Path]++
	body, ok := f.answers[r.URL.Path]
	ok = ok && f.asked[r.URL.Path] >= f.late[r.URL.Path]
	f.mu.Unlock()
	if f.gate != nil {
		<-f.gate
	}
	if !ok {
		body = ""
	}
	var status int
	if n, _ := fmt.Sscanf(body, "%d", &status); n == 1 {
		w.WriteHeader(status)
		return
	}
	if !ok && strings.HasPrefix(r.URL.Path, "/schemas/ids/") {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error_code":40403,"message":"Schema not found"}`)
		return
	}
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	fmt.Fprint(w, body)
}

func start(t *testing.T, answers map[string]string, change func(*Config)) (*fake, *Client) {
	t.Helper()
	f := &fake{answers: answers, asked: map[string]int{}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	config := Config{URLs: []string{server.URL}, Patience: time.Nanosecond, Again: time.Hour}
	if change != nil {
		change(&config)
	}
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return f, c
}

func answer(text, kind, more string) string {
	quoted, _ := json.Marshal(text)
	if kind != "" {
		more += fmt.Sprintf(`,"schemaType":%q`, kind)
	}
	return fmt.Sprintf(`{"schema":%s%s}`, quoted, more)
}

const record = `{"type":"record","name":"R","fields":[{"name":"id","type":"string"}]}`

// Schemas are asked for once, by id or GUID, with and without a type.
func TestResolve(t *testing.T) {
	const guid = "1ed0fc5c-2a7b-4c3d-8e9f-001122334455"
	f, c := start(t, map[string]string{
		"/schemas/ids/7":           answer(record, "", ""),
		"/schemas/ids/8":           answer(`syntax = "proto3"; message M {}`, "PROTOBUF", ""),
		"/schemas/ids/9":           answer(`{}`, "JSON", ""),
		"/schemas/ids/10":          answer(`{"type":"nothing"}`, "AVRO", ""),
		"/schemas/guids/" + guid:   answer(record, "AVRO", ""),
		"/schemas/types":           `["AVRO"]`,
		"/schemas/guids/elsewhere": "404",
	}, nil)
	ids := []string{"7", "8", "9", "10", "11", guid, "elsewhere"}
	for range 3 {
		found, err := c.Resolve(t.Context(), ids)
		if err != nil || len(found) != 5 {
			t.Fatalf("%v, %v", found, err)
		}
		for id, want := range map[string]payload.Format{"7": payload.AvroFormat, "8": payload.ProtobufFormat, "9": payload.JSONFormat, guid: payload.AvroFormat} {
			if s := found[id]; s == nil || s.Parsed == nil || s.Parsed.Format != want {
				t.Errorf("%s is %+v, want %s", id, s, want)
			}
		}
		if s := found["10"]; s == nil || s.Fault == nil || !strings.Contains(s.Fault.Error(), "as AVRO") {
			t.Errorf("a schema that is none is %+v", s)
		}
	}
	for _, path := range []string{"/schemas/ids/7", "/schemas/ids/10", "/schemas/ids/11", "/schemas/guids/" + guid, "/schemas/guids/elsewhere"} {
		if n := f.count(path); n != 1 {
			t.Errorf("%s was asked for %d times", path, n)
		}
	}
}

// What a schema refers to comes with it.
func TestResolve_References(t *testing.T) {
	const refers = `,"references":[{"name":"place.proto","subject":"place","version":2}]`
	f, c := start(t, map[string]string{
		"/schemas/ids/7":               answer(`syntax = "proto3"; import "place.proto"; message M { Place place = 1; }`, "PROTOBUF", refers),
		"/subjects/place/versions/2":   answer(`syntax = "proto3"; import "dock.proto"; message Place { Dock dock = 1; }`, "PROTOBUF", `,"references":[{"name":"dock.proto","subject":"dock","version":1}]`),
		"/subjects/dock/versions/1":    answer(`syntax = "proto3"; message Dock {}`, "PROTOBUF", ""),
		"/schemas/ids/8":               answer(record, "", `,"references":[{"name":"x","subject":"circle","version":1}]`),
		"/subjects/circle/versions/1":  answer(record, "", `,"references":[{"name":"y","subject":"circle","version":1},{"name":"z","subject":"circle","version":1}]`),
		"/schemas/ids/9":               answer(record, "", `,"references":[{"name":"x","subject":"gone","version":1}]`),
		"/subjects/gone/versions/1":    "404",
		"/schemas/types":               `["AVRO"]`,
		"/subjects/unused/versions/99": "500",
	}, nil)
	found, err := c.Resolve(t.Context(), []string{"7", "8", "9"})
	if err != nil {
		t.Fatal(err)
	}
	if s := found["7"]; s == nil || s.Fault != nil {
		t.Errorf("with references: %+v", s)
	}
	if s := found["8"]; s == nil || s.Fault == nil {
		t.Errorf("with references in a circle: %+v", s)
	}
	if s := found["9"]; s != nil {
		t.Errorf("with a reference to nothing: %+v", s)
	}
	if n := f.count("/subjects/circle/versions/1"); n > 2*maxReferences {
		t.Errorf("the circle was followed %d times", n)
	}
}

// Many callers are one request.
func TestResolve_OneFlight(t *testing.T) {
	f, c := start(t, map[string]string{"/schemas/ids/7": answer(record, "", "")}, nil)
	f.gate = make(chan struct{})
	var done sync.WaitGroup
	var got atomic.Int32
	for range 50 {
		done.Go(func() {
			if found, err := c.Resolve(context.Background(), []string{"7"}); err == nil && found["7"].Parsed != nil {
				got.Add(1)
			}
		})
	}
	close(f.gate)
	done.Wait()
	if n := f.count("/schemas/ids/7"); got.Load() != 50 || n != 1 {
		t.Errorf("%d of 50 have the schema, after %d requests", got.Load(), n)
	}
}

// A schema that is not there is waited for, once; it is asked for again later.
func TestResolve_Patience(t *testing.T) {
	f, c := start(t, map[string]string{"/schemas/ids/7": answer(record, "", "")}, func(c *Config) { c.Patience, c.Again = 10*time.Second, time.Nanosecond })
	f.late = map[string]int{"/schemas/ids/7": 2}
	found, err := c.Resolve(t.Context(), []string{"7"})
	if err != nil || found["7"] == nil || f.count("/schemas/ids/7") < 2 {
		t.Errorf("%v, %v after %d requests", found, err, f.count("/schemas/ids/7"))
	}
	c.config.Patience = time.Nanosecond
	if found, err := c.Resolve(t.Context(), []string{"8"}); err != nil || found["8"] != nil {
		t.Errorf("%v, %v", found, err)
	}
	f.set("/schemas/ids/8", answer(record, "", ""))
	if found, err := c.Resolve(t.Context(), []string{"8"}); err != nil || found["8"] == nil {
		t.Errorf("asked again: %v, %v", found, err)
	}
}

// An answer that says nothing about a schema is an outage, with a sentence, and is not
// remembered.
func TestResolve_Outage(t *testing.T) {
	for body, want := range map[string]struct {
		refused bool
		text    string
	}{
		"401":          {true, "refuses the user (status 401): correct SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD"},
		"403":          {true, "refuses the user (status 403)"},
		"404":          {true, "there is no schema registry at "},
		"500":          {false, "answers status 500"},
		"503":          {false, "answers status 503"},
		"429":          {false, "answers status 429"},
		"<html></html": {false, "invalid character"},
	} {
		f, c := start(t, map[string]string{"/schemas/ids/7": body}, nil)
		for range 2 {
			_, err := c.Resolve(t.Context(), []string{"7"})
			var outage *Outage
			if !errors.As(err, &outage) || outage.Refused != want.refused || !strings.Contains(err.Error(), want.text) {
				t.Errorf("%s: %v, want %s", body, err, want.text)
			}
		}
		f.set("/schemas/ids/7", answer(record, "", ""))
		if found, err := c.Resolve(t.Context(), []string{"7"}); err != nil || found["7"] == nil {
			t.Errorf("after %s: %v, %v", body, found, err)
		}
	}
	c, err := New(Config{URLs: []string{"http://127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	var outage *Outage
	if _, err := c.Resolve(t.Context(), []string{"7"}); !errors.As(err, &outage) || outage.Refused || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("nobody listens: %v", err)
	}
}

// An answer that is too long makes a schema that cannot be used, no outage.
func TestResolve_TooLong(t *testing.T) {
	_, c := start(t, map[string]string{
		"/schemas/ids/7": answer(strings.Repeat("x", maxAnswerBytes), "", ""),
		"/schemas/ids/8": answer(strings.Repeat(" ", 2<<20)+record, "", ""),
	}, nil)
	found, err := c.Resolve(t.Context(), []string{"7", "8"})
	if err != nil || found["7"] == nil || found["7"].Fault == nil || found["8"] == nil || found["8"].Fault == nil {
		t.Errorf("%v, %v", found, err)
	}
}

func TestRecent(t *testing.T) {
	r := newRecent[string](10)
	for _, key := range []string{"a", "b", "c"} {
		r.put(key, key, 4)
	}
	if _, ok := r.get("a"); ok || r.size != 8 {
		t.Errorf("the first is still there, size %d", r.size)
	}
	r.get("b")
	r.put("d", "d", 4)
	if _, ok := r.get("c"); ok {
		t.Error("the one not used is still there")
	}
	r.put("b", "b2", 6)
	if v, _ := r.get("b"); v != "b2" || r.size != 10 {
		t.Errorf("b is %s, size %d", v, r.size)
	}
	r.put("large", "x", 100)
	if _, ok := r.get("large"); !ok || r.order.Len() != 1 {
		t.Error("the only one does not stay")
	}
}

func TestFromEnv(t *testing.T) {
	for _, test := range []struct{ url, user, password, fault string }{
		{"", "", "", ""},
		{"http://127.0.0.1:8081/apis/ccompat/v7", "", "", ""},
		{"https://a,https://b", "u", "p", ""},
		{"127.0.0.1:8081", "", "", `has "127.0.0.1:8081": write http://host:port`},
		{"https://u:secret@a", "", "", `has "…@a"`},
		{"https://a", "u", "", "go together"},
	} {
		r := env.NewReader(func(name string) string {
			return map[string]string{"SCHEMA_REGISTRY_URL": test.url, "SCHEMA_REGISTRY_USERNAME": test.user, "SCHEMA_REGISTRY_PASSWORD": test.password}[name]
		})
		config := FromEnv(r)
		switch err := r.Err(); {
		case test.fault == "" && (err != nil || (config == nil) != (test.url == "")):
			t.Errorf("%+v: %v, %v", test, config, err)
		case test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault)):
			t.Errorf("%+v: %v", test, err)
		}
	}
}
