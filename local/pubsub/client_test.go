package pubsub

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	cloud "cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
)

// startForClients runs a server on loopback and returns Google's client, which finds it by PUBSUB_EMULATOR_HOST.
func startForClients(t testing.TB, cfg Config) (*Server, *cloud.Client) {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	server, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PUBSUB_EMULATOR_HOST", server.Addr())
	client, err := cloud.NewClient(t.Context(), "p")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server, client
}

func createForClients(t testing.TB, client *cloud.Client, config *pubsubpb.Subscription) {
	t.Helper()
	if _, err := client.TopicAdminClient.CreateTopic(t.Context(), &pubsubpb.Topic{Name: config.Topic}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.SubscriptionAdminClient.CreateSubscription(t.Context(), config); err != nil {
		t.Fatal(err)
	}
}

// TestClient_PublishAndReceive has several publishers and the client's own streams at work at once, with every third
// message returned once.
func TestClient_PublishAndReceive(t *testing.T) {
	const publishers, each = 4, 250
	server, client := startForClients(t, Config{DataDir: t.TempDir()})
	createForClients(t, client, &pubsubpb.Subscription{Name: subS, Topic: topicT})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var receiving sync.WaitGroup
	var mu sync.Mutex
	seen, acked := map[string]int{}, 0
	receiving.Go(func() {
		err := client.Subscriber(subS).Receive(ctx, func(_ context.Context, m *cloud.Message) {
			mu.Lock()
			defer mu.Unlock()
			if seen[string(m.Data)]++; seen[string(m.Data)] == 1 && len(seen)%3 == 0 {
				m.Nack()
				return
			}
			m.Ack()
			if acked++; acked == publishers*each {
				cancel()
			}
		})
		if err != nil {
			t.Error(err)
		}
	})
	var publishing sync.WaitGroup
	for p := range publishers {
		publishing.Go(func() {
			publisher := client.Publisher(topicT)
			defer publisher.Stop()
			var results []*cloud.PublishResult
			for i := range each {
				results = append(results, publisher.Publish(t.Context(), &cloud.Message{Data: fmt.Appendf(nil, "%d/%d", p, i)}))
			}
			for _, result := range results {
				if _, err := result.Get(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	publishing.Wait()
	receiving.Wait()
	if len(seen) != publishers*each {
		t.Errorf("%d different messages received, want %d", len(seen), publishers*each)
	}
	if stats := server.Stats(); stats.RetainedBytes != 0 || stats.Subscriptions[0].Failed < publishers*each/3 {
		t.Errorf("statistics %+v, want nothing retained and every third message returned", stats)
	}
}

// TestClient_PushConcurrently pushes from many publishers at once to an endpoint that loses every fifth response after
// its work: each message arrives whole, at least once, and is acknowledged once.
func TestClient_PushConcurrently(t *testing.T) {
	const publishers, each = 8, 100
	var mu sync.Mutex
	seen := map[string]int{}
	var requests atomic.Int64
	done := make(chan struct{})
	url := endpointServer(t, func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(body, payload(r.Header.Get("key"))) {
			t.Errorf("message %s arrived as %d bytes, %v", r.Header.Get("key"), len(body), err)
		}
		mu.Lock()
		seen[r.Header.Get("key")]++
		mu.Unlock()
		if requests.Add(1)%5 == 0 {
			panic(http.ErrAbortHandler)
		}
	})
	server, client := startForClients(t, Config{DataDir: t.TempDir()})
	createForClients(t, client, &pubsubpb.Subscription{Name: subS, Topic: topicT, PushConfig: pushBare(url)})
	go func() {
		defer close(done)
		poll := time.NewTicker(time.Millisecond) // statistics are read while everything runs
		defer poll.Stop()
		for server.Stats().Subscriptions[0].Acked < publishers*each && t.Context().Err() == nil {
			<-poll.C
		}
	}()
	var publishing sync.WaitGroup
	for p := range publishers {
		publishing.Go(func() {
			for i := range each {
				key := fmt.Sprintf("%d-%d", p, i)
				m := &pubsubpb.PubsubMessage{Data: payload(key), Attributes: map[string]string{"key": key}}
				if _, err := client.TopicAdminClient.Publish(t.Context(), &pubsubpb.PublishRequest{Topic: topicT, Messages: []*pubsubpb.PubsubMessage{m}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	publishing.Wait()
	<-done
	if len(seen) != publishers*each {
		t.Errorf("%d different messages pushed, want %d", len(seen), publishers*each)
	}
	got := server.Stats().Subscriptions[0]
	if got.Acked != publishers*each || got.Outstanding != 0 || got.Failed == 0 || got.Delivered != got.Acked+got.Failed {
		t.Errorf("statistics %+v", got)
	}
}

// payload is a body of some KB that depends on its key.
func payload(key string) []byte { return bytes.Repeat([]byte(key+" "), 500) }

// BenchmarkPush measures messages of 8 KB from publish to acknowledgement over HTTP, 100 in a request.
func BenchmarkPush(b *testing.B) {
	for name, dir := range map[string]string{"memory": "", "disk": b.TempDir()} {
		b.Run(name, func(b *testing.B) {
			var left atomic.Int64
			done := make(chan struct{})
			url := endpointServer(b, func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if left.Add(-1) == 0 {
					close(done)
				}
			})
			_, client := startForClients(b, Config{DataDir: dir})
			createForClients(b, client, &pubsubpb.Subscription{Name: subS, Topic: topicT, PushConfig: pushBare(url)})
			request := &pubsubpb.PublishRequest{Topic: topicT}
			for range 100 {
				request.Messages = append(request.Messages, &pubsubpb.PubsubMessage{Data: make([]byte, 8<<10), Attributes: map[string]string{
					"Content-Type": "application/avro", "ce-id": "1-2-3", "ce-source": "//kafka/c/t/0", "ce-type": "io.stationflow.records.v1"}})
			}
			left.Store(int64(b.N))
			b.SetBytes(8 << 10)
			b.ReportAllocs()
			b.ResetTimer()
			for sent := 0; sent < b.N; sent += len(request.Messages) {
				request.Messages = request.Messages[:min(len(request.Messages), b.N-sent)]
				if _, err := client.TopicAdminClient.Publish(b.Context(), request); err != nil {
					b.Fatal(err)
				}
			}
			<-done
		})
	}
}

// BenchmarkPushLatency measures one message of 8 KB at a time, from the start of its publish to its push.
func BenchmarkPushLatency(b *testing.B) {
	arrived := make(chan struct{})
	url := endpointServer(b, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
	})
	_, client := startForClients(b, Config{DataDir: b.TempDir()})
	createForClients(b, client, &pubsubpb.Subscription{Name: subS, Topic: topicT, PushConfig: pushBare(url)})
	request := &pubsubpb.PublishRequest{Topic: topicT, Messages: []*pubsubpb.PubsubMessage{{Data: make([]byte, 8<<10)}}}
	for b.Loop() {
		if _, err := client.TopicAdminClient.Publish(b.Context(), request); err != nil {
			b.Fatal(err)
		}
		<-arrived
	}
}
