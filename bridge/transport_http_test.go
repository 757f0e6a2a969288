package bridge

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/stationflow/stationflow/batch"
	"github.com/stationflow/stationflow/internal/tracing"
)

func httpTransport(t *testing.T, url string) *HTTP {
	t.Helper()
	h, err := NewHTTP(t.Context(), url, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func eventOf(t testing.TB, records ...batch.Record) cloudevents.Event {
	t.Helper()
	b := &batch.Batch{ClusterID: "c", Topic: "incidents", TopicID: topicID, Lane: batch.BothLanes, Records: records}
	e, err := b.Event(time.Unix(1, 0), (*tracing.Span)(nil).TraceParent())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// One request in binary mode, and connections that are used again.
func TestHTTP_PostsTheEvent(t *testing.T) {
	want := eventOf(t, batch.Record{Offset: 7, Value: []byte("v")})
	connections := map[string]bool{}
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		connections[r.RemoteAddr] = true
		body, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(body, want.Data()) || r.ContentLength != int64(len(body)) {
			t.Errorf("the body has %d bytes, announced as %d: %v", len(body), r.ContentLength, err)
		}
		for name, value := range batch.Attributes(want) {
			if r.Header.Get(name) != value {
				t.Errorf("header %s is %q, want %q", name, r.Header.Get(name), value)
			}
		}
		if _, ok := r.Header["Authorization"]; ok {
			t.Error("an identity was sent to plain http")
		}
		fmt.Fprint(w, "thanks")
	})
	h := httpTransport(t, server.URL)
	for range 3 {
		if err := h.Publish(t.Context(), want); err != nil {
			t.Fatal(err)
		}
	}
	if len(connections) != 1 {
		t.Errorf("3 requests one after the other took %d connections", len(connections))
	}
}

func TestHTTP_Answers(t *testing.T) {
	const html, object, problem = "text/html; charset=UTF-8", "application/json", "application/problem+json"
	tests := []struct {
		code    int
		header  string // Retry-After
		refused bool
		after   time.Duration
		says    string
		page    string // the type of an answer that is not plain text
	}{
		{code: 200}, {code: 202}, {code: 204},
		{code: 301, says: "redirects are not followed"}, {code: 307, says: "BRIDGE_HTTP_URL"},
		{code: 400, refused: true, says: "no good"},
		{code: 401, says: "roles/run.invoker"}, {code: 403, says: "BRIDGE_HTTP_AUDIENCE"},
		{code: 404, says: "path included"}, {code: 405, says: "path included"},
		{code: 408, says: "no good"}, {code: 413, refused: true, says: "no good"}, {code: 422, refused: true, says: "no good"},
		{code: 425, says: "no good"}, {code: 429, says: "no good"},
		{code: 429, header: "7", after: 7 * time.Second, says: "no good"},
		{code: 500, refused: true, says: "no good"}, {code: 500, header: "7", refused: true, says: "no good"}, {code: 501, says: "no good"},
		{code: 502, says: "no good"}, {code: 503, says: "no good"},
		{code: 503, header: "100000", after: maxRetryAfter, says: "no good"}, {code: 503, header: "soon", says: "no good"}, {code: 504, says: "no good"},
		{code: 409, says: "no good"}, {code: 410, says: "no good"}, {code: 451, says: "no good"}, {code: 505, says: "no good"}, {code: 520, says: "no good"},
		// What a front end answers refuses no batch, and nothing is taken over.
		{code: 400, page: html, says: "no good"}, {code: 413, page: html, says: "no good"}, {code: 422, page: html, says: "no good"},
		{code: 500, page: html, says: "no good"}, {code: 200, page: html, says: "with a web page, which the function never does"},
		{code: 400, page: object, says: "no good"}, {code: 413, page: problem, says: "no good"}, {code: 422, page: object, says: "no good"},
		{code: 500, page: object, says: "no good"}, {code: 500, page: problem, says: "no good"},
		{code: 200, page: object}, {code: 503, page: object, says: "no good"},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.code, test.header, test.page), func(t *testing.T) {
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/ingest" {
					t.Errorf("%s was asked for", r.URL)
				}
				io.Copy(io.Discard, r.Body)
				w.Header().Set("Location", "/elsewhere")
				if test.header != "" {
					w.Header().Set("Retry-After", test.header)
				}
				if test.page != "" {
					w.Header().Set("Content-Type", test.page)
				}
				w.WriteHeader(test.code)
				if test.code != 204 {
					io.WriteString(w, "no good\n"+strings.Repeat("x", 1<<20))
				}
			})
			err := httpTransport(t, server.URL+"/ingest").Publish(t.Context(), eventOf(t, batch.Record{}))
			if test.code < 300 && test.page != html {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil {
				t.Fatal("it claims to have published")
			}
			known := understand(err)
			if known.Refused != test.refused || known.After != test.after || !strings.Contains(err.Error(), test.says) || len(err.Error()) > 1000 {
				t.Errorf("refused %v, after %v, %.300q; want %v, %v, %q", known.Refused, known.After, err, test.refused, test.after, test.says)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"":                      0,
		"0":                     0,
		"30":                    30 * time.Second,
		"-1":                    0,
		"1.5":                   0,
		"999999999999999999999": maxRetryAfter,
		"86400":                 maxRetryAfter,
		now.Add(20 * time.Second).Format(http.TimeFormat): 20 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat):       0,
		now.Add(time.Hour).Format(http.TimeFormat):        maxRetryAfter,
		"Sunday, 22-Nov-26 12:00:05 GMT":                  5 * time.Second,
		"tomorrow":                                        0,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

// Nothing answers, nothing is there, or nobody waits: no batch is refused.
func TestHTTP_NoAnswer(t *testing.T) {
	release := make(chan struct{})
	hanging := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	breaking := serve(t, func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
	gone := serve(t, nil)
	gone.Close()
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	given, up := context.WithCancel(t.Context())
	up()
	for _, test := range []struct {
		name string
		ctx  context.Context
		url  string
		says string
	}{
		{"slow", short, hanging.URL, "no answer in time (BRIDGE_PUBLISH_TIMEOUT)"},
		{"cancelled", given, hanging.URL, "context canceled"},
		{"broken", t.Context(), breaking.URL, "EOF"},
		{"nobody", t.Context(), gone.URL, "refused"},
	} {
		err := httpTransport(t, test.url).Publish(test.ctx, eventOf(t, batch.Record{}))
		if err == nil || !strings.Contains(err.Error(), test.says) || *understand(err) != (PublishError{Err: err}) {
			t.Errorf("%s: got %v, want %q and nothing more known", test.name, err, test.says)
		}
	}
}

// A server that answers before it has read the batch: Publish returns only
// once nobody reads the data, because the bridge writes the next batch there.
func TestHTTP_KeepsNoData(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				connection.Read(make([]byte, 1<<10)) // the request has begun
				io.WriteString(connection, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				io.Copy(io.Discard, connection)
			}()
		}
	}()
	h := httpTransport(t, "http://"+listener.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for range 50 {
		e := eventOf(t, batch.Record{Value: make([]byte, 4<<20)})
		data := e.Data()
		if err := h.Publish(ctx, e); err != nil {
			t.Fatal(err)
		}
		for i := range data { // the race detector watches
			data[i] = 'x'
		}
	}
}

// To https the bridge identifies itself: a token for the audience, from the
// credentials of the environment. It is kept.
func TestHTTP_IdentityToken(t *testing.T) {
	var minted atomic.Int64
	google := serve(t, func(w http.ResponseWriter, r *http.Request) {
		minted.Add(1)
		claims := part(t, strings.Split(r.FormValue("assertion"), ".")[1])
		if claims["target_audience"] != "https://audience.example" {
			t.Errorf("the token was asked for %v", claims)
		}
		json.NewEncoder(w).Encode(map[string]any{"id_token": token(time.Now().Add(time.Hour))})
	})
	serviceAccount(t, google.URL)
	var authorization atomic.Value
	function := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization.Store(r.Header.Get("Authorization"))
	}))
	defer function.Close()
	h, err := NewHTTP(t.Context(), function.URL, "https://audience.example")
	if err != nil {
		t.Fatal(err)
	}
	h.client.Transport.(*http.Transport).TLSClientConfig = function.Client().Transport.(*http.Transport).TLSClientConfig
	for range 3 {
		if err := h.Publish(t.Context(), eventOf(t, batch.Record{})); err != nil {
			t.Fatal(err)
		}
	}
	if got := authorization.Load().(string); !strings.HasPrefix(got, "Bearer eyJ") {
		t.Errorf("it sent %q", got)
	}
	if n := minted.Load(); n != 1 {
		t.Errorf("%d tokens were asked for", n)
	}

	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "absent.json"))
	if _, err := NewHTTP(t.Context(), function.URL, "a"); err == nil || !strings.Contains(err.Error(), "BRIDGE_HTTP_URL") {
		t.Errorf("without credentials: %v", err)
	}
}

// serviceAccount puts a key file into the environment whose tokens come from
// the URL.
func serviceAccount(t *testing.T, tokenURL string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "bridge@example.com", "private_key_id": "1", "token_uri": tokenURL,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
}

func part(t *testing.T, encoded string) (claims map[string]any) {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err == nil {
		err = json.Unmarshal(text, &claims)
	}
	if err != nil {
		t.Error(err)
	}
	return claims
}

// token is one that nobody will verify.
func token(expires time.Time) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode(fmt.Appendf(nil, `{"exp":%d}`, expires.Unix())) + ".c2ln"
}
