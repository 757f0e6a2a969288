// Package alerttest tests the function alert against an emulator of Cloud
// Storage and real webhooks.
package alerttest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"github.com/fsouza/fake-gcs-server/fakestorage"
	"google.golang.org/api/option"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/functions/alert"
)

const (
	bucket  = "lake"
	secret  = "s3cret"
	topicID = "0f9b3c52-7c1e-4b4e-9d5a-4b1f0a6d2c11"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// A lab is a bucket, a webhook, and instances of the function.
type lab struct {
	server *fakestorage.Server
	front  *httptest.Server
	hook   *httptest.Server
	now    atomic.Pointer[time.Time]

	// refuse lets a test answer a request to Cloud Storage with an error; it is
	// asked before the request is served, and answered answers after.
	refuse atomic.Pointer[func(*http.Request) bool]

	mu       sync.Mutex
	got      []alert.Notification
	answer   func(http.ResponseWriter, *http.Request) // of the webhook; nil for 204
	received int
}

func newLab(t *testing.T) *lab {
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, PublicHost: "nowhere"})
	if err != nil {
		t.Fatal(err)
	}
	server.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucket})
	l := &lab{server: server}
	l.now.Store(&noon)
	l.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuse := l.refuse.Load(); refuse != nil && (*refuse)(r) {
			http.Error(w, "away", http.StatusServiceUnavailable)
			return
		}
		server.HTTPHandler().ServeHTTP(w, r)
	}))
	l.hook = httptest.NewServer(http.HandlerFunc(l.take))
	t.Cleanup(l.front.Close)
	t.Cleanup(l.hook.Close)
	return l
}

// take is the webhook.
func (l *lab) take(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.received++
	if l.answer != nil {
		l.answer(w, r)
		return
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	var n alert.Notification
	if err := json.Unmarshal(body, &n); err != nil || r.Header.Get(alert.SignatureHeader) != "sha256="+hex.EncodeToString(mac.Sum(nil)) ||
		r.Header.Get(alert.KeyHeader) != n.Key {
		http.Error(w, "not signed", http.StatusBadRequest)
		return
	}
	l.got = append(l.got, n)
	w.WriteHeader(http.StatusNoContent)
}

// taken returns what the webhook has taken, and attempts how often it was
// asked.
// newest are the marks of a period.
func (l *lab) newest(t *testing.T, from, to time.Time, most ...int) []alert.Mark {
	t.Helper()
	client, err := storage.NewClient(t.Context(), storage.WithJSONReads(), option.WithEndpoint(l.front.URL+"/storage/v1/"), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	marks, err := alert.Newest(t.Context(), client.Bucket(bucket), from, to, append(most, 100)[0])
	if err != nil {
		t.Fatal(err)
	}
	return marks
}

func (l *lab) taken() []alert.Notification {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.got)
}

func (l *lab) attempts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.received
}

func (l *lab) answers(with func(http.ResponseWriter, *http.Request)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = with
}

// told is what the webhook has taken, by key.
func (l *lab) told() []string {
	var keys []string
	for _, n := range l.taken() {
		keys = append(keys, n.Key)
	}
	slices.Sort(keys)
	return keys
}

// instance is one of the function's, which shares nothing with others but the
// bucket.
func (l *lab) instance(t *testing.T, change ...func(*alert.Config)) *alert.Watch {
	t.Helper()
	c := alert.Config{
		Bucket: bucket, Project: "p", Webhook: l.hook.URL + "/hook", WebhookSecret: secret,
		Late: time.Hour, Timeout: 10 * time.Second,
		Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return *l.now.Load() },
		StorageOptions: []option.ClientOption{option.WithEndpoint(l.front.URL + "/storage/v1/"), option.WithoutAuthentication()},
	}
	for _, f := range change {
		f(&c)
	}
	w, err := alert.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// deliver posts the batch to the function as a push subscription does.
func deliver(t *testing.T, w *alert.Watch, b *batch.Batch) int {
	t.Helper()
	e, err := b.Event(noon, "")
	if err != nil {
		t.Error(err)
		return 0
	}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(e.Data())))
	for name, value := range batch.Attributes(e) {
		r.Header.Set(name, value)
	}
	answer := httptest.NewRecorder()
	w.ServeHTTP(answer, r)
	return answer.Code
}

