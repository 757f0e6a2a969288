package pubsub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	cloud "cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

const (
	project = "projects/p"
	topicT  = project + "/topics/batches"
	topicDL = project + "/topics/dead-letters"
	subS    = project + "/subscriptions/ingest"
	subDL   = project + "/subscriptions/graveyard"
)

// lab is a server and Google's client for it on a network in memory, so that inside a synctest bubble every wait for
// time is instant and every time is the same in each run.
type lab struct {
	*testing.T
	network network
	server  *Server
	client  *cloud.Client
	raw     pubsubpb.PublisherClient // does not retry, as client does
	stop    func()
}

func newLab(t *testing.T, cfg Config) *lab {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	l := &lab{T: t, network: network{}}
	cfg, err := cfg.withDefaults()
	l.ok(err)
	l.server, err = serve(cfg, l.network.listen("pubsub:80"), l.network.dial)
	l.ok(err)
	conn, err := grpc.NewClient("passthrough:///pubsub:80", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) { return l.network.dial(ctx, "", addr) }))
	l.ok(err)
	l.client, err = cloud.NewClient(t.Context(), "p", option.WithGRPCConn(conn), option.WithTelemetryDisabled())
	l.ok(err)
	l.raw = pubsubpb.NewPublisherClient(conn)
	l.stop = sync.OnceFunc(func() { l.ok(errors.Join(l.client.Close(), l.server.Close())) })
	t.Cleanup(l.stop)
	return l
}

func (l *lab) ok(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

// endpoint serves a handler at the URL it returns.
func (l *lab) endpoint(host string, handler http.HandlerFunc) string {
	server := &http.Server{Handler: handler}
	listener := l.network.listen(host + ":80")
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(listener) })
	l.Cleanup(func() {
		_ = server.Close()
		running.Wait()
	})
	return "http://" + host + "/ingest"
}

func (l *lab) topic(names ...string) {
	l.Helper()
	for _, name := range names {
		_, err := l.client.TopicAdminClient.CreateTopic(l.Context(), &pubsubpb.Topic{Name: name})
		l.ok(err)
	}
}

func (l *lab) subscribe(config *pubsubpb.Subscription) {
	l.Helper()
	_, err := l.client.SubscriptionAdminClient.CreateSubscription(l.Context(), config)
	l.ok(err)
}

// publish publishes messages in one request and returns their ids.
func (l *lab) publish(topic string, messages ...*pubsubpb.PubsubMessage) []string {
	l.Helper()
	response, err := l.client.TopicAdminClient.Publish(l.Context(), &pubsubpb.PublishRequest{Topic: topic, Messages: messages})
	l.ok(err)
	return response.MessageIds
}

// pull returns what one pull answers.
func (l *lab) pull(name string) []*pubsubpb.ReceivedMessage {
	l.Helper()
	response, err := l.client.SubscriptionAdminClient.Pull(l.Context(), &pubsubpb.PullRequest{Subscription: name, MaxMessages: 1000})
	l.ok(err)
	return response.ReceivedMessages
}

func (l *lab) ack(name string, received ...*pubsubpb.ReceivedMessage) {
	l.Helper()
	for _, r := range received {
		l.ok(l.client.SubscriptionAdminClient.Acknowledge(l.Context(), &pubsubpb.AcknowledgeRequest{Subscription: name, AckIds: []string{r.AckId}}))
	}
}

// stats returns the statistics of one subscription.
func (l *lab) stats(name string) SubscriptionStats {
	for _, s := range l.server.Stats().Subscriptions {
		if s.Name == name {
			return s
		}
	}
	l.Fatalf("no statistics of %s", name)
	return SubscriptionStats{}
}

func text(s string) *pubsubpb.PubsubMessage { return &pubsubpb.PubsubMessage{Data: []byte(s)} }

func pushTo(url string) *pubsubpb.PushConfig { return &pubsubpb.PushConfig{PushEndpoint: url} }

func pushBare(url string) *pubsubpb.PushConfig {
	return &pubsubpb.PushConfig{PushEndpoint: url, Wrapper: &pubsubpb.PushConfig_NoWrapper_{
		NoWrapper: &pubsubpb.PushConfig_NoWrapper{WriteMetadata: true}}}
}

func wantCode(t *testing.T, err error, want codes.Code) {
	t.Helper()
	if status.Code(err) != want {
		t.Errorf("error %v: code %v, want %v", err, status.Code(err), want)
	}
}

// network connects listeners and dialers of one process by name.
type network map[string]*listener

func (n network) listen(addr string) *listener {
	l := &listener{addr: addr, conns: make(chan net.Conn), closed: make(chan struct{})}
	n[addr] = l
	return l
}

func (n network) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	l := n[addr]
	if l == nil {
		return nil, fmt.Errorf("nobody listens at %s", addr)
	}
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.closed:
		return nil, fmt.Errorf("%s is closed", addr)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type listener struct {
	addr   string
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return name(l.addr) }

type name string

func (n name) Network() string { return "memory" }
func (n name) String() string  { return string(n) }

// dump writes a request as bytes that can be compared: HTTP/1.1 with sorted headers.
func dump(r *http.Request) string {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s %s\nHost: %s\n", r.Method, r.URL.Path, r.Host)
	_ = r.Header.Write(&out)
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(&out, "\n%s", body)
	return string(bytes.ReplaceAll(out.Bytes(), []byte("\r"), nil))
}

// endpointServer is a push endpoint on loopback.
func endpointServer(t testing.TB, handler http.HandlerFunc) string {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL + "/ingest"
}
