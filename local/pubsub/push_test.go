package pubsub

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/durationpb"
)

var update = flag.Bool("update", false, "write the golden files")

// TestPush_RequestGolden compares whole requests with testdata/*.http.
func TestPush_RequestGolden(t *testing.T) {
	event := func() *pubsubpb.PubsubMessage {
		return &pubsubpb.PubsubMessage{
			Data: []byte("Obj\x01 <avro>"),
			Attributes: map[string]string{
				"Content-Type": "application/avro", "ce-specversion": "1.0", "ce-id": "1-2-3", "ce-type": "io.stationflow.records.v1",
				"x-goog-pubsub-message-id": "forged",
			},
		}
	}
	ordered := event()
	ordered.OrderingKey = "key"
	deadLetter := &pubsubpb.DeadLetterPolicy{DeadLetterTopic: topicDL, MaxDeliveryAttempts: 5}
	tests := map[string]struct {
		config  *pubsubpb.Subscription
		message *pubsubpb.PubsubMessage
	}{
		"bare":                    {&pubsubpb.Subscription{PushConfig: pushBare("http://endpoint/ingest")}, event()},
		"bare_deadletter":         {&pubsubpb.Subscription{PushConfig: pushBare("http://endpoint/ingest"), DeadLetterPolicy: deadLetter}, ordered},
		"wrapped":                 {&pubsubpb.Subscription{PushConfig: pushTo("http://endpoint/ingest")}, event()},
		"wrapped_deadletter":      {&pubsubpb.Subscription{PushConfig: pushTo("http://endpoint/ingest"), DeadLetterPolicy: deadLetter}, ordered},
		"wrapped_attributes_only": {&pubsubpb.Subscription{PushConfig: pushTo("http://endpoint/ingest")}, &pubsubpb.PubsubMessage{Attributes: map[string]string{"k": "v"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, Config{})
				got := make(chan string, 1)
				l.endpoint("endpoint", func(_ http.ResponseWriter, r *http.Request) { got <- dump(r) })
				l.topic(topicT, topicDL)
				test.config.Name, test.config.Topic = subS, topicT
				l.subscribe(test.config)
				l.publish(topicT, test.message)
				golden(t, name+".http", <-got)
			})
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

// TestPush_Status tries every kind of answer once and then succeeds, and looks which of them was an acknowledgement.
func TestPush_Status(t *testing.T) {
	answers := map[string]struct {
		handler http.HandlerFunc
		acked   bool
	}{
		"200": {answer(200), true}, "201": {answer(201), true}, "202": {answer(202), true}, "204": {answer(204), true},
		"203": {answer(203), false}, "206": {answer(206), false}, "302": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", 302) }, false}, "400": {answer(400), false},
		"409": {answer(409), false}, "422": {answer(422), false}, "429": {answer(429), false}, "503": {answer(503), false},
		"102 then cut":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(102); panic(http.ErrAbortHandler) }, true},
		"102 then 500":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(102); w.WriteHeader(500) }, false},
		"response lost": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false},
		"time-out":      {hang, false},
	}
	for name, test := range answers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, Config{})
				requests := 0
				url := l.endpoint("endpoint", func(w http.ResponseWriter, r *http.Request) {
					if requests++; requests == 1 {
						test.handler(w, r)
					}
				})
				l.topic(topicT)
				l.subscribe(&pubsubpb.Subscription{Name: subS, Topic: topicT, PushConfig: pushTo(url)})
				l.publish(topicT, text("x"))
				time.Sleep(time.Minute)
				synctest.Wait()
				want := SubscriptionStats{Name: subS, Topic: topicT, Delivered: 2, Acked: 1, Failed: 1}
				if test.acked {
					want.Delivered, want.Failed = 1, 0
				}
				if diff := cmp.Diff(want, l.stats(subS)); diff != "" {
					t.Errorf("statistics (-want +got):\n%s", diff)
				}
				if used := l.server.Stats().RetainedBytes; used != 0 {
					t.Errorf("%d bytes are still held after the acknowledgement", used)
				}
			})
		})
	}
}

// hang reads the request, without which the server does not notice that the client has left, and answers never.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func answer(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// TestPush_Backoff measures the delays between attempts that an endpoint refuses at once.
func TestPush_Backoff(t *testing.T) {
	ms, s := time.Millisecond, time.Second
	tests := map[string]struct {
		policy *pubsubpb.RetryPolicy
		want   []time.Duration
	}{
		"none":     {nil, []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms}},
		"defaults": {&pubsubpb.RetryPolicy{}, []time.Duration{10 * s, 20 * s, 40 * s, 80 * s, 160 * s, 320 * s, 600 * s, 600 * s}},
		"bounded": {&pubsubpb.RetryPolicy{MinimumBackoff: durationpb.New(3 * s), MaximumBackoff: durationpb.New(7 * s)},
			[]time.Duration{3 * s, 6 * s, 7 * s, 7 * s}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, Config{})
				times := make(chan time.Time)
				url := l.endpoint("endpoint", func(w http.ResponseWriter, _ *http.Request) {
					times <- time.Now()
					w.WriteHeader(503)
				})
				l.topic(topicT)
				l.subscribe(&pubsubpb.Subscription{Name: subS, Topic: topicT, PushConfig: pushTo(url), RetryPolicy: test.policy})
				l.publish(topicT, text("x"))
				last := <-times
				var got []time.Duration
				for range test.want {
					now := <-times
					got = append(got, now.Sub(last))
					last = now
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("delays (-want +got):\n%s", diff)
				}
				l.ok(l.client.SubscriptionAdminClient.DeleteSubscription(t.Context(), &pubsubpb.DeleteSubscriptionRequest{Subscription: subS}))
			})
		})
	}
}