func batchOf(topic string, lane batch.Lane, values ...string) *batch.Batch {
	b := &batch.Batch{ClusterID: "c", Topic: topic, TopicID: topicID, Lane: lane}
	for i, value := range values {
		b.Records = append(b.Records, batch.Record{Partition: 3, Offset: 100 + int64(i), Timestamp: noon.UnixMilli(), Value: []byte(value)})
	}
	return b
}

func incident(severity string, at time.Time, minutes int) string {
	return fmt.Sprintf(`{"id":"i","type":"Fire","station":"Station B","location":"Platform 2","timestamp":%q,"severity":%q,"duration":%d}`,
		at.Format(time.RFC3339), severity, minutes)
}

func failure(at time.Time, minutes int) string {
	return fmt.Sprintf(`{"id":"f","equipment":"Lift","station":"Station C","location":"Exit","timestamp":%q,"duration":%d}`, at.Format(time.RFC3339), minutes)
}

func key(topic string, offset int) string {
	return fmt.Sprintf("%s-0f9b3c52-00003-%020d", topic, offset)
}

func TestAlert_Rules(t *testing.T) {
	const open, closed = alert.Open, alert.Closed
	for name, c := range map[string]struct {
		topic, value string
		lane         batch.Lane
		state        string // "" for nobody told
		text         string
	}{
		"major":             {"incidents", incident("Major", noon.Add(-time.Minute), 30), batch.RowsLane, open, "Major incident at Station B, Platform 2: Fire"},
		"both lanes":        {"incidents", incident("Major", noon, 30), batch.BothLanes, open, "Major incident at Station B, Platform 2: Fire"},
		"the other lane":    {"incidents", incident("Major", noon, 30), batch.LakeLane, "", ""},
		"minor":             {"incidents", incident("Minor", noon, 30), batch.RowsLane, "", ""},
		"failure":           {"equipment_failures", failure(noon, 5), batch.RowsLane, open, "Out of order at Station C, Exit: Lift"},
		"just over":         {"incidents", incident("Major", noon.Add(-30*time.Minute), 30), batch.RowsLane, closed, "Major incident at Station B, Platform 2: Fire"},
		"long over":         {"incidents", incident("Major", noon.Add(-2*time.Hour), 30), batch.RowsLane, "", ""},
		"long ago and open": {"incidents", incident("Major", noon.Add(-2*time.Hour), 150), batch.RowsLane, open, "Major incident at Station B, Platform 2: Fire"},
		"very long":         {"equipment_failures", failure(noon, 1<<52), batch.RowsLane, open, "Out of order at Station C, Exit: Lift"},
		"another topic":     {"train_arrivals", incident("Major", noon, 30), batch.RowsLane, "", ""},
		"unknown severity":  {"incidents", incident("Huge", noon, 30), batch.RowsLane, "", ""},
		"negative":          {"incidents", incident("Major", noon, -1), batch.RowsLane, "", ""},
		"far ahead":         {"incidents", incident("Major", noon.Add(25*time.Hour), 30), batch.RowsLane, "", ""},
		"no JSON":           {"incidents", "Major", batch.RowsLane, "", ""},
		"lacks a field":     {"incidents", strings.Replace(incident("Major", noon, 30), `"location"`, `"place"`, 1), batch.RowsLane, "", ""},
		"doubled key":       {"incidents", strings.Replace(incident("Major", noon, 30), `"id":"i"`, `"id":"i","id":"j"`, 1), batch.RowsLane, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			if code := deliver(t, l.instance(t), batchOf(c.topic, c.lane, c.value)); code != http.StatusOK {
				t.Fatalf("answer %d", code)
			}
			if c.state == "" {
				if len(l.taken()) != 0 {
					t.Errorf("told %v, want nobody told", l.taken())
				}
				return
			}
			if len(l.taken()) != 1 || l.taken()[0].State != c.state || l.taken()[0].Text != c.text || l.taken()[0].Key != key(c.topic, 100) {
				t.Errorf("told %+v, want one that is %s, with %q", l.taken(), c.state, c.text)
			}
		})
	}
}

