package pubsub

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/stationflow/stationflow/terraform"
)

// With the delivery policy that is deployed an outage of ingest of some hours
// makes no dead letter, and all arrives within the longest pause once it is
// over. Of a longer one only what was published in its beginning is given up.
func TestOutage_AsDeployed(t *testing.T) {
	d, err := terraform.ReadDeployment()
	if err != nil {
		t.Fatal(err)
	}
	seconds := func(n int) *durationpb.Duration { return durationpb.New(time.Duration(n) * time.Second) }
	const every = 10 * time.Minute
	for _, hours := range []int{1, 6, 12, 24} {
		t.Run(fmt.Sprint(hours, " h"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, Config{})
				outage := time.Duration(hours) * time.Hour
				var mu sync.Mutex // holds the next two together
				arrived, last := map[string]bool{}, time.Duration(0)
				began := time.Now()
				url := l.endpoint("endpoint", func(w http.ResponseWriter, r *http.Request) {
					if time.Since(began) < outage {
						w.WriteHeader(http.StatusServiceUnavailable)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					arrived[r.Header.Get("key")], last = true, time.Since(began)-outage
				})
				l.topic(topicT, topicDL)
				l.subscribe(&pubsubpb.Subscription{Name: subDL, Topic: topicDL, MessageRetentionDuration: durationpb.New(31 * 24 * time.Hour)})
				l.subscribe(&pubsubpb.Subscription{Name: subS, Topic: topicT, PushConfig: pushBare(url),
					AckDeadlineSeconds: int32(d.PushAckDeadline),
					RetryPolicy:        &pubsubpb.RetryPolicy{MinimumBackoff: seconds(d.PushMinimumBackoff), MaximumBackoff: seconds(d.PushMaximumBackoff)},
					DeadLetterPolicy:   &pubsubpb.DeadLetterPolicy{DeadLetterTopic: topicDL, MaxDeliveryAttempts: int32(d.PushMaxDeliveryAttempts)},
				})
				published, lost := 0, 0
				for time.Since(began) < outage {
					if outage-time.Since(began) > d.RetriesTake() {
						lost++
					}
					l.publish(topicT, &pubsubpb.PubsubMessage{Data: []byte("x"), Attributes: map[string]string{"key": fmt.Sprint(published)}})
					published++
					time.Sleep(every)
				}
				time.Sleep(time.Duration(d.PushMaximumBackoff)*time.Second + time.Minute)
				synctest.Wait()
				mu.Lock()
				defer mu.Unlock()
				if hours <= 12 && lost != 0 {
					t.Errorf("%v of outage are longer than all attempts, %v", outage, d.RetriesTake())
				}
				if buried := int(l.stats(subDL).Outstanding); buried != lost || len(arrived) != published-lost {
					t.Errorf("%d of %d arrived and %d are dead letters, want %d", len(arrived), published, buried, lost)
				}
				if last > time.Duration(d.PushMaximumBackoff)*time.Second {
					t.Errorf("the last one arrived %v after the outage", last)
				}
			})
		})
	}
}
