package pubsub

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
)

// What is published and delivered is billed by size, and each request by 1,000
// bytes at least; what is delivered again is billed again.
func TestBilledBytes(t *testing.T) {
	small, large := text("small"), &pubsubpb.PubsubMessage{Data: make([]byte, 5000)}
	for _, test := range []struct {
		name     string
		messages []*pubsubpb.PubsubMessage // of one request
		push     bool
		refusals int
		from, to int64
	}{
		{"small, pushed", []*pubsubpb.PubsubMessage{small}, true, 0, 2000, 2000},
		{"small, pushed at the third attempt", []*pubsubpb.PubsubMessage{small}, true, 2, 4000, 4000},
		{"many small in a request, pushed one by one", []*pubsubpb.PubsubMessage{text("a"), text("b"), text("c")}, true, 0, 4000, 4000},
		{"large, pushed", []*pubsubpb.PubsubMessage{large}, true, 0, 10_000, 10_200},
		{"small and large, pulled at once", []*pubsubpb.PubsubMessage{text("a"), {Data: make([]byte, 5000)}}, false, 0, 10_000, 10_200},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, Config{})
				refused := 0
				url := l.endpoint("endpoint", func(w http.ResponseWriter, _ *http.Request) {
					if refused < test.refusals {
						refused++
						w.WriteHeader(http.StatusServiceUnavailable)
					}
				})
				l.topic(topicT)
				config := &pubsubpb.Subscription{Name: subS, Topic: topicT}
				if test.push {
					config.PushConfig = pushBare(url)
				}
				l.subscribe(config)
				l.publish(topicT, test.messages...)
				if !test.push {
					l.ack(subS, l.pull(subS)...)
				}
				time.Sleep(10 * time.Second) // of the bubble's time: until all is delivered
				if n := l.stats(subS).Outstanding; n != 0 {
					t.Fatalf("%d messages are left", n)
				}
				if got := l.server.Stats().BilledBytes; got < test.from || got > test.to {
					t.Errorf("%d bytes are billed, want %d to %d", got, test.from, test.to)
				}
			})
		})
	}
}