// Delivered again, also to another instance, the same is not told again.
func TestAlert_DeliveredTwiceToldOnce(t *testing.T) {
	l := newLab(t)
	b := batchOf("incidents", batch.RowsLane, incident("Major", noon, 30), incident("Minor", noon, 30), incident("Major", noon, 20))
	for range 2 {
		w := l.instance(t)
		for range 2 {
			if code := deliver(t, w, b); code != http.StatusOK {
				t.Fatalf("answer %d", code)
			}
		}
	}
	if got, want := l.told(), []string{key("incidents", 100), key("incidents", 102)}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	if n := l.taken()[0]; !n.EndsAt.Equal(n.BeganAt.Add(time.Duration(n.Event["duration"].(float64) * float64(time.Minute)))) {
		t.Errorf("ends at %v", n.EndsAt)
	}
}

// Delivered to two instances at once, one of them tells; the other asks for
// another delivery, which finds it told.
func TestAlert_TwoInstancesAtOnce(t *testing.T) {
	l := newLab(t)
	b := batchOf("incidents", batch.RowsLane, incident("Major", noon, 30))
	inside, goOn := make(chan struct{}), make(chan struct{})
	hook := l.hook.Config.Handler
	var once sync.Once
	l.hook.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(inside) })
		<-goOn
		hook.ServeHTTP(w, r)
	})
	first := make(chan int)
	a, other := l.instance(t), l.instance(t)
	go func() { first <- deliver(t, a, b) }()
	<-inside
	if code := deliver(t, other, b); code != http.StatusServiceUnavailable {
		t.Errorf("the second instance answers %d while the first sends, want 503", code)
	}
	close(goOn)
	if code := <-first; code != http.StatusOK {
		t.Errorf("the first instance answers %d", code)
	}
	if code := deliver(t, other, b); code != http.StatusOK || len(l.told()) != 1 {
		t.Errorf("answer %d, told %q", code, l.told())
	}
}

// An instance that ends between claiming and sending leaves a claim, which runs
// out. One that ends after sending and before saying so has the same sent again,
// with the same key.
func TestAlert_CrashBetweenMarkAndSending(t *testing.T) {
	for name, c := range map[string]struct {
		sent bool // by the instance that ends
		want int
	}{"before it is sent": {false, 1}, "after it is sent": {true, 2}} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			if !c.sent {
				l.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
			}
			writes := 0
			refuse := func(r *http.Request) bool { // of the mark, all writes but the first: as if the instance were gone
				if r.Method == http.MethodPost {
					writes++
				}
				return r.Method == http.MethodPost && writes > 1
			}
			l.refuse.Store(&refuse)
			b := batchOf("incidents", batch.RowsLane, incident("Major", noon, 30))
			if code := deliver(t, l.instance(t), b); code != http.StatusServiceUnavailable {
				t.Fatalf("answer %d, want 503", code)
			}
			l.refuse.Store(nil)
			l.answers(nil)
			if code := deliver(t, l.instance(t), b); code != http.StatusServiceUnavailable {
				t.Fatalf("answer %d while the claim holds, want 503", code)
			}
			later := noon.Add(3 * time.Minute)
			l.now.Store(&later)
			if code := deliver(t, l.instance(t), b); code != http.StatusOK {
				t.Fatalf("answer %d once the claim has run out", code)
			}
			told := l.told()
			if len(told) != c.want || len(slices.Compact(told)) != 1 {
				t.Errorf("told %q, want one key %d times", told, c.want)
			}
		})
	}
}

// While the webhook is away the delivery fails at once each time, and the one
// after it is back tells, as closed where the event has ended meanwhile.
func TestAlert_WebhookAway(t *testing.T) {
	for name, away := range map[string]func(http.ResponseWriter, *http.Request){
		"error":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"breaks":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			w := l.instance(t)
			b := batchOf("incidents", batch.RowsLane, incident("Major", noon, 30))
			l.answers(away)
			for range 3 {
				if code := deliver(t, w, b); code != http.StatusServiceUnavailable {
					t.Fatalf("answer %d, want 503", code)
				}
			}
			if l.attempts() < 3 {
				t.Errorf("%d attempts, want one a delivery", l.attempts())
			}
			if m := l.newest(t, time.Time{}, time.Time{}); len(m) != 1 || m[0].Done || !strings.HasPrefix(m[0].Trouble(), "webhook: ") {
				t.Errorf("the mark says %+v, want why the webhook did not take it", m)
			}
			l.answers(nil)
			later := noon.Add(31 * time.Minute)
			l.now.Store(&later)
			if code := deliver(t, w, b); code != http.StatusOK || len(l.taken()) != 1 || l.taken()[0].State != alert.Closed {
				t.Errorf("answer %d, told %+v, want it told as closed", code, l.taken())
			}
			if m := l.newest(t, time.Time{}, time.Time{}); len(m) != 1 || !m[0].Done || m[0].Trouble() != "" || m[0].Sent["webhook"].IsZero() {
				t.Errorf("the mark says %+v, want when the webhook took it", m)
			}
		})
	}
}

