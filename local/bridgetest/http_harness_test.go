package bridgetest

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/bridge"
)

// A function is the ingest function as the bridge sees it: an HTTP server
// that takes batches. What it took is in its recorder.
type function struct {
	*recorder
	url string

	// before, when set, decides over each request: false means that it has
	// answered, and taken nothing.
	before func(w http.ResponseWriter, r *http.Request, b *batch.Batch) bool
	// after, when set, runs once the batch is taken, before the answer.
	after func(r *http.Request, b *batch.Batch)
}

func newFunction(t *testing.T) *function {
	t.Helper()
	f := &function{recorder: newRecorder(nil)}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.url = server.URL + "/ingest"
	return f
}

func (f *function) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return // the bridge is gone
	}
	b, err := read(r.Header, data)
	if err == nil && f.before != nil && !f.before(w, r, b) {
		return
	}
	f.take(b, err)
	if err == nil && f.after != nil {
		f.after(r, b)
	}
}

func read(header http.Header, data []byte) (*batch.Batch, error) {
	e, err := batch.FromHTTP(header, data)
	if err != nil {
		return nil, err
	}
	return batch.FromEvent(e)
}

// A deadTopic is the dead letter topic: a Pub/Sub service that publishes to
// nobody, and fails as the test wants.
type deadTopic struct {
	pubsubpb.UnimplementedPublisherServer
	address string
	taken   *recorder    // also notes what is buried, when set
	before  func() error // when set, decides over each publish

	mu       sync.Mutex
	requests []*pubsubpb.PublishRequest // that succeeded
}

func newDeadTopic(t *testing.T, taken *recorder) *deadTopic {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &deadTopic{address: listener.Addr().String(), taken: taken}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(20 << 20))
	pubsubpb.RegisterPublisherServer(server, d)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *deadTopic) Publish(_ context.Context, request *pubsubpb.PublishRequest) (*pubsubpb.PublishResponse, error) {
	if d.before != nil {
		if err := d.before(); err != nil {
			return nil, err
		}
	}
	d.mu.Lock()
	d.requests = append(d.requests, request)
	d.mu.Unlock()
	response := &pubsubpb.PublishResponse{}
	for _, m := range request.Messages {
		response.MessageIds = append(response.MessageIds, "1")
		if d.taken != nil {
			e, err := batch.FromMessage(m.Attributes, m.Data)
			if err != nil {
				return nil, err
			}
			b, err := batch.FromEvent(e)
			d.taken.take(b, err)
		}
	}
	return response, nil
}

func (d *deadTopic) messages() (all []*pubsubpb.PubsubMessage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.requests {
		all = append(all, r.Messages...)
	}
	return all
}

// httpConfig gives a batch up quickly.
func httpConfig(c bridge.Config, url string) bridge.Config {
	c.Transport, c.HTTP.URL = "http", url
	c.HTTP.MaxAttempts, c.HTTP.RefusedMin, c.HTTP.RefusedMax = 3, time.Millisecond, 5*time.Millisecond
	return c
}

// startHTTP starts a bridge over the http transport.
func startHTTP(t *testing.T, c bridge.Config, d *deadTopic) *member {
	t.Helper()
	transport, err := bridge.NewHTTP(context.Background(), c.HTTP.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	letters, err := bridge.NewPubSub(context.Background(), c.Project, "projects/test/topics/dead", option.WithEndpoint(d.address),
		option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { transport.Close(); letters.Close() })
	return startWith(t, c, bridge.Dependencies{Transport: transport, DeadLetters: letters})
}