// TestPush_DeadLetter refuses a message until it lands in the dead letter topic, with its attributes and Google's.
func TestPush_DeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Config{})
		var attempts []string
		url := l.endpoint("endpoint", func(w http.ResponseWriter, r *http.Request) {
			attempts = append(attempts, r.Header.Get("X-Goog-Pubsub-Delivery-Attempt"))
			w.WriteHeader(500)
		})
		l.topic(topicT, topicDL)
		l.subscribe(&pubsubpb.Subscription{Name: subDL, Topic: topicDL})
		l.subscribe(&pubsubpb.Subscription{Name: subS, Topic: topicT, PushConfig: pushBare(url),
			DeadLetterPolicy: &pubsubpb.DeadLetterPolicy{DeadLetterTopic: topicDL, MaxDeliveryAttempts: 6}})
		l.publish(topicT, &pubsubpb.PubsubMessage{Data: []byte("poison"), Attributes: map[string]string{"ce-id": "7"}})
		received := l.pull(subDL)
		if len(received) != 1 || string(received[0].Message.Data) != "poison" {
			t.Fatalf("pulled %v from the dead letter topic, want the message", received)
		}
		want := map[string]string{
			"ce-id": "7",
			"CloudPubSubDeadLetterSourceDeliveryCount":       "6",
			"CloudPubSubDeadLetterSourceSubscription":        "ingest",
			"CloudPubSubDeadLetterSourceSubscriptionProject": "p",
			"CloudPubSubDeadLetterSourceTopicPublishTime":    "2000-01-01T00:00:00.000+00:00",
		}
		if diff := cmp.Diff(want, received[0].Message.Attributes); diff != "" {
			t.Errorf("attributes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"1", "2", "3", "4", "5", "6"}, attempts); diff != "" {
			t.Errorf("delivery attempts (-want +got):\n%s", diff)
		}
		synctest.Wait()
		got := l.stats(subS)
		if want := (SubscriptionStats{Name: subS, Topic: topicT, Delivered: 6, Failed: 6, DeadLettered: 1, Failure: "push endpoint answered 500 Internal Server Error: "}); got != want {
			t.Errorf("statistics %+v, want %+v", got, want)
		}
	})
}

// TestPush_DeadLetterTopicGone keeps delivering a message that cannot be forwarded, and forwards it once it can be.
func TestPush_DeadLetterTopicGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Config{})
		requests := 0
		url := l.endpoint("endpoint", func(w http.ResponseWriter, _ *http.Request) { requests++; w.WriteHeader(500) })
		l.topic(topicT, topicDL)
		l.subscribe(&pubsubpb.Subscription{Name: subS, Topic: topicT, PushConfig: pushTo(url),
			DeadLetterPolicy: &pubsubpb.DeadLetterPolicy{DeadLetterTopic: topicDL, MaxDeliveryAttempts: 5}})
		l.ok(l.client.TopicAdminClient.DeleteTopic(t.Context(), &pubsubpb.DeleteTopicRequest{Topic: topicDL}))
		l.publish(topicT, text("poison"))
		time.Sleep(time.Minute)
		if got := l.stats(subS); got.Outstanding != 1 || got.DeadLettered != 0 || requests <= 5 {
			t.Errorf("without its topic: %+v after %d requests, want the message still delivered", got, requests)
		}
		l.topic(topicDL)
		l.subscribe(&pubsubpb.Subscription{Name: subDL, Topic: topicDL})
		time.Sleep(2 * time.Minute)
		if got := l.pull(subDL); len(got) != 1 {
			t.Errorf("%d dead letters once the topic is back, want 1", len(got))
		}
	})
}

// TestPush_Concurrency holds every request until as many are under way as are allowed, and looks that no more come.
func TestPush_Concurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Config{PushConcurrency: 3})
		entered, release := make(chan struct{}, 100), make(chan struct{})
		url := l.endpoint("endpoint", func(http.ResponseWriter, *http.Request) {
			entered <- struct{}{}
			<-release
		})
		l.topic(topicT)
		l.subscribe(&pubsubpb.Subscription{Name: subS, Topic: topicT, PushConfig: pushTo(url)})
		for i := range 10 {
			l.publish(topicT, text(fmt.Sprint(i)))
		}
		synctest.Wait()
		if len(entered) != 3 {
			t.Errorf("%d pushes in flight, want 3", len(entered))
		}
		close(release)
		synctest.Wait()
		if got := l.stats(subS); got.Acked != 10 || got.Failed != 0 {
			t.Errorf("statistics %+v, want 10 acknowledged", got)
		}
	})
}

// TestClose_Grace closes while two pushes are in flight: one finishes in time, the other is cut off and kept.
func TestClose_Grace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Config{Grace: 3 * time.Second})
		url := l.endpoint("endpoint", func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(map[string]time.Duration{"quick": 2 * time.Second, "slow": time.Hour}[r.Header.Get("pace")]):
			case <-r.Context().Done():
			}
		})
		l.topic(topicT)
		l.subscribe(&pubsubpb.Subscription{Name: subS, Topic: topicT, PushConfig: pushBare(url), AckDeadlineSeconds: 600})
		for _, pace := range []string{"quick", "slow"} {
			l.publish(topicT, &pubsubpb.PubsubMessage{Attributes: map[string]string{"pace": pace}})
		}
		synctest.Wait()
		start := time.Now()
		l.stop()
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("Close took %v, want the grace of 3 s", took)
		}
		if got := l.stats(subS); got.Acked != 1 || got.Outstanding != 1 || got.Failed != 0 {
			t.Errorf("statistics %+v, want one acknowledged and one kept", got)
		}
	})
}