// The newest alerts are found whenever they began, or within a period.
func TestAlert_Newest(t *testing.T) {
	l := newLab(t)
	w := l.instance(t)
	for i := range 5 {
		at := noon.Add(time.Duration(i-4) * 8 * time.Hour)
		l.now.Store(&at)
		b := batchOf("incidents", batch.RowsLane, incident("Major", at, 30))
		b.Records[0].Offset = int64(i)
		if code := deliver(t, w, b); code != http.StatusOK {
			t.Fatalf("answer %d", code)
		}
	}
	for name, c := range map[string]struct {
		from, to time.Time
		most     int
		want     string
	}{
		"all":           {most: 9, want: "4 3 2 1 0"},
		"the newest":    {most: 2, want: "4 3"},
		"since":         {from: noon.Add(-16 * time.Hour), most: 9, want: "4 3 2"},
		"before":        {to: noon.Add(-16 * time.Hour), most: 9, want: "1 0"},
		"in between":    {from: noon.Add(-24 * time.Hour), to: noon, most: 9, want: "3 2 1"},
		"none in there": {from: noon.Add(time.Hour), most: 9, want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, m := range l.newest(t, c.from, c.to, c.most) {
				got = append(got, fmt.Sprint(m.Notification.Position.Offset))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%v, want %s", got, c.want)
			}
		})
	}
}

// What somebody was not told comes first, however many are asked for and however
// long ago it was.
func TestAlert_NewestUntold(t *testing.T) {
	l := newLab(t)
	w := l.instance(t)
	for i := range 5 {
		at := noon.Add(time.Duration(i-4) * 24 * time.Hour)
		l.now.Store(&at)
		want := http.StatusOK
		l.answers(nil)
		if i == 1 {
			want = http.StatusServiceUnavailable
			l.answers(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) })
		}
		b := batchOf("incidents", batch.RowsLane, incident("Major", at, 30))
		b.Records[0].Offset = int64(i)
		if code := deliver(t, w, b); code != want {
			t.Fatalf("answer %d", code)
		}
	}
	for most, want := range map[int]string{1: "1", 2: "1 4", 9: "1 4 3 2 0"} {
		var got []string
		for _, m := range l.newest(t, time.Time{}, time.Time{}, most) {
			got = append(got, fmt.Sprint(m.Notification.Position.Offset))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("of %d: %v, want %s", most, got, want)
		}
	}
}

// No error says where the webhook is.
func TestAlert_AddressStaysSecret(t *testing.T) {
	l := newLab(t)
	var log strings.Builder
	address := l.hook.URL + "/t0ken"
	l.hook.Close()
	w := l.instance(t, func(c *alert.Config) {
		c.Webhook, c.Logger = address, slog.New(slog.NewTextHandler(&log, nil))
	})
	if code := deliver(t, w, batchOf("incidents", batch.RowsLane, incident("Major", noon, 30))); code != http.StatusServiceUnavailable {
		t.Fatalf("answer %d", code)
	}
	if u, _ := url.Parse(address); strings.Contains(log.String(), u.Path) || !strings.Contains(log.String(), "posting to the webhook") {
		t.Errorf("the log: %s", log.String())
	}
}

// What is no batch is acknowledged, or it would come again for a day.
func TestAlert_NoBatch(t *testing.T) {
	l := newLab(t)
	w := l.instance(t)
	for name, r := range map[string]*http.Request{
		"nothing": httptest.NewRequest(http.MethodPost, "/", nil),
		"text":    httptest.NewRequest(http.MethodPost, "/", strings.NewReader("hello")),
	} {
		answer := httptest.NewRecorder()
		if w.ServeHTTP(answer, r); answer.Code != http.StatusOK {
			t.Errorf("%s: answer %d", name, answer.Code)
		}
	}
	answer := httptest.NewRecorder()
	if w.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", nil)); answer.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: answer %d", answer.Code)
	}
}
