package ingesttest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/grpc/codes"

	"github.com/stationflow/stationflow/bridge"
	"github.com/stationflow/stationflow/internal/deadletter"
)

// graves are DeadLetters that count.
type graves struct{ count atomic.Int64 }

func (g *graves) DeadLetter(context.Context, cloudevents.Event, deadletter.Cause) error {
	g.count.Add(1)
	return nil
}

// Over http, with time shortened: the function, or one of the sinks, is away
// for many more attempts than a refused batch is given. No batch becomes a dead
// letter, no restart is asked for, and when it is over all is where it belongs.
func TestOutage_ThroughTheBridge(t *testing.T) {
	t.Parallel()
	const records, refusals, attempts = 300, 3, 12
	for name, away := range map[string]func(*lab, *atomic.Bool){
		"the function": func(*lab, *atomic.Bool) {},
		"the warehouse": func(l *lab, over *atomic.Bool) {
			l.warehouse.decide(func(string, []row) verdict {
				if over.Load() {
					return verdict{}
				}
				return verdict{status: codes.Unavailable}
			})
		},
		"the warehouse refuses all": func(l *lab, over *atomic.Bool) {
			l.warehouse.decide(func(string, []row) verdict {
				if over.Load() {
					return verdict{}
				}
				return verdict{status: codes.InvalidArgument}
			})
		},
		"the lake": func(l *lab, over *atomic.Bool) {
			l.lake.decide(func(*http.Request) outcome {
				if over.Load() {
					return outcome{}
				}
				return outcome{status: http.StatusServiceUnavailable}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			var over atomic.Bool
			away(l, &over)
			var mu sync.Mutex
			failed := map[string]int{}
			enough := make(chan struct{})
			function := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := httptest.NewRecorder()
				if name == "the function" && !over.Load() {
					answer.WriteHeader(http.StatusBadGateway)
				} else {
					l.function.ServeHTTP(answer, r)
				}
				if answer.Code != http.StatusOK {
					mu.Lock()
					id := r.Header.Get("Ce-Id")
					if failed[id]++; failed[id] == attempts {
						select {
						case <-enough:
						default:
							close(enough)
						}
					}
					mu.Unlock()
				}
				for name, values := range answer.Header() {
					w.Header()[name] = values
				}
				w.WriteHeader(answer.Code)
				_, _ = w.Write(answer.Body.Bytes())
			}))
			defer function.Close()

			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "incidents"),
				kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
			if err != nil {
				t.Fatal(err)
			}
			defer cluster.Close()
			c, err := bridge.FromEnv(func(name string) string {
				return map[string]string{
					"KAFKA_BOOTSTRAP_SERVERS": cluster.ListenAddrs()[0], "KAFKA_TOPICS": "incidents", "GOOGLE_CLOUD_PROJECT": "p",
					"BRIDGE_TRANSPORT": "http", "BRIDGE_HTTP_URL": function.URL, "BRIDGE_HTTP_MAX_ATTEMPTS": fmt.Sprint(refusals),
					"BRIDGE_HTTP_REFUSED_MAX": "1ms", "BRIDGE_RETRY_MAX": "10ms", "BRIDGE_BATCH_AGE": "10ms", "BRIDGE_LAKE_AGE": "50ms",
					"BRIDGE_BATCH_RECORDS": "50", "BRIDGE_STUCK_AFTER": "1s",
				}[name]
			})
			if err != nil {
				t.Fatal(err)
			}
			c.Addr = ""
			transport, err := bridge.NewHTTP(t.Context(), function.URL, "")
			if err != nil {
				t.Fatal(err)
			}
			dead := new(graves)
			b, err := bridge.New(c, bridge.Dependencies{Transport: transport, DeadLetters: dead, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- b.Run(ctx) }()

			producer, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
			if err != nil {
				t.Fatal(err)
			}
			defer producer.Close()
			var sent []*kgo.Record
			for i, value := range incidents(records) {
				sent = append(sent, &kgo.Record{Topic: "incidents", Partition: int32(i % 3), Value: []byte(value), Timestamp: time.Now()})
			}
			if err := producer.ProduceSync(t.Context(), sent...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			<-enough
			healthy := httptest.NewRecorder()
			b.Handler().ServeHTTP(healthy, httptest.NewRequest(http.MethodGet, "/livez", nil))
			if healthy.Code != http.StatusOK {
				t.Errorf("a restart is asked for: %s", healthy.Body)
			}
			over.Store(true)
			for b.Snapshot().LagRecords() > 0 || len(places(l.warehouse.rows("incidents"))) < records || len(l.filed(t, "raw/")) < records {
				if t.Context().Err() != nil {
					t.Fatal("not all has landed")
				}
				time.Sleep(20 * time.Millisecond)
			}
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if n := dead.count.Load(); n != 0 || len(l.warehouse.rows("quarantine")) != 0 {
				t.Errorf("%d dead letters, and %d records in quarantine", n, len(l.warehouse.rows("quarantine")))
			}
			for at, n := range l.filed(t, "raw/") {
				if n != 1 {
					t.Errorf("%v is %d times in the lake", at, n)
				}
			}
		})
	}
}
