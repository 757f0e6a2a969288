package bridge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"google.golang.org/api/idtoken"

	"github.com/stationflow/stationflow/batch"
)

const (
	maxAnswerBytes = 64 << 10 // read of an answer, so that its connection can be used again
	maxQuotedBytes = 600      // of it, in an error
	maxIdle        = 128      // connections kept: as many as partitions with their batches in flight
)

// HTTP is the Transport that posts each batch to the function itself, as a
// CloudEvent in binary mode. A batch is taken over once the function answers
// 2xx, which it does when all is durable.
type HTTP struct {
	url    string
	client *http.Client
	token  func(context.Context) (string, error) // the caller's identity; nil sends none
}

// NewHTTP returns a transport that posts to the URL. To https it sends a
// Google identity token for the audience, as the environment's credentials
// give it (a service account's; a person's own have none); to http, which is
// for this machine and its network, it sends none.
func NewHTTP(ctx context.Context, url, audience string) (*HTTP, error) {
	h := &HTTP{url: url, client: newHTTPClient()}
	if !strings.HasPrefix(url, "https://") {
		return h, nil
	}
	tokens, err := idtoken.NewTokenSource(ctx, audience)
	if err != nil {
		return nil, fmt.Errorf("getting an identity token for %s (BRIDGE_HTTP_URL): run as a service account "+
			"that may invoke the function, or name its key file in GOOGLE_APPLICATION_CREDENTIALS: %w", audience, err)
	}
	h.token = func(ctx context.Context) (string, error) {
		type result struct {
			text string
			err  error
		}
		got := make(chan result, 1)
		go func() { // the source takes no context; it keeps a token until it expires
			token, err := tokens.Token()
			if err != nil {
				got <- result{err: fmt.Errorf("getting an identity token for %s: %w", audience, err)}
				return
			}
			got <- result{text: token.AccessToken}
		}()
		select {
		case r := <-got:
			return r.text, r.err
		case <-ctx.Done():
			return "", fmt.Errorf("getting an identity token for %s: %w", audience, ctx.Err())
		}
	}
	return h, nil
}

// newHTTPClient keeps connections open and notices dead ones: an attempt may
// wait for minutes, so a peer that vanished must not take that long.
func newHTTPClient() *http.Client {
	dialer := net.Dialer{
		Timeout:         10 * time.Second,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         dialer.DialContext,
			ForceAttemptHTTP2:   true,
			HTTP2:               &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
			TLSHandshakeTimeout: 10 * time.Second,
			DisableCompression:  true,
			MaxIdleConns:        maxIdle,
			MaxIdleConnsPerHost: maxIdle,
			IdleConnTimeout:     90 * time.Second,
			WriteBufferSize:     64 << 10,
		},
		// A redirect is not an answer of the function, and to follow one
		// would show the identity token to the server that it names.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Publish posts the event once.
func (h *HTTP) Publish(ctx context.Context, event cloudevents.Event) error {
	var sent upload
	request, err := h.request(ctx, event, &sent)
	if err != nil {
		return err
	}
	response, err := h.client.Do(request)
	if err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return fmt.Errorf("posting to %s: no answer in time (BRIDGE_PUBLISH_TIMEOUT)", h.url)
		}
		return fmt.Errorf("posting to the function: %w", err)
	}
	if err := judge(h.url, response, read(response), time.Now()); err != nil {
		return err
	}
	// An answer may come before all is sent; then the client is still
	// reading the event's data, which is not ours after returning.
	return sent.wait(ctx)
}

// request builds the request. The data is sent from where it is. GetBody lets
// the client repeat at once what a connection that was being closed has not
// taken.
func (h *HTTP) request(ctx context.Context, event cloudevents.Event, sent *upload) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, nil)
	if err != nil {
		return nil, fmt.Errorf("posting to %s (BRIDGE_HTTP_URL): %w", h.url, err)
	}
	data := event.Data()
	request.ContentLength = int64(len(data))
	request.Body = sent.body(data)
	request.GetBody = func() (io.ReadCloser, error) { return sent.body(data), nil }
	for name, value := range batch.Attributes(event) {
		request.Header.Set(name, value)
	}
	request.Header.Set("User-Agent", "stationflow-bridge")
	if h.token != nil {
		token, err := h.token(ctx)
		if err != nil {
			return nil, err
		}
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return request, nil
}

// Close ends the idle connections.
func (h *HTTP) Close() error {
	h.client.CloseIdleConnections()
	return nil
}

// An upload knows whether anybody still reads the bodies of one request.
type upload struct{ reading sync.WaitGroup }

func (u *upload) body(data []byte) io.ReadCloser {
	u.reading.Add(1)
	return &body{Reader: bytes.NewReader(data), closed: sync.OnceFunc(u.reading.Done)}
}

// wait returns once every body is closed, which the client promises, though
// not by when.
func (u *upload) wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() { // ends soon after: the client gives an unfinished request up
		u.reading.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the answer came before the batch was sent: %w", ctx.Err())
	}
}

type body struct {
	*bytes.Reader
	closed func()
}

func (b *body) Close() error {
	b.closed()
	return nil
}

// read returns as much of the answer as is quoted, drains what is little more,
// and closes it. What cannot be read is left out: the status has decided.
func read(response *http.Response) (quoted string) {
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxQuotedBytes))
	if err == nil {
		_, _ = io.CopyN(io.Discard, response.Body, maxAnswerBytes)
	}
	return strings.TrimSpace(string(text))
}

// judge is the one place that says what an answer means.
//
//   - A page of HTML, whatever its status: not the function's answer.
//   - 2xx: taken over.
//   - 408, 425, 429, 502, 503, 504: the function is busy or away, for every
//     batch alike.
//   - 3xx, 401, 403, 404, 405, 407: something before the function has
//     answered; a person must mend the address or the rights, and no batch
//     is to blame.
//   - 400, 413, 422, 500: the function refuses this batch, unless the answer is
//     JSON: the function gives its reasons as plain text.
//   - All else: nobody knows, and no batch is to blame.
func judge(url string, response *http.Response, answer string, now time.Time) error {
	code := response.StatusCode
	page := isPage(response, answer)
	if code >= 200 && code < 300 && !page {
		return nil
	}
	failure := &PublishError{Err: fmt.Errorf("%s answered %s: %s", url, response.Status, answer)}
	switch response.Header.Get(batch.HeaderClass) {
	case batch.ClassTransient, batch.ClassMisconfigured:
		failure.Excused = true
	}
	switch code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusBadGateway, http.StatusGatewayTimeout:
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		failure.After = retryAfter(response.Header.Get("Retry-After"), now)
	case http.StatusUnauthorized, http.StatusForbidden:
		failure.Err = fmt.Errorf("%s answered %s: the bridge's service account needs the right to invoke the function "+
			"(roles/run.invoker), and BRIDGE_HTTP_AUDIENCE must be the function's own URL", url, response.Status)
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusProxyAuthRequired:
		failure.Err = fmt.Errorf("%s answered %s: BRIDGE_HTTP_URL must be the ingest function's address, path included",
			url, response.Status)
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity,
		http.StatusInternalServerError:
		failure.Refused = !page && !isJSON(response, answer)
	default:
		if code < 300 {
			failure.Err = fmt.Errorf("%s answered %s with a web page, which the function never does: "+
				"BRIDGE_HTTP_URL must be the ingest function's address, path included", url, response.Status)
		} else if code < 400 {
			failure.Err = fmt.Errorf("%s answered %s and redirects are not followed: "+
				"BRIDGE_HTTP_URL must be the ingest function's own address", url, response.Status)
		}
	}
	return failure
}

// isPage tells a page for people, which a front end or a proxy answers.
func isPage(response *http.Response, answer string) bool {
	return mediaType(response) == "text/html" || strings.HasPrefix(answer, "<")
}

// isJSON tells an object for programs, which a gateway answers.
func isJSON(response *http.Response, answer string) bool {
	media := mediaType(response)
	return media == "application/json" || strings.HasSuffix(media, "+json") || strings.HasPrefix(answer, "{")
}

func mediaType(response *http.Response) string {
	media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	return media
}

// maxRetryAfter bounds what an answer may ask for: a wrong clock must not
// stop a partition for hours.
const maxRetryAfter = time.Minute

// retryAfter reads the header's seconds or date
// (https://www.rfc-editor.org/rfc/rfc9110#field.retry-after); 0 when it says
// nothing that can be followed.
func retryAfter(header string, now time.Time) time.Duration {
	// What is out of range is read as the largest number.
	if seconds, err := strconv.ParseInt(header, 10, 32); err == nil || errors.Is(err, strconv.ErrRange) {
		return min(max(time.Duration(seconds)*time.Second, 0), maxRetryAfter)
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}
